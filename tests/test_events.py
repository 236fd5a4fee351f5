"""The audit trail: each operation leaves one event, whatever comes of it, and the listener can break nothing."""

import json
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from support import NUMBER, OTHER_NUMBER, AsyncFactor, Awaited, Coroutines, Factor, Outbox, a_config, wrong

from smsmfa import (
    AsyncEnroller,
    AsyncVerifier,
    CodeRejected,
    DeliveryRejected,
    DeliveryUncertain,
    Enroller,
    Event,
    FactorDisabled,
    Limit,
    Limits,
    MemoryStore,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    StoreContention,
    StoreError,
    Verifier,
)

MASKED, OTHER_MASKED = "••••71", "••••72"
NO_RECOVERY_CODE = "0" * 24
#: Names of the described system that several operations share.
SENT, LIMITED = "gd_send_sms", "gd_otp_rate_limit_exceed"
START_FAILED, AUTH_FAILED, DELIVERY_FAILED = "gd_start_enroll_failed", "gd_auth_failed", "gd_send_sms_failure"


class Breakable(MemoryStore):
    """A store that raises ``error`` once there is one."""

    error = None

    def update(self, keys, change):
        if self.error is not None:
            raise self.error
        return super().update(keys, change)


@pytest.fixture(params=[Factor, AsyncFactor])
def factor(request):
    """A factor with alice enrolled, in which few wrong codes exhaust everything, and no event yet."""
    limits = Limits(guesses=Limit(2, timedelta(hours=1)), recovery=Limit(1, timedelta(hours=1)), consecutive=2)
    factor = request.param(a_config(limits=limits), store=Breakable())
    factor.enrollment = factor.enrol()
    factor.outbox.messages.clear()
    factor.events.clear()
    return factor


@pytest.fixture
def event(factor):
    """Do something, and return the one event that it leaves."""

    def event(call, *arguments, **named):
        factor.events.clear()
        with suppress(Exception):
            call(*arguments, **named)
        [event] = factor.events
        assert isinstance(event, Event)
        return event

    return event


def token(factor):
    """Return a proof of alice's."""
    return factor.enrollment.verification.token


def told(event):
    """Return what an event says happened."""
    return event.name, event.outcome, event.error, event.scope


def about(event):
    """Return what an event says it happened to."""
    return event.phone, event.challenge_id, event.purpose


def answer(factor, challenge_id, code=None):
    """Answer alice's login, wrong unless a code is given."""
    factor.verifier.verify("alice", challenge_id, code or wrong(factor.outbox.code))


def cost(event):
    """Return what an event says a message cost."""
    return event.channel, event.segments, event.encoding


class TestCost:
    """What a message costs is told with it."""

    @pytest.mark.parametrize(
        "locale, size",
        [(None, (1, "GSM-7")), ("de", (1, "GSM-7")), ("ru", (1, "UCS-2"))],
    )
    def test_sent(self, factor, event, locale, size):
        """An SMS is told with its number of segments and its encoding."""
        assert ("sms", *size) == cost(event(factor.verifier.challenge, "alice", locale=locale))

    def test_start_and_resend(self, factor, event):
        """The message of an enrolment and a repeated one are told alike."""
        started = event(factor.enroller.start, "bob", OTHER_NUMBER, locale="ru")
        factor.clock.move(seconds=30)

        assert ("sms", 1, "UCS-2") == cost(started)
        assert ("sms", 1, "UCS-2") == cost(event(factor.enroller.resend, "bob", started.challenge_id))

    def test_two_segments(self):
        """A second segment is told."""
        text = "{{ code }} " + "a" * 154
        factor = Factor(a_config(messages={"enrollment": text}))
        factor.enroller.start("alice", NUMBER)
        [told] = factor.events

        assert ("sms", 2, "GSM-7") == cost(told)

    @pytest.mark.parametrize("channel", ["voice", "whatsapp"])
    def test_other_channels(self, factor, event, channel):
        """What is no SMS has no segments, but a channel."""
        assert (channel, None, None) == cost(event(factor.verifier.challenge, "alice", channel=channel))

    def test_uncertain(self, factor, event):
        """A message that may have gone out is told with what it may cost."""
        factor.outbox.outcomes = [DeliveryUncertain("the carrier hung up")]
        told = event(factor.verifier.challenge, "alice")

        assert ("sms", 1, "GSM-7") == cost(told)
        assert "failed" == told.outcome

    def test_not_sent(self, factor, event):
        """What sends nothing costs nothing: a refusal, a carrier's no, a live challenge, a check."""
        factor.outbox.outcomes = [DeliveryRejected("no such number")]
        rejected = event(factor.verifier.challenge, "alice")
        challenge = factor.verifier.challenge("alice")
        live = event(factor.verifier.challenge, "alice")
        limited = event(factor.verifier.resend, "alice", challenge.id)
        checked = event(factor.verifier.verify, "alice", challenge.id, factor.outbox.code)

        assert "delivery_rejected" == rejected.error
        assert [(None, None, None)] * 4 == list(map(cost, (rejected, live, limited, checked)))


