"""The public types, used as an application uses them. Only type checkers read this file; nothing runs it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, assert_never, assert_type
from uuid import UUID

import smsmfa
from smsmfa import (
    ALL_REGIONS,
    AlreadyEnrolled,
    AsyncConsoleSender,
    AsyncEnroller,
    AsyncMemoryStore,
    AsyncRateLimiter,
    AsyncTwilioSender,
    AsyncVerifier,
    Challenge,
    CodeExpired,
    CodeGenerator,
    CodeMalformed,
    CodeRejected,
    ConfigurationError,
    ConsoleSender,
    Decision,
    DeliveryError,
    DeliveryRejected,
    DeliveryUncertain,
    EnrolledPhone,
    Enroller,
    Enrollment,
    Event,
    FactorConfig,
    FactorDisabled,
    Limit,
    Limits,
    Locked,
    MemoryStore,
    NotEnrolled,
    PhoneInUse,
    PhoneNumber,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
    RateLimiter,
    SenderMisconfigured,
    SmsMfaError,
    Status,
    StoreContention,
    StoreError,
    TwilioSender,
    Verification,
    Verifier,
    negotiate,
    profiles,
)
from smsmfa.senders.twilio import DeliveryReport, StatusCallback
from smsmfa.texts.liquid import Liquid
from smsmfa.texts.segments import segments
from smsmfa.typing import AsyncSender, AsyncStore, Change, Clock, Entry, Message, Receipt, Sender, Store
from smsmfa.values import Finding

T = TypeVar("T")

assert_type(smsmfa.__version__, str)
assert_type(ALL_REGIONS, frozenset[str])


# What an operator decides.

config = FactorConfig(app_name="Acme", secret="a secret", regions={"US", "CA"})
FactorConfig(app_name="Acme", secret=b"a secret", regions=ALL_REGIONS)
FactorConfig(app_name="Acme", secret=["the new one", b"the old one"], regions=["US"], **profiles.PSD2)
FactorConfig(
    app_name="Acme",
    secret=("the new one",),
    regions=frozenset({"US"}),
    digits=8,
    lifetime=timedelta(minutes=5),
    resend_gap=timedelta(seconds=30),
    attempts=3,
    limits=Limits(
        user=Limit(10, timedelta(hours=1)),
        number=None,
        total=Limit(100, None),
        guesses=Limit(capacity=20, refill=timedelta(hours=10)),
        recovery=Limit(10, timedelta(days=1)),
        consecutive=100,
    ),
    recovery_codes=1,
    enabled=True,
    number_types={"mobile"},
    max_phones=2,
    max_users_per_number=0,
    messages={
        "login": "{{ code }} signs you in to {{ app_name }}",
        "verification": Liquid("{{code}} is your code for {{tenant.friendly_name}}"),
        "payment": {"en": "{{ code }} pays", "fr": {"sms": "{{ code }} paie", "voice": Liquid("{{code}}")}},
    },
    origin="login.example.com",
    languages=["fr", "en"],
    android_hash="FA+9qCX9VSu",
)
templates: dict[str, str] = {"login": "{{ code }}"}
FactorConfig(app_name="Acme", secret="a secret", regions={"US"}, messages=templates)
assert_type(config.app_name, str)
assert_type(config.regions, frozenset[str])
assert_type(config.number_types, frozenset[str])
assert_type(config.digits, int)
assert_type(config.lifetime, timedelta)
assert_type(config.limits, Limits)
assert_type(config.limits.user, Limit)
assert_type(config.limits.total, Limit | None)
assert_type(config.limits.user.refill, timedelta | None)
assert_type(config.enabled, bool)
assert_type(config.guess_risk(timedelta(days=365)), float)

for profile in (profiles.AUTH0, profiles.NIST_AAL2, profiles.PSD2, profiles.TESTING, profiles.TRIAL):
    assert_type(profile, Mapping[str, Any])

assert_type(negotiate("fr-CA, fr;q=0.9, *;q=0.1"), str | None)
assert_type(negotiate(None, ["fr", "en"]), str | None)
assert_type(segments("text").count, int)

FactorConfig(secret="a secret", regions={"US"})  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
FactorConfig(app_name="Acme", secret="a secret", regions={"US"}, lifetime=300)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Limit(10)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
Limit(10, 3600)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
Limits(user=None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# The same, in another application: enrol, log in, manage.


def on_event(event: Event) -> None:
    """Take an event."""
    assert_type(event.name, str)
    assert_type(event.outcome, str)
    assert_type(event.at, datetime)
    assert_type(event.user_id, str)
    assert_type(event.phone, str | None)
    assert_type(event.scope, str | None)
    assert_type(event.error, str | None)
    assert_type(event.segments, int | None)
    assert_type(event.encoding, str | None)
    assert_type(event.challenge_id, str | None)
    assert_type(event.purpose, str | None)
    assert_type(event.repeated, bool)


def clock() -> int:
    """Return nanoseconds since the epoch."""
    return 0


def user_ids(user_id: str, number: int, uuid: UUID, verifier: Verifier) -> None:
    """Name a user in each way."""
    for any_id in (user_id, number, uuid):
        assert_type(verifier.status(any_id), Status)


def enrol(store: Store, sender: Sender) -> Enrollment:
    """Enrol a number."""
    enroller = Enroller(config, store, sender, on_event=on_event, clock=clock)
    pending = enroller.start("alice", "(415) 555-2671", region="US")
    assert_type(pending, Challenge)
    assert_type(pending.id, str)
    assert_type(pending.user_id, str)
    assert_type(pending.phone, PhoneNumber)
    assert_type(pending.purpose, str)
    assert_type(pending.expires_at, datetime)
    assert_type(pending.resend_at, datetime)
    assert_type(pending.sent, bool)
    assert_type(pending.uncertain, bool)
    assert_type(enroller.resend("alice", pending.id), Challenge)
    enrolled = enroller.confirm("alice", pending.id, "123456")
    assert_type(enrolled.user_id, str)
    assert_type(enrolled.phone, EnrolledPhone)
    assert_type(enrolled.recovery_codes, tuple[str, ...])
    assert_type(enrolled.verification, Verification | None)
    assert_type(enrolled.repeated, bool)
    assert_type(enroller.confirm("alice", pending.id, "123456", retry_key="a key of one form"), Enrollment)
    assert_type(enroller.adopt("alice", pending.phone, replace="p", enrolled_at=pending.expires_at), Enrollment)
    assert_type(enroller.adopt("alice", "+14155552671"), Enrollment)
    return enrolled


def log_in(store: Store, sender: Sender) -> Verification:
    """Pass the factor."""
    verifier = Verifier(config, store, sender, on_event=None)
    challenge = verifier.challenge("alice")
    verifier.challenge("alice", phone_id="p", purpose="payment", details={"amount": "10 EUR"}, locale="pt-BR")
    assert_type(challenge, Challenge)
    assert_type(verifier.resend("alice", challenge.id, channel="voice"), Challenge)
    proof = verifier.verify("alice", challenge.id, "123456", purpose="login", details=None)
    assert_type(proof, Verification)
    assert_type(proof.user_id, str)
    assert_type(proof.method, str)
    assert_type(proof.at, datetime)
    assert_type(proof.amr, tuple[str, ...])
    assert_type(proof.purpose, str)
    assert_type(proof.recovery_codes, tuple[str, ...])
    assert_type(proof.token, str)
    assert_type(proof.repeated, bool)
    assert_type(verifier.verify("alice", challenge.id, "123456", retry_key="a key of one form"), Verification)
    assert_type(verifier.recover("alice", "ABCD", retry_key="a key of one form"), Verification)
    assert_type(verifier.check_proof("alice", proof.token), datetime)
    assert_type(verifier.check_proof("alice", None, max_age=timedelta(minutes=1)), datetime)
    return verifier.recover("alice", "ABCD-EFGH-JKMN-PQRS-TVWX-YZ01")


def manage(enroller: Enroller, verifier: Verifier, proof: Verification) -> None:
    """Change an enrolment, and look at it."""
    enroller.start("alice", "+14155552671", region=None, replace="p", proof=proof.token, locale="en")
    enroller.remove("alice", "p", proof=proof.token)
    enroller.prefer("alice", "p", proof=proof.token)
    enroller.reset("alice")
    verifier.unlock("alice")
    assert_type(enroller.new_recovery_codes("alice", proof=proof.token), tuple[str, ...])
    status = verifier.status("alice")
    assert_type(status.enabled, bool)
    assert_type(status.enrolled, bool)
    assert_type(status.phones, tuple[EnrolledPhone, ...])
    assert_type(status.challenges, tuple[Challenge, ...])
    assert_type(status.challenge("id"), Challenge | None)
    assert_type(status.challenges[0].attempts_left, int | None)
    assert_type(status.sends_left, int)
    assert_type(status.guesses_left, int)
    assert_type(status.locked, bool)
    assert_type(status.recovery_codes_left, int)
    for phone in status.phones:
        assert_type(phone.id, str)
        assert_type(phone.phone, PhoneNumber)
        assert_type(phone.enrolled_at, datetime)
        assert_type(phone.last_used_at, datetime | None)
        assert_type(phone.disabled, bool)


def proof_is_needed(enroller: Enroller) -> None:
    """Nobody forgets the proof."""
    enroller.remove("alice", "p")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    enroller.new_recovery_codes("alice")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def nothing_is_a_bool(verifier: Verifier) -> bool:
    """Nobody takes a Verification for an answer that may be no."""
    return verifier.verify("alice", "id", "123456")  # type: ignore[return-value] # pyright: ignore[reportReturnType]


async def asynchronously(store: AsyncStore, sender: AsyncSender) -> None:
    """Do all of it again, awaited."""
    enroller = AsyncEnroller(config, store, sender, on_event=on_event, clock=clock)
    verifier = AsyncVerifier(config, store, sender, on_event=on_event, clock=clock)
    pending = await enroller.start("alice", "+14155552671")
    assert_type(pending, Challenge)
    assert_type(await enroller.resend("alice", pending.id), Challenge)
    assert_type(await enroller.confirm("alice", pending.id, "123456"), Enrollment)
    challenge = await verifier.challenge("alice", purpose="payment", details={"amount": "10 EUR"})
    assert_type(challenge, Challenge)
    assert_type(await verifier.resend("alice", challenge.id), Challenge)
    proof = await verifier.verify("alice", challenge.id, "123456", purpose="payment", details={"amount": "10 EUR"})
    assert_type(proof, Verification)
    assert_type(await verifier.recover("alice", "ABCD-EFGH-JKMN-PQRS-TVWX-YZ01"), Verification)
    assert_type(await verifier.status("alice"), Status)
    assert_type(await enroller.new_recovery_codes("alice", proof=proof.token), tuple[str, ...])
    assert_type(await verifier.check_proof("alice", proof.token), datetime)
    assert_type(await enroller.adopt("alice", "+14155552671"), Enrollment)
    await enroller.prefer("alice", "p", proof=proof.token)
    await enroller.remove("alice", "p", proof=proof.token)
    await enroller.reset("alice")
    await verifier.unlock("alice")


def kinds_do_not_mix(store: Store, sender: Sender, async_store: AsyncStore, async_sender: AsyncSender) -> None:
    """A store or a sender of the wrong kind is noticed before anything runs."""
    Enroller(config, async_store, sender)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Verifier(config, store, async_sender)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    AsyncEnroller(config, store, async_sender)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    AsyncVerifier(config, async_store, sender)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    RateLimiter(async_store, Limit(10, None))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    AsyncRateLimiter(store, Limit(10, None))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


# What ships.

stores: list[Store] = [MemoryStore()]
async_stores: list[AsyncStore] = [AsyncMemoryStore(), AsyncMemoryStore(MemoryStore())]
senders: list[Sender] = [
    ConsoleSender(),
    TwilioSender(account_sid="AC", auth_token="token", from_number="+15005550006"),
    TwilioSender(account_sid="AC", auth_token="token", messaging_service_sid="MG"),
]
async_senders: list[AsyncSender] = [
    AsyncConsoleSender(),
    AsyncTwilioSender(account_sid="AC", auth_token="token", messaging_service_sid="MG"),
]


# What people implement.


class OwnStore:
    """A store of one's own."""

    def read(self, key: str) -> bytes | None:
        """Read a value."""
        return None

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run a change."""
        writes, outcome = change(dict.fromkeys(keys, b"value"))
        for key, entry in writes.items():
            assert_type(key, str)
            if entry is not None:
                assert_type(entry.value, bytes)
                assert_type(entry.keep_for, int | None)
        return outcome


class OwnAsyncStore:
    """A store of one's own, for asyncio."""

    async def read(self, key: str) -> bytes | None:
        """Read a value."""
        return None

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run a change."""
        _, outcome = change({})
        return outcome


class OwnSender:
    """A sender of one's own."""

    def send(self, message: Message) -> Receipt:
        """Send a message."""
        assert_type(message.to, PhoneNumber)
        assert_type(message.text, str)
        assert_type(message.code.reveal(), str)
        assert_type(message.kind, str)
        assert_type(message.challenge_id, str)
        assert_type(message.expires_at, datetime)
        assert_type(message.channel, str)
        assert_type(message.locale, str | None)
        if message.to.region == "001":
            raise DeliveryRejected("no such number")
        return Receipt(message_id="m1", sender="own")


