"""The values that cross the protocols: messages, receipts, entries."""

import copy
import pickle
from datetime import UTC, datetime

import attrs
import pytest

from smsmfa import typing
from smsmfa.core.opaque import Opaque
from smsmfa.phone import PhoneNumber
from smsmfa.typing import Entry, Message, Receipt

EXPIRES = datetime(2030, 1, 1, tzinfo=UTC)
NUMBER = PhoneNumber("+14155552671", "US", "mobile")


def a_message(**changes):
    arguments = {"to": NUMBER, "text": "314159 is your code", "code": "314159", "kind": "verification"}
    return Message(**arguments | {"challenge_id": "c1", "expires_at": EXPIRES} | changes)


class TestMessage:
    def test_fields(self):
        """A message has all that a carrier needs, and a channel and a locale by default."""
        message = a_message()

        assert (NUMBER, "314159 is your code", "verification") == (message.to, message.text, message.kind)
        assert ("c1", EXPIRES) == (message.challenge_id, message.expires_at)
        assert ("sms", None) == (message.channel, message.locale)

    @pytest.mark.parametrize("code", ["314159", Opaque("314159")])
    def test_code(self, code):
        """The code is hidden until it is revealed, however it was given."""
        message = a_message(code=code)

        assert "<hidden>" == repr(message.code)
        assert "314159" == message.code.reveal()

    @pytest.mark.parametrize("show", [repr, str, "{}".format, lambda message: repr([message])])
    def test_repr(self, show):
        """T12: a message's text shows neither what it says, nor its code, nor the whole number."""
        text = show(a_message())

        assert [] == [secret for secret in ("314159", "is your code", "4155552671") if secret in text]
        assert "c1" in text

    @pytest.mark.parametrize("convert", [pickle.dumps, copy.deepcopy])
    def test_no_pickle(self, convert):
        """T12: a message cannot be pickled into a queue that keeps it."""
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            convert(a_message())

    def test_frozen(self):
        """A message cannot be changed, and takes its fields by name only."""
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            a_message().text = "another"
        with pytest.raises(TypeError):
            Message(NUMBER, "text", "314159", "verification", "c1", EXPIRES)


class TestReceipt:
    def test_defaults(self):
        """A receipt may know neither an id nor a sender."""
        assert (None, "") == (Receipt().message_id, Receipt().sender)

    def test_value(self):
        """A receipt is a value that can be compared and not changed."""
        assert Receipt(message_id="m1", sender="carrier") == Receipt(sender="carrier", message_id="m1")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            Receipt().message_id = "m2"


class TestEntry:
    def test_fields(self):
        """An entry is kept for ever unless it says for how long."""
        assert (b"value", None) == (Entry(b"value").value, Entry(b"value").keep_for)
        assert (b"value", 60) == (Entry(b"value", 60).value, Entry(b"value", 60).keep_for)

    def test_repr(self):
        """T12: an entry's text does not show its value."""
        assert "Entry(keep_for=60)" == repr(Entry(b"whole number", 60))

    def test_value(self):
        """An entry is a value that can be compared and not changed."""
        assert Entry(b"v", 1) == Entry(b"v", 1) != Entry(b"v", 2)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            Entry(b"v").value = b"w"


def test_all():
    """The module's public names are the names of the contract, and each exists."""
    constants = ["CHANNELS", "ENROLLMENT", "NOTICE", "SMS", "VERIFICATION", "VOICE", "WHATSAPP"]
    expected = ["AsyncSender", "AsyncStore", "Change", "Clock", "Entry", "Message", "Receipt", "Sender", "Store"]

    assert constants + expected == typing.__all__
    assert all(hasattr(typing, name) for name in expected)