class TestEnroller:
    """What an enroller does is told under the described system's names."""

    def test_start(self, factor, event):
        """R27, R31: a message for a new number is told as sent, to the masked number, with the challenge's id."""
        sent = event(factor.enroller.start, "alice", OTHER_NUMBER, proof=token(factor))
        [challenge] = factor.verifier.status("alice").challenges

        assert (SENT, "ok", None, None) == told(sent)
        assert (OTHER_MASKED, challenge.id, "enrollment") == about(sent)
        assert ("alice", factor.clock.datetime) == (sent.user_id, sent.at)

    def test_start_again(self, factor, event):
        """R27: a start within the gap is told as begun, not as sent."""
        pending = factor.enroller.start("bob", OTHER_NUMBER)
        again = event(factor.enroller.start, "bob", OTHER_NUMBER)

        assert ("gd_start_enroll", "ok", None, None) == told(again)
        assert (OTHER_MASKED, pending.id, "enrollment") == about(again)

    def test_start_refused(self, factor, event):
        """R27: what is no number, or a change without a proof, is told as refused, with the masked number if any."""
        no_number = event(factor.enroller.start, "alice", "no number")
        no_proof = event(factor.enroller.start, "alice", OTHER_NUMBER)

        assert (START_FAILED, "refused", "phone_number_error", None) == told(no_number)
        assert (None, None, "enrollment") == about(no_number)
        assert (START_FAILED, "refused", "proof_required", None) == told(no_proof)
        assert (OTHER_MASKED, None, "enrollment") == about(no_proof)

    def test_start_limited(self, factor, event):
        """R27: a limit is told with its scope."""
        for user in range(9):
            factor.enroller.start(user, NUMBER)
        limited = event(factor.enroller.start, "bob", NUMBER)

        assert (LIMITED, "refused", "rate_limited", "number") == told(limited)
        assert (MASKED, None, "enrollment") == about(limited)

    def test_resend(self, factor, event):
        """R27: a resend is told as sent; one within the gap as limited, and one of nothing as refused."""
        pending = factor.enroller.start("bob", OTHER_NUMBER)
        limited = event(factor.enroller.resend, "bob", pending.id)
        unknown = event(factor.enroller.resend, "bob", "x")
        factor.clock.move(seconds=30)
        sent = event(factor.enroller.resend, "bob", pending.id)

        assert (LIMITED, "refused", "rate_limited", "resend") == told(limited)
        assert (START_FAILED, "refused", "code_rejected", None) == told(unknown)
        assert (SENT, "ok", None, None) == told(sent)
        assert [(OTHER_MASKED, pending.id, "enrollment")] * 2 == [about(limited), about(sent)]
        assert (None, None, "enrollment") == about(unknown)

    def test_confirm(self, factor, event):
        """R19, R27: a confirmation is told as complete, and a wrong or a malformed code as failed."""
        pending = factor.enroller.start("bob", OTHER_NUMBER)
        code = factor.outbox.code
        malformed = event(factor.enroller.confirm, "bob", pending.id, "x")
        failed = event(factor.enroller.confirm, "bob", pending.id, wrong(code))
        done = event(factor.enroller.confirm, "bob", pending.id, code)

        assert (AUTH_FAILED, "refused", "code_malformed", None) == told(malformed)
        assert (None, pending.id, "enrollment") == about(malformed)
        assert (AUTH_FAILED, "refused", "code_rejected", None) == told(failed)
        assert ("gd_enrollment_complete", "ok", None, None) == told(done)
        assert [(OTHER_MASKED, pending.id, "enrollment")] * 2 == [about(failed), about(done)]

    def test_confirm_limited(self, factor, event):
        """R27: an empty guess budget is told as limited."""
        pending = factor.enroller.start("bob", OTHER_NUMBER)
        for _ in range(2):
            event(factor.enroller.confirm, "bob", pending.id, wrong(factor.outbox.code))
        limited = event(factor.enroller.confirm, "bob", pending.id, factor.outbox.code)

        assert (LIMITED, "refused", "rate_limited", "guesses") == told(limited)

    def test_remove(self, factor, event):
        """R19, R27: a removal is told with the number that is gone, and as refused without a proof."""
        refused = event(factor.enroller.remove, "alice", factor.enrollment.phone.id, proof=None)
        done = event(factor.enroller.remove, "alice", factor.enrollment.phone.id, proof=token(factor))

        assert ("gd_unenroll", "refused", "proof_required", None) == told(refused)
        assert ("gd_unenroll", "ok", None, None) == told(done)
        assert (MASKED, None, None) == about(done)

    def test_new_recovery_codes(self, factor, event):
        """R19, R27: new recovery codes are told as a change of the account, and as refused without a proof."""
        refused = event(factor.enroller.new_recovery_codes, "alice", proof=None)
        done = event(factor.enroller.new_recovery_codes, "alice", proof=token(factor))

        assert ("gd_update_device_account", "refused", "proof_required", None) == told(refused)
        assert ("gd_update_device_account", "ok", None, None) == told(done)

    def test_adopt(self, factor, event):
        """R19, R27: an adoption is told as an enrolment, and one that is refused as such."""
        done = event(factor.enroller.adopt, "bob", OTHER_NUMBER)
        refused = event(factor.enroller.adopt, "bob", NUMBER, replace="nobody's")

        assert ("gd_enrollment_complete", "ok", None, None) == told(done)
        assert (OTHER_MASKED, None, None) == about(done)
        assert (START_FAILED, "refused", "not_enrolled", None) == told(refused)
        assert (MASKED, None, None) == about(refused)

    def test_prefer(self, factor, event):
        """R19, R27: another order of the numbers is told as a change of the account, with the number that is first."""
        refused = event(factor.enroller.prefer, "alice", factor.enrollment.phone.id, proof=None)
        done = event(factor.enroller.prefer, "alice", factor.enrollment.phone.id, proof=token(factor))

        assert ("gd_update_device_account", "refused", "proof_required", None) == told(refused)
        assert ("gd_update_device_account", "ok", None, None) == told(done)
        assert (MASKED, None, None) == about(done)

    def test_reset(self, factor, event):
        """R19, R27: a reset is told as the deletion of the user."""
        assert ("gd_user_delete", "ok", None, None) == told(event(factor.enroller.reset, "alice"))