class OwnAsyncSender:
    """A sender of one's own, for asyncio."""

    async def send(self, message: Message) -> Receipt:
        """Send a message."""
        return Receipt()


stores.append(OwnStore())
async_stores.append(OwnAsyncStore())
senders.append(OwnSender())
async_senders.append(OwnAsyncSender())
stores.append(OwnAsyncStore())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
async_senders.append(OwnSender())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def with_twilio(sender: TwilioSender) -> tuple[str, ...]:
    """Look at an account, and read what it reports."""
    report = StatusCallback("a token").read("https://example.com/twilio", b"", None, None)
    assert_type(report, DeliveryReport)
    assert_type(report.event, Event)
    assert_type(report.supersedes(None), bool)
    assert_type(report.event.message_id, str | None)
    sender.confirm(report.message_id)
    return tuple(assert_type(finding, Finding).advice for finding in sender.check())


async def with_twilio_asynchronously(sender: AsyncTwilioSender) -> None:
    """Do the same, awaited."""
    assert_type(await sender.check(), tuple[Finding, ...])
    await sender.confirm("SM")


assert_type(FactorConfig.from_env(), FactorConfig)
assert_type(TwilioSender.from_env({}, timeout=timedelta(seconds=5)), TwilioSender)
assert_type(AsyncTwilioSender.from_env(), AsyncTwilioSender)
own_clock: Clock = clock
Message(to=PhoneNumber.parse("+1"), text="", code="1", kind="notice", challenge_id="", expires_at=datetime.now(UTC))


