"""How an operation becomes an event, and what is logged."""

import pytest
from support import NUMBER, START, a_config

from smsmfa import DeliveryRejected, DeliveryUncertain, NotEnrolled, RateLimited
from smsmfa.core.audit import Audit, event_of, report_uncertain
from smsmfa.core.operation import Operation
from smsmfa.core.records import Phone
from smsmfa.typing import Message
from smsmfa.values import instant

NOW = START // 1000
PHONE = Phone("phone", int(NUMBER[1:]), "US", "mobile")


def an_operation(channel="sms", **fields):
    """Return an operation that gave a text of two segments to a sender."""
    one = Operation("challenge", a_config(), "alice", NOW, "verification", purpose="pay")
    one.message = Message(
        to=PHONE.phone, text="a" * 200, code="123456", kind="verification", challenge_id="id", expires_at=instant(NOW),
        channel=channel,
    )  # fmt: skip
    for name, value in fields.items():
        setattr(one, name, value)
    return one


class TestAudit:
    """The block around an operation."""

    def test_done(self):
        """The listener gets one event when the block ends, with the cost of the message."""
        events = []
        with Audit(an_operation(), events.append) as operation:
            assert ([], "alice") == (events, operation.user_id)

        [event] = events
        assert ("ok", "alice", "pay") == (event.outcome, event.user_id, event.purpose)
        assert ("sms", 2, "GSM-7") == (event.channel, event.segments, event.encoding)

    def test_raised(self):
        """An error passes through the block, and its event mentions no message."""
        events = []
        with pytest.raises(NotEnrolled), Audit(an_operation(), events.append):
            raise NotEnrolled

        assert [("refused", NotEnrolled.code, None)] == [(one.outcome, one.error, one.channel) for one in events]

    def test_no_listener(self):
        """Without a listener the block changes nothing."""
        with Audit(an_operation(), None):
            pass
        with pytest.raises(NotEnrolled), Audit(an_operation(), None):
            raise NotEnrolled

    def test_listener_raises(self, caplog):
        """An error of the listener is logged by its class only, and changes nothing."""

        def listener(event):
            raise ZeroDivisionError("secret")

        with Audit(an_operation(), listener):
            pass

        assert ["on_event raised ZeroDivisionError; the event is lost"] == caplog.messages


class TestEvent:
    """The fields of an event."""

    def test_call(self):
        """A call has no segments."""
        event = event_of(an_operation("voice"), None)

        assert ("voice", None, None) == (event.channel, event.segments, event.encoding)

    def test_nothing_sent(self):
        """An event without a message has no channel, and its name says that no message was sent."""
        event = event_of(an_operation(message=None, sent=False), None)

        assert ("gd_start_auth", None, None) == (event.name, event.channel, event.segments)

    def test_phone(self):
        """A number is masked."""
        assert "••••71" == event_of(an_operation(phone=PHONE), None).phone

    def test_uncertain(self):
        """A message that may have been sent is a failure, with its cost."""
        event = event_of(an_operation(uncertain=True), None)

        assert ("failed", "delivery_uncertain", "sms", 2) == (
            event.outcome, event.error, event.channel, event.segments,
        )  # fmt: skip

    @pytest.mark.parametrize(
        "error, name, outcome, code",
        [
            (NotEnrolled(), "gd_auth_failed", "refused", "not_enrolled"),
            (RateLimited("user"), "gd_otp_rate_limit_exceed", "refused", "rate_limited"),
            (RateLimited("carrier"), "gd_send_sms_failure", "failed", "rate_limited"),
            (DeliveryRejected("no"), "gd_send_sms_failure", "failed", "delivery_rejected"),
            (ZeroDivisionError("no"), "gd_auth_failed", "failed", "ZeroDivisionError"),
            (KeyboardInterrupt(), "gd_auth_failed", "failed", "KeyboardInterrupt"),
        ],
        ids=lambda one: type(one).__name__ if isinstance(one, BaseException) else one,
    )
    def test_error(self, error, name, outcome, code):
        """The name distinguishes refusals, limits and carriers, and a bug is named by its class."""
        event = event_of(an_operation(), error)

        assert (name, outcome, code) == (event.name, event.outcome, event.error)
        assert getattr(error, "scope", None) == event.scope


@pytest.mark.parametrize(
    "error, expected",
    [
        (DeliveryUncertain("+14155552671"), "object does not know whether a message went out"),
        (TimeoutError("+14155552671"), "object raised TimeoutError; a message may have gone out"),
    ],
    ids=["uncertain", "another"],
)
def test_report(error, expected, caplog):
    """T12: the log says that a message may have been sent, and quotes nothing from the sender."""
    report_uncertain(object(), error)

    assert [expected] == caplog.messages