class TestVerifier:
    """What a verifier does is told under the described system's names."""

    def test_challenge(self, factor, event):
        """R27: a challenge is told as sent, with its id, its purpose and the masked number, and once more as begun."""
        sent = event(factor.verifier.challenge, "alice", purpose="payment")
        again = event(factor.verifier.challenge, "alice", purpose="payment")
        [challenge] = factor.verifier.status("alice").challenges

        assert (SENT, "ok", None, None) == told(sent)
        assert ("gd_start_auth", "ok", None, None) == told(again)
        assert [(MASKED, challenge.id, "payment")] * 2 == [about(sent), about(again)]
        assert ("alice", factor.clock.datetime) == (sent.user_id, sent.at)

    def test_challenge_refused(self, factor, event):
        """R27: a challenge of a stranger is told as refused."""
        refused = event(factor.verifier.challenge, "nobody")

        assert (AUTH_FAILED, "refused", "not_enrolled", None) == told(refused)
        assert (None, None, "login") == about(refused)

    def test_challenge_limited(self, factor, event):
        """R27: a limit is told with its scope and the masked number."""
        for number in range(9):
            factor.verifier.challenge("alice", purpose=str(number))
        limited = event(factor.verifier.challenge, "alice")

        assert (LIMITED, "refused", "rate_limited", "user") == told(limited)
        assert (MASKED, None, "login") == about(limited)

    def test_resend(self, factor, event):
        """R27: a resend is told as sent, one within the gap as limited, and one of nothing as refused."""
        challenge = factor.verifier.challenge("alice", purpose="payment")
        limited = event(factor.verifier.resend, "alice", challenge.id)
        unknown = event(factor.verifier.resend, "alice", "0" * 32)
        factor.clock.move(seconds=30)
        sent = event(factor.verifier.resend, "alice", challenge.id)

        assert (LIMITED, "refused", "rate_limited", "resend") == told(limited)
        assert (AUTH_FAILED, "refused", "code_rejected", None) == told(unknown)
        assert (None, "0" * 32, None) == about(unknown)
        assert (SENT, "ok", None, None) == told(sent)
        assert (MASKED, challenge.id, "payment") == about(sent)

    def test_renewal(self, factor, event):
        """R27: a renewal is told with the new challenge's id."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=5)
        sent = event(factor.verifier.resend, "alice", challenge.id)
        [renewed] = factor.verifier.status("alice").challenges

        assert (MASKED, renewed.id, "login") == about(sent)

    def test_verify(self, factor, event):
        """R27: a right code is told as a success, and a wrong, malformed or late one as a failure by its error."""
        challenge = factor.verifier.challenge("alice")
        code = factor.outbox.code
        malformed = event(answer, factor, challenge.id, "x")
        failed = event(answer, factor, challenge.id)
        factor.clock.move(minutes=5)
        late = event(answer, factor, challenge.id, code)
        factor.clock.move(minutes=-5)
        done = event(answer, factor, challenge.id, code)
        used = event(answer, factor, challenge.id, code)

        assert (AUTH_FAILED, "refused", "code_malformed", None) == told(malformed)
        assert (AUTH_FAILED, "refused", "code_rejected", None) == told(failed)
        assert (AUTH_FAILED, "refused", "code_expired", None) == told(late)
        assert ("gd_auth_succeed", "ok", None, None) == told(done)
        assert (AUTH_FAILED, "refused", "code_used", None) == told(used)
        assert [(MASKED, challenge.id, "login")] * 3 == [about(failed), about(late), about(done)]

    def test_verify_limited_and_locked(self, factor, event):
        """R27: an empty guess budget is told as limited, and a disabled number as locked."""
        challenge = factor.verifier.challenge("alice")
        for _ in range(2):
            event(answer, factor, challenge.id)
        limited = event(answer, factor, challenge.id)
        factor.verifier.unlock("alice")
        locked = event(answer, factor, challenge.id)

        assert (LIMITED, "refused", "rate_limited", "guesses") == told(limited)
        assert (AUTH_FAILED, "refused", "locked", None) == told(locked)

    def test_recover(self, factor, event):
        """R27: a recovery is told under names of its own, in success, failure and limit."""
        [code] = factor.enrollment.recovery_codes
        done = event(factor.verifier.recover, "alice", code)
        malformed = event(factor.verifier.recover, "alice", "x")
        used = event(factor.verifier.recover, "alice", code)
        failed = event(factor.verifier.recover, "alice", NO_RECOVERY_CODE)
        limited = event(factor.verifier.recover, "alice", NO_RECOVERY_CODE)

        assert ("gd_recovery_succeed", "ok", None, None) == told(done)
        assert ("gd_recovery_failed", "refused", "code_malformed", None) == told(malformed)
        assert ("gd_recovery_failed", "refused", "code_used", None) == told(used)
        assert ("gd_recovery_failed", "refused", "code_rejected", None) == told(failed)
        assert ("gd_recovery_rate_limit_exceed", "refused", "rate_limited", "recovery") == told(limited)
        assert (None, None, "login") == about(done)

    def test_unlock(self, factor, event):
        """R27: an unlock is told as a change of the account."""
        assert ("gd_update_device_account", "ok", None, None) == told(event(factor.verifier.unlock, "alice"))

    def test_repeated(self, factor, event):
        """T34: a request that is answered again is told as what it was, and as a repetition."""
        again = {"retry_key": "a form of one session"}
        challenge = factor.verifier.challenge("alice")
        code, [recovery_code] = factor.outbox.code, factor.enrollment.recovery_codes
        calls = [
            (factor.verifier.verify, "alice", challenge.id, code),
            (factor.verifier.recover, "alice", recovery_code),
        ]
        for call in calls:
            first, second = event(*call, **again), event(*call, **again)
            assert (told(first), about(first), False) == (told(second), about(second), first.repeated)
            assert second.repeated

    def test_reads(self, factor):
        """A status and a look at a proof change nothing, and are not told."""
        factor.verifier.status("alice")
        factor.verifier.check_proof("alice", token(factor))

        assert [] == factor.events


class TestFailures:
    """What a carrier, a store or a bug does is told as failed, under the error's code."""

    @pytest.mark.parametrize(
        "error, code",
        [
            (DeliveryRejected("no"), "delivery_rejected"),
            (SenderMisconfigured("no"), "sender_misconfigured"),
            (RecipientRejected("no"), "recipient_rejected"),
            (RecipientOptedOut("no"), "recipient_opted_out"),
            (RateLimited("carrier"), "rate_limited"),
            (DeliveryUncertain("no"), "delivery_uncertain"),
            (RuntimeError("no"), "delivery_uncertain"),
        ],
    )
    @pytest.mark.parametrize("name", ["start", "challenge"])
    def test_sender(self, factor, event, error, code, name):
        """R27: a message that did not go out for certain is told as failed, once, with the masked number."""
        factor.outbox.outcomes = [error]
        calls = {
            "start": (factor.enroller.start, "bob", NUMBER),
            "challenge": (factor.verifier.challenge, "alice"),
        }
        failed = event(*calls[name])

        scope = "carrier" if code == "rate_limited" else None
        assert (DELIVERY_FAILED, "failed", code, scope) == told(failed)
        assert (MASKED, 32) == (failed.phone, len(failed.challenge_id))

    def test_no_receipt(self, factor, event):
        """R27: a sender that returns no receipt is told as misconfigured."""
        factor.outbox.send = lambda message: None

        failed = event(factor.verifier.challenge, "alice")

        assert (DELIVERY_FAILED, "failed", "sender_misconfigured", None) == told(failed)

    @pytest.mark.parametrize(
        "error, code",
        [(StoreError("no"), "store_error"), (StoreContention("no"), "store_contention"), (OSError(), "OSError")],
    )
    def test_store(self, factor, event, error, code):
        """R27: what a store raises is told as failed: by its code, and a bug by its class."""
        challenge = factor.verifier.challenge("alice")
        factor.store.error = error

        assert (AUTH_FAILED, "failed", code, None) == told(event(answer, factor, challenge.id, factor.outbox.code))
        assert (START_FAILED, "failed", code, None) == told(event(factor.enroller.start, "bob", NUMBER))

    def test_interrupt(self, factor):
        """R27: an operation that is interrupted is told as failed."""
        factor.events.clear()
        factor.outbox.outcomes = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            factor.verifier.challenge("alice")
        [event] = factor.events

        assert (AUTH_FAILED, "failed", "KeyboardInterrupt", None) == told(event)

    def test_disabled_factor(self, factor):
        """R27: what is refused because the factor is turned off is told as refused."""
        off = type(factor)(a_config(enabled=False), store=factor.store)
        with pytest.raises(FactorDisabled):
            off.enroller.start("alice", NUMBER)
        for check in off.enroller.confirm, off.verifier.verify:
            with pytest.raises(FactorDisabled):
                check("alice", "x", "123456")

        assert [("refused", "factor_disabled")] * 3 == [(event.outcome, event.error) for event in off.events]


