"""The examples of senders: a gateway, a queue and Twilio Verify."""

import json
from datetime import UTC, datetime, timedelta
from traceback import TracebackException

import attrs
import pytest
from examples.loading import load
from support import NUMBER, a_config

from smsmfa import (
    DeliveryRejected,
    DeliveryUncertain,
    Enroller,
    MemoryStore,
    RateLimited,
    RecipientRejected,
    SenderMisconfigured,
)
from smsmfa.testing import Answer, Carrier, RecordingSender, ScriptedSender, SenderConformance
from smsmfa.typing import Receipt

MESSAGE = SenderConformance.message
ACCOUNT, TOKEN, SERVICE = "AC" + "0" * 32, "f" * 32, "VA" + "0" * 32


gateway, queue, verify = load("gateway_sender.py"), load("celery_sender/app.py"), load("verify_sender.py")


class TestGatewaySender:
    def test_accepted(self):
        """The gateway gets number and text, and its id is on the receipt."""
        with Carrier(Answer(201, '{"id": "m1"}')) as carrier:
            receipt = gateway.GatewaySender(carrier.url, TOKEN).send(MESSAGE)

        assert Receipt("m1", "gateway") == receipt
        assert MESSAGE.to.e164 == json.loads(carrier.requests[0].body)["to"]
        assert MESSAGE.text == json.loads(carrier.requests[0].body)["text"]

    @pytest.mark.parametrize(
        "status, body, kind",
        [
            (400, "{}", DeliveryRejected),
            (401, "{}", SenderMisconfigured),
            (302, "{}", DeliveryUncertain),
            (500, "{}", DeliveryUncertain),
            (201, "<html>", DeliveryUncertain),
            (201, "{}", DeliveryUncertain),
            (201, " " * 70_000, DeliveryUncertain),
        ],
    )
    def test_other_answers(self, status, body, kind):
        """Every other answer raises the error that says whether the message may have been sent."""
        with Carrier(Answer(status, body)) as carrier, pytest.raises((DeliveryRejected, DeliveryUncertain)) as caught:
            gateway.GatewaySender(carrier.url, TOKEN).send(MESSAGE)

        assert kind is caught.type

    def test_no_connection(self):
        """A gateway that cannot be reached certainly sent nothing."""
        with Carrier(Answer(201)) as carrier:
            url = carrier.url

        with pytest.raises(DeliveryRejected, match="cannot be reached"):
            gateway.GatewaySender(url, TOKEN).send(MESSAGE)


class TestQueueSender:
    @pytest.fixture
    def worker(self, monkeypatch):
        """Run each task at once; return what the worker sends with."""
        sender = RecordingSender()
        queue.app.conf.task_always_eager = True  # in this module's own copy of the example
        monkeypatch.setattr(queue, "carrier", lambda: sender)
        return sender

    def test_code_arrives(self, worker):
        """The worker sends the code that the user then confirms."""
        enroller = Enroller(a_config(), MemoryStore(), queue.QueueSender())
        pending = enroller.start("alice", NUMBER)

        assert "alice" == enroller.confirm("alice", pending.id, worker.last_code).user_id

    def test_whole_message(self):
        """The worker gets every field of the message."""
        more = {"purpose": "payment", "language": "sw", "locale": "sw-KE", "english": "Your code", "channel": "voice"}
        message = attrs.evolve(MESSAGE, details=(("payee", "Ann"),), **more)

        unsealed = queue.unseal(queue.seal(message))

        assert message.code.reveal() == unsealed.code.reveal()
        assert message == attrs.evolve(unsealed, code=message.code)

    def test_broker_sees_nothing(self, worker, monkeypatch):
        """The broker gets no code, number or text, and is told to drop the task when the code expires."""
        queued, apply_async = [], queue.deliver.apply_async
        monkeypatch.setattr(
            queue.deliver, "apply_async", lambda *args, **options: queued.append((args, options)) or apply_async(*args)
        )
        Enroller(a_config(), MemoryStore(), queue.QueueSender()).start("alice", NUMBER)
        [(arguments, options)] = queued

        assert [] == [secret for secret in (worker.last_code, NUMBER[1:], "Acme") if secret in f"{arguments}"]
        assert 0 < options["expires"] <= 300
        assert options["retry"] is False

    def test_late(self, worker):
        """A message whose code has expired is dropped."""
        queue.QueueSender().send(attrs.evolve(MESSAGE, expires_at=datetime(2026, 1, 1, tzinfo=UTC)))

        assert [] == worker.messages

    def test_broken_queue_shows_nothing(self, worker, monkeypatch):
        """A queue that fails raises an uncertain delivery, whose traceback has no code, number or text."""

        def fails(*arguments, **options):
            raise ConnectionError("no broker")

        monkeypatch.setattr(queue.deliver, "apply_async", fails)

        assert [] == leaks(lambda: queue.QueueSender().send(fresh()))

    def test_failed_task_shows_nothing(self, worker, monkeypatch):
        """The traceback of a task that fails has no code, number or text, and the task is not repeated."""
        sender = ScriptedSender(DeliveryUncertain("late"))
        monkeypatch.setattr(queue, "carrier", lambda: sender)
        sealed = queue.seal(fresh())

        assert [] == leaks(lambda: queue.deliver(sealed))
        assert 1 == len(sender.messages)

    def test_carrier(self, monkeypatch):
        """By default the worker sends with Twilio, set up by the environment."""
        monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
        monkeypatch.setenv("TWILIO_FROM_NUMBER", "+14155550106")

        assert "TwilioSender(from_number='••••06')" == repr(queue.carrier())