def counted(values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], int]:
    """Count what is stored, and delete it."""
    return dict.fromkeys(values), len(values)


change: Change[int] = counted
assert_type(MemoryStore().update(["a", "b"], counted), int)
assert_type(MemoryStore().update(("a",), lambda values: ({"a": Entry(b"1", keep_for=60)}, "text")), str)
assert_type(MemoryStore().read("a"), bytes | None)


# The parts that are useful alone.


def limit(limiter: RateLimiter) -> timedelta | None:
    """Take from a limiter."""
    decision = limiter.take("192.0.2.1")
    assert_type(decision, Decision)
    assert_type(decision.allowed, bool)
    assert_type(decision.remaining, int)
    assert_type(decision.full_after, timedelta | None)
    assert_type(limiter.peek("192.0.2.1", 2), Decision)
    limiter.give_back("192.0.2.1", n=2)
    limiter.reset("192.0.2.1")
    return decision.retry_after


async def limit_asynchronously(limiter: AsyncRateLimiter) -> None:
    """Take from a limiter, awaited."""
    assert_type(await limiter.take("192.0.2.1", 2), Decision)
    assert_type(await limiter.peek("192.0.2.1"), Decision)
    await limiter.give_back("192.0.2.1")
    await limiter.reset("192.0.2.1")


