"""The audit trail: each operation ends in one event, and a listener can break nothing."""

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
    """A factor with low limits, alice enrolled, and no event yet."""
    limits = Limits(guesses=Limit(2, timedelta(hours=1)), recovery=Limit(1, timedelta(hours=1)), consecutive=2)
    factor = request.param(a_config(limits=limits), store=Breakable())
    factor.enrollment = factor.enrol()
    factor.outbox.messages.clear()
    factor.events.clear()
    return factor


@pytest.fixture
def event(factor):
    """Call something, and return its one event."""

    def event(call, *arguments, **named):
        factor.events.clear()
        with suppress(Exception):
            call(*arguments, **named)
        [event] = factor.events
        assert isinstance(event, Event)
        return event

    return event


def token(factor):
    """Return a proof for alice."""
    return factor.enrollment.verification.token


def told(event):
    """Return the name, outcome and error of an event."""
    return event.name, event.outcome, event.error, event.scope


def about(event):
    """Return the subject of an event."""
    return event.phone, event.challenge_id, event.purpose


def answer(factor, challenge_id, code=None):
    """Answer alice's login, wrong unless a code is given."""
    factor.verifier.verify("alice", challenge_id, code or wrong(factor.outbox.code))


def cost(event):
    """Return the cost of a message from its event."""
    return event.channel, event.segments, event.encoding


class TestCost:
    """The event of a message has its cost."""

    @pytest.mark.parametrize(
        "locale, size",
        [(None, (1, "GSM-7")), ("de", (1, "GSM-7")), ("ru", (1, "UCS-2"))],
    )
    def test_sent(self, factor, event, locale, size):
        """The event of an SMS has its number of segments and its encoding."""
        assert ("sms", *size) == cost(event(factor.verifier.challenge, "alice", locale=locale))

    def test_start_and_resend(self, factor, event):
        """The messages of an enrolment and of a resend have their cost too."""
        started = event(factor.enroller.start, "bob", OTHER_NUMBER, locale="ru")
        factor.clock.move(seconds=30)

        assert ("sms", 1, "UCS-2") == cost(started)
        assert ("sms", 1, "UCS-2") == cost(event(factor.enroller.resend, "bob", started.challenge_id))

    def test_two_segments(self):
        """The event of a long SMS has two segments."""
        text = "{{ code }} " + "a" * 154
        factor = Factor(a_config(messages={"enrollment": text}))
        factor.enroller.start("alice", NUMBER)
        [told] = factor.events

        assert ("sms", 2, "GSM-7") == cost(told)

    @pytest.mark.parametrize("channel", ["voice", "whatsapp"])
    def test_other_channels(self, factor, event, channel):
        """A message that is no SMS has a channel and no segments."""
        assert (channel, None, None) == cost(event(factor.verifier.challenge, "alice", channel=channel))

    def test_uncertain(self, factor, event):
        """The event of a message that may have been sent has its possible cost."""
        factor.outbox.outcomes = [DeliveryUncertain("the carrier hung up")]
        told = event(factor.verifier.challenge, "alice")

        assert ("sms", 1, "GSM-7") == cost(told)
        assert "failed" == told.outcome

    def test_not_sent(self, factor, event):
        """Events without a sent message have no cost: a refusal, a carrier's refusal, a live challenge, a check."""
        factor.outbox.outcomes = [DeliveryRejected("no such number")]
        rejected = event(factor.verifier.challenge, "alice")
        challenge = factor.verifier.challenge("alice")
        live = event(factor.verifier.challenge, "alice")
        limited = event(factor.verifier.resend, "alice", challenge.id)
        checked = event(factor.verifier.verify, "alice", challenge.id, factor.outbox.code)

        assert "delivery_rejected" == rejected.error
        assert [(None, None, None)] * 4 == list(map(cost, (rejected, live, limited, checked)))