class TestContent:
    """What an event holds, and what it never does."""

    def test_nothing_secret(self, factor):
        """R27, R31, T12: no event of a whole life shows a code, a token, a recovery code or a whole number."""
        enrollment = factor.enrollment
        proof = factor.verifier.recover("alice", enrollment.recovery_codes[0])
        factor.enrol(number=OTHER_NUMBER, proof=proof.token)
        challenge = factor.verifier.challenge("alice", details={"_account": "DE1234"})
        for code in wrong(factor.outbox.code), factor.outbox.code:
            with suppress(CodeRejected):
                factor.verifier.verify("alice", challenge.id, code, details={"_account": "DE1234"})
        shown = repr(factor.events)

        secrets = [message.code.reveal() for message in factor.outbox.messages]
        secrets += [
            proof.token,
            *enrollment.recovery_codes,
            *proof.recovery_codes,
            NUMBER[1:],
            OTHER_NUMBER[1:],
            "DE1234",
        ]
        assert 6 == len(factor.events)
        assert [] == [secret for secret in secrets if secret in shown]

    @pytest.mark.parametrize("typed", ["x" * 1_000_000, "x\r\ny", "", None, 7])
    def test_typed_id(self, factor, event, typed):
        """R27: what somebody made up as the id of a challenge is not in the event, unless it is as short as one."""
        assert event(factor.verifier.verify, "alice", typed, "123456").challenge_id is None

    def test_lines(self, factor, event):
        """R27: line breaks in a user id come out escaped in the text of an event."""
        logged = repr(event(factor.verifier.challenge, "x\r\nlogin ok"))

        assert ("\\r\\n" in logged, 1) == (True, len(logged.splitlines()))

    def test_frozen(self, factor, event):
        """An event cannot be altered."""
        with pytest.raises(AttributeError):
            event(factor.verifier.unlock, "alice").outcome = "ok"