def fresh():
    return attrs.evolve(MESSAGE, expires_at=datetime.now(UTC) + timedelta(minutes=5))


def leaks(call):
    """Return what a traceback with local variables shows of the message, of the frames of the example."""
    with pytest.raises(DeliveryUncertain) as caught:
        call()
    frames = TracebackException.from_exception(caught.value, capture_locals=True).stack
    shown = "".join(f"{frame.locals}" for frame in frames if frame.filename == queue.__file__)
    assert shown
    return [secret for secret in (MESSAGE.code.reveal(), MESSAGE.to.e164[1:], MESSAGE.text) if secret in shown]


class TestVerifySender:
    @pytest.fixture
    def sent(self):
        """Return a function that sends one message and returns the receipt and the request."""

        def send(answer, message=MESSAGE):
            with Carrier(answer) as carrier:
                sender = verify.VerifySender(ACCOUNT, TOKEN, SERVICE)
                sender.client.verify.base_url = carrier.url
                return sender.send(message), carrier.requests[0].body

        return send

    @pytest.mark.parametrize("channel, name", [("sms", "sms"), ("voice", "call"), ("whatsapp", "whatsapp")])
    def test_accepted(self, sent, channel, name):
        """Verify gets our code, the number and its own name of the channel."""
        receipt, body = sent(Answer(201, '{"sid": "VE1"}'), attrs.evolve(MESSAGE, channel=channel))

        assert Receipt("VE1", "verify") == receipt
        assert f"CustomCode={MESSAGE.code.reveal()}" in body
        assert f"To=%2B{MESSAGE.to.e164[1:]}" in body
        assert f"Channel={name}" in body

    @pytest.mark.parametrize(
        "status, code, kind",
        [
            (400, 60205, RecipientRejected),
            (403, 60410, RecipientRejected),
            (400, 60204, SenderMisconfigured),
            (401, 20003, SenderMisconfigured),
            (429, 60203, RateLimited),
            (400, 60999, DeliveryRejected),
            (500, 20500, DeliveryUncertain),
        ],
    )
    def test_refused(self, sent, status, code, kind):
        """An error of Verify raises the error that says whether the message may have been sent."""
        with pytest.raises((RateLimited, DeliveryRejected, DeliveryUncertain)) as caught:
            sent(Answer(status, json.dumps({"code": code, "message": MESSAGE.text, "status": status})))

        assert kind is caught.type

    @pytest.mark.parametrize("body", ["<html>", "{}"])
    def test_unusable_answer(self, sent, body):
        """An answer without an id leaves open whether the message was sent."""
        with pytest.raises(DeliveryUncertain):
            sent(Answer(201, body))