class TestEnroller:
    """The events of an enroller."""

    def test_start(self, factor, event):
        """R27, R31: the event of a message to a new number has the masked number and the challenge's id."""
        sent = event(factor.enroller.start, "alice", OTHER_NUMBER, proof=token(factor))
        [challenge] = factor.verifier.status("alice").challenges

        assert (SENT, "ok", None, None) == told(sent)
        assert (OTHER_MASKED, challenge.id, "enrollment") == about(sent)
        assert ("alice", factor.clock.datetime) == (sent.user_id, sent.at)

    def test_start_again(self, factor, event):
        """R27: the event of a start within the gap does not say that a message was sent."""
        pending = factor.enroller.start("bob", OTHER_NUMBER)
        again = event(factor.enroller.start, "bob", OTHER_NUMBER)

        assert ("gd_start_enroll", "ok", None, None) == told(again)
        assert (OTHER_MASKED, pending.id, "enrollment") == about(again)

    def test_start_refused(self, factor, event):
        """R27: a wrong number, or a change without a proof, has a refused event with the masked number, if any."""
        no_number = event(factor.enroller.start, "alice", "no number")
        no_proof = event(factor.enroller.start, "alice", OTHER_NUMBER)

        assert (START_FAILED, "refused", "phone_number_error", None) == told(no_number)
        assert (None, None, "enrollment") == about(no_number)
        assert (START_FAILED, "refused", "proof_required", None) == told(no_proof)
        assert (OTHER_MASKED, None, "enrollment") == about(no_proof)

    def test_start_limited(self, factor, event):
        """R27: the event of a limit has its scope."""
        for user in range(9):
            factor.enroller.start(user, NUMBER)
        limited = event(factor.enroller.start, "bob", NUMBER)

        assert (LIMITED, "refused", "rate_limited", "number") == told(limited)
        assert (MASKED, None, "enrollment") == about(limited)

    def test_resend(self, factor, event):
        """R27: a resend has the event of a sent message, of a limit within the gap, or of a refusal."""
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
        """R19, R27: a right code has the event of a complete enrolment, and a wrong or malformed one of a failure."""
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
        """R27: an empty guess budget has the event of a limit."""
        pending = factor.enroller.start("bob", OTHER_NUMBER)
        for _ in range(2):
            event(factor.enroller.confirm, "bob", pending.id, wrong(factor.outbox.code))
        limited = event(factor.enroller.confirm, "bob", pending.id, factor.outbox.code)

        assert (LIMITED, "refused", "rate_limited", "guesses") == told(limited)

    def test_remove(self, factor, event):
        """R19, R27: the event of a removal has the removed number, and is refused without a proof."""
        refused = event(factor.enroller.remove, "alice", factor.enrollment.phone.id, proof=None)
        done = event(factor.enroller.remove, "alice", factor.enrollment.phone.id, proof=token(factor))

        assert ("gd_unenroll", "refused", "proof_required", None) == told(refused)
        assert ("gd_unenroll", "ok", None, None) == told(done)
        assert (MASKED, None, None) == about(done)

    def test_new_recovery_codes(self, factor, event):
        """R19, R27: new recovery codes have the event of a changed account, which is refused without a proof."""
        refused = event(factor.enroller.new_recovery_codes, "alice", proof=None)
        done = event(factor.enroller.new_recovery_codes, "alice", proof=token(factor))

        assert ("gd_update_device_account", "refused", "proof_required", None) == told(refused)
        assert ("gd_update_device_account", "ok", None, None) == told(done)

    def test_adopt(self, factor, event):
        """R19, R27: an adoption has the event of an enrolment, or of a refused one."""
        done = event(factor.enroller.adopt, "bob", OTHER_NUMBER)
        refused = event(factor.enroller.adopt, "bob", NUMBER, replace="nobody's")

        assert ("gd_enrollment_complete", "ok", None, None) == told(done)
        assert (OTHER_MASKED, None, None) == about(done)
        assert (START_FAILED, "refused", "not_enrolled", None) == told(refused)
        assert (MASKED, None, None) == about(refused)

    def test_prefer(self, factor, event):
        """R19, R27: a new order of numbers has the event of a changed account, with the first number."""
        refused = event(factor.enroller.prefer, "alice", factor.enrollment.phone.id, proof=None)
        done = event(factor.enroller.prefer, "alice", factor.enrollment.phone.id, proof=token(factor))

        assert ("gd_update_device_account", "refused", "proof_required", None) == told(refused)
        assert ("gd_update_device_account", "ok", None, None) == told(done)
        assert (MASKED, None, None) == about(done)

    def test_reset(self, factor, event):
        """R19, R27: a reset has the event of a deleted user."""
        assert ("gd_user_delete", "ok", None, None) == told(event(factor.enroller.reset, "alice"))