class TestListener:
    """A listener can break nothing."""

    @pytest.fixture(params=["threads", "asyncio"])
    def heard_by(self, request):
        """Make an enroller, a verifier and an outbox with a listener."""

        def heard_by(listener):
            config, store, outbox = a_config(), MemoryStore(), Outbox()
            if request.param == "threads":
                return *(shell(config, store, outbox, on_event=listener) for shell in (Enroller, Verifier)), outbox
            store, sender = Coroutines(store), Coroutines(outbox)
            twins = (shell(config, store, sender, on_event=listener) for shell in (AsyncEnroller, AsyncVerifier))
            return *map(Awaited, twins), outbox

        return heard_by

    def live(self, enroller, verifier, outbox):
        """Enrol alice, let her log in wrong and right, and return the last verification."""
        pending = enroller.start("alice", NUMBER)
        enroller.confirm("alice", pending.id, outbox.code)
        challenge = verifier.challenge("alice")
        with pytest.raises(CodeRejected):
            verifier.verify("alice", challenge.id, wrong(outbox.code))
        return verifier.verify("alice", challenge.id, outbox.code)

    def test_failing(self, heard_by, caplog):
        """A listener that raises changes nothing about what operations return and raise, and is logged by its class."""

        def fail(event):
            raise RuntimeError(f"cannot store {NUMBER}")

        assert self.live(*heard_by(fail))
        assert [("smsmfa", logging.ERROR)] * 5 == [(record.name, record.levelno) for record in caplog.records]
        assert (True, False) == ("RuntimeError" in caplog.text, NUMBER in caplog.text)

    def test_interrupted(self, heard_by):
        """What interrupts a listener is not held up."""

        def interrupt(event):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.live(*heard_by(interrupt))

    def test_none(self, heard_by):
        """Without a listener everything works."""
        assert self.live(*heard_by(None))

    def test_order(self, heard_by):
        """A listener hears of an operation when that is over, in the order of operations."""
        events = []
        self.live(*heard_by(events.append))

        names = [SENT, "gd_enrollment_complete", SENT, AUTH_FAILED, "gd_auth_succeed"]
        assert names == [event.name for event in events]


def test_to_dict():
    """An event becomes plain data for JSON, with its time in ISO 8601."""
    event = Event(name="gd_send_sms", outcome="ok", at=datetime(2030, 1, 1, tzinfo=UTC), user_id="alice")

    assert {
        "name": "gd_send_sms",
        "at": "2030-01-01T00:00:00+00:00",
        "repeated": False,
    }.items() <= event.to_dict().items()
    assert event.to_dict() == json.loads(json.dumps(event.to_dict()))
