"""The kit's senders keep their messages, follow their script, and reveal no code."""

import asyncio
from datetime import UTC, datetime

import pytest
from support import SECRET

from smsmfa import DeliveryRejected, DeliveryUncertain, Enroller, FactorConfig, MemoryStore, PhoneNumber, Verifier
from smsmfa.testing import AsyncRecordingSender, AsyncScriptedSender, RecordingSender, ScriptedSender
from smsmfa.typing import Message, Receipt


def a_message(code="314159"):
    return Message(
        to=PhoneNumber("+14155552671", "US", "mobile"),
        text=f"{code} is your code",
        code=code,
        kind="verification",
        challenge_id="c1",
        expires_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def send(sender, message=None):
    """Send with either kind of sender."""
    outcome = sender.send(message or a_message())
    return asyncio.run(outcome) if asyncio.iscoroutine(outcome) else outcome


recording = pytest.mark.parametrize("kind", [RecordingSender, AsyncRecordingSender])
scripted = pytest.mark.parametrize("kind", [ScriptedSender, AsyncScriptedSender])


class TestRecording:
    @recording
    def test_keeps_messages(self, kind):
        """Every message is kept, in order, and each has its own receipt."""
        sender, first, second = kind(), a_message(), a_message("271828")

        receipts = [send(sender, first), send(sender, second)]

        assert [Receipt("test-1", kind.__name__), Receipt("test-2", kind.__name__)] == receipts
        assert [first, second] == sender.messages
        assert second is sender.last
        assert "271828" == sender.last_code

    @recording
    def test_empty(self, kind):
        """An empty outbox explains that it has no last message and no last code."""
        with pytest.raises(LookupError, match="no message was sent"):
            _ = kind().last
        with pytest.raises(LookupError, match="no message was sent"):
            _ = kind().last_code

    @recording
    def test_repr(self, kind):
        """The repr counts the messages and shows nothing of them."""
        sender = kind()
        send(sender)

        assert f"<{kind.__name__} of 1 messages>" == repr(sender)


class TestScripted:
    @scripted
    def test_outcomes(self, kind):
        """Receipts are returned, exceptions and their classes raised, and functions called with the message."""
        receipt, problem, message = Receipt("m1"), DeliveryUncertain("slow"), a_message()
        sender = kind(receipt, problem, DeliveryRejected, lambda given: Receipt(given.challenge_id))

        assert receipt is send(sender)
        with pytest.raises(DeliveryUncertain) as raised:
            send(sender)
        assert problem is raised.value
        with pytest.raises(DeliveryRejected):
            send(sender)
        assert Receipt("c1") == send(sender, message)
        assert message is sender.last

    @scripted
    def test_keeps_messages_that_fail(self, kind):
        """A message whose outcome is an error is kept too: it may have arrived."""
        sender = kind(DeliveryUncertain)
        with pytest.raises(DeliveryUncertain):
            send(sender)

        assert "314159" == sender.last_code

    @scripted
    def test_then(self, kind):
        """``then`` is the outcome of every message after the list."""
        sender = kind(Receipt("m1"), then=DeliveryRejected("no credit"))

        assert Receipt("m1") == send(sender)
        for _ in range(2):
            with pytest.raises(DeliveryRejected, match="no credit"):
                send(sender)

    @scripted
    def test_end(self, kind):
        """Without ``then``, a message after the list fails the test."""
        with pytest.raises(pytest.fail.Exception, match=f"{kind.__name__}: no outcome is left for this message"):
            send(kind())

    def test_end_is_no_uncertain_delivery(self):
        """The library does not mistake the end of the list for an uncertain delivery."""
        config = FactorConfig(app_name="Acme", secret=SECRET, regions={"US"})
        store, receipts = MemoryStore(), RecordingSender()
        enroller = Enroller(config, store, receipts)
        enroller.confirm("alice", enroller.start("alice", "+14155552671").id, receipts.last_code)

        with pytest.raises(pytest.fail.Exception):
            Verifier(config, store, ScriptedSender()).challenge("alice")

    async def test_asynchronous_function(self):
        """The asynchronous sender awaits what a function returns, so a test can hold a message back."""
        release = asyncio.Event()

        async def held(message):
            await release.wait()
            return Receipt(message.challenge_id)

        sending = asyncio.create_task(AsyncScriptedSender(held).send(a_message()))
        await asyncio.sleep(0)
        assert not sending.done()
        release.set()

        assert Receipt("c1") == await sending

    @scripted
    def test_repr(self, kind):
        """The repr counts the messages and shows nothing of them."""
        sender = kind(then=Receipt())
        send(sender)

        assert f"<{kind.__name__} of 1 messages>" == repr(sender)