limit(RateLimiter(MemoryStore(), Limit(5, timedelta(minutes=1)), scope="logins", clock=clock))
assert_type(CodeGenerator("a secret", digits=8).code("id", "alice", "login"), str)

number = PhoneNumber.parse("(415) 555-2671", region="US")
assert_type(number, PhoneNumber)
assert_type(number.e164, str)
assert_type(number.region, str)
assert_type(number.type, str)
assert_type(number.masked, str)
assert_type(number.national, str)


# What goes wrong.


def answer(call: Callable[[], object]) -> str:
    """Turn each error into an answer."""
    try:
        call()
    except PhoneNumberError as error:
        return assert_type(error.reason, str)
    except RateLimited as error:
        assert_type(error.retry_after, timedelta | None)
        assert_type(error.retry_after_seconds, int | None)
        return assert_type(error.scope, str)
    except (CodeExpired, CodeMalformed, CodeRejected) as error:
        return f"{assert_type(error.attempts_left, int | None)} left"
    except (AlreadyEnrolled, NotEnrolled, PhoneInUse, ProofRequired, FactorDisabled, Locked):
        return "not now"
    except (SenderMisconfigured, DeliveryRejected, DeliveryUncertain, DeliveryError):
        return "not sent"
    except (StoreContention, StoreError, ConfigurationError):
        return "broken"
    except SmsMfaError as error:
        assert_type(error.http_status, int)
        return assert_type(error.code, str)
    return "done"


def tree(error: CodeExpired | CodeMalformed | StoreContention | SenderMisconfigured | ConfigurationError) -> None:
    """Every error is what the tree says."""
    if isinstance(error, CodeRejected | StoreError | DeliveryRejected | ValueError):
        return
    assert_never(error)