class TestVerifier:
    """The events of a verifier."""

    def test_challenge(self, factor, event):
        """R27: the event of a challenge has its id, purpose and masked number, and tells whether it was sent."""
        sent = event(factor.verifier.challenge, "alice", purpose="payment")
        again = event(factor.verifier.challenge, "alice", purpose="payment")
        [challenge] = factor.verifier.status("alice").challenges

        assert (SENT, "ok", None, None) == told(sent)
        assert ("gd_start_auth", "ok", None, None) == told(again)
        assert [(MASKED, challenge.id, "payment")] * 2 == [about(sent), about(again)]
        assert ("alice", factor.clock.datetime) == (sent.user_id, sent.at)

    def test_challenge_refused(self, factor, event):
        """R27: a challenge for an unknown user has a refused event."""
        refused = event(factor.verifier.challenge, "nobody")

        assert (AUTH_FAILED, "refused", "not_enrolled", None) == told(refused)
        assert (None, None, "login") == about(refused)

    def test_challenge_limited(self, factor, event):
        """R27: the event of a limit has its scope and the masked number."""
        for number in range(9):
            factor.verifier.challenge("alice", purpose=str(number))
        limited = event(factor.verifier.challenge, "alice")

        assert (LIMITED, "refused", "rate_limited", "user") == told(limited)
        assert (MASKED, None, "login") == about(limited)

    def test_resend(self, factor, event):
        """R27: a resend has the event of a sent message, of a limit within the gap, or of a refusal."""
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
        """R27: the event of a renewal has the new challenge's id."""
        challenge = factor.verifier.challenge("alice")
        factor.clock.move(minutes=5)
        sent = event(factor.verifier.resend, "alice", challenge.id)
        [renewed] = factor.verifier.status("alice").challenges

        assert (MASKED, renewed.id, "login") == about(sent)

    def test_verify(self, factor, event):
        """R27: a right code has the event of a success, and a wrong, malformed or late one of a failure."""
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
        """R27: an empty guess budget has the event of a limit, and a disabled number the error of a lock."""
        challenge = factor.verifier.challenge("alice")
        for _ in range(2):
            event(answer, factor, challenge.id)
        limited = event(answer, factor, challenge.id)
        factor.verifier.unlock("alice")
        locked = event(answer, factor, challenge.id)

        assert (LIMITED, "refused", "rate_limited", "guesses") == told(limited)
        assert (AUTH_FAILED, "refused", "locked", None) == told(locked)

    def test_recover(self, factor, event):
        """R27: a recovery has its own event names for success, failure and limit."""
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
        """R27: an unlock has the event of a changed account."""
        assert ("gd_update_device_account", "ok", None, None) == told(event(factor.verifier.unlock, "alice"))

    def test_repeated(self, factor, event):
        """T34: a repeated request has the same event, marked as repeated."""
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
        """A status and a check of a proof have no event."""
        factor.verifier.status("alice")
        factor.verifier.check_proof("alice", token(factor))

        assert [] == factor.events


class TestFailures:
    """Failures of a carrier, a store or our own code have failed events with the error's code."""

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
        """R27: a message that was not sent has one failed event with the masked number."""
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
        """R27: a sender that returns no receipt has the event of a misconfigured sender."""
        factor.outbox.send = lambda message: None

        failed = event(factor.verifier.challenge, "alice")

        assert (DELIVERY_FAILED, "failed", "sender_misconfigured", None) == told(failed)

    @pytest.mark.parametrize(
        "error, code",
        [(StoreError("no"), "store_error"), (StoreContention("no"), "store_contention"), (OSError(), "OSError")],
    )
    def test_store(self, factor, event, error, code):
        """R27: the error of a store has a failed event with its code, and a bug one with its class."""
        challenge = factor.verifier.challenge("alice")
        factor.store.error = error

        assert (AUTH_FAILED, "failed", code, None) == told(event(answer, factor, challenge.id, factor.outbox.code))
        assert (START_FAILED, "failed", code, None) == told(event(factor.enroller.start, "bob", NUMBER))

    def test_interrupt(self, factor):
        """R27: an interrupted operation has a failed event."""
        factor.events.clear()
        factor.outbox.outcomes = [KeyboardInterrupt()]
        with pytest.raises(KeyboardInterrupt):
            factor.verifier.challenge("alice")
        [event] = factor.events

        assert (AUTH_FAILED, "failed", "KeyboardInterrupt", None) == told(event)

    def test_disabled_factor(self, factor):
        """R27: a call that is refused because the factor is off has a refused event."""
        off = type(factor)(a_config(enabled=False), store=factor.store)
        with pytest.raises(FactorDisabled):
            off.enroller.start("alice", NUMBER)
        for check in off.enroller.confirm, off.verifier.verify:
            with pytest.raises(FactorDisabled):
                check("alice", "x", "123456")

        assert [("refused", "factor_disabled")] * 3 == [(event.outcome, event.error) for event in off.events]


class TestContent:
    """The content of an event."""

    def test_nothing_secret(self, factor):
        """R27, R31, T12: no event shows a code, a token, a recovery code or a whole number."""
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
        """R27: an invented challenge id is in the event only if it is as short as a real one."""
        assert event(factor.verifier.verify, "alice", typed, "123456").challenge_id is None

    def test_lines(self, factor, event):
        """R27: line breaks in a user id are escaped in the text of an event."""
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
        """An error of a listener does not change what operations return and raise, and is logged by its class."""

        def fail(event):
            raise RuntimeError(f"cannot store {NUMBER}")

        assert self.live(*heard_by(fail))
        assert [("smsmfa", logging.ERROR)] * 5 == [(record.name, record.levelno) for record in caplog.records]
        assert (True, False) == ("RuntimeError" in caplog.text, NUMBER in caplog.text)

    def test_interrupted(self, heard_by):
        """An interrupt of a listener passes through."""

        def interrupt(event):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.live(*heard_by(interrupt))

    def test_none(self, heard_by):
        """Without a listener everything works."""
        assert self.live(*heard_by(None))

    def test_order(self, heard_by):
        """A listener gets each event when its operation is over, in order."""
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
