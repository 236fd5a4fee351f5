"""The examples of pages that others post to: a gateway, and Twilio's delivery reports."""

import importlib.util
import io
import logging
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from support import NUMBER, a_config
from twilio.request_validator import RequestValidator

from smsmfa import Enroller, MemoryStore, SenderMisconfigured
from smsmfa.senders.http import HttpSender

SECRET = "at least 24 bytes that both ends have"
TOKEN = "0" * 32
CHALLENGE = "0123456789abcdef" * 2


def load(name):
    file = Path(__file__).parents[2] / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gateway, status_page = load("webhook_gateway"), load("twilio_status")


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


class TestGateway:
    @pytest.fixture
    def handed(self):
        """The messages that the gateway passed on."""
        return []

    @pytest.fixture
    def repeated(self):
        """Whether every request counts as one that has come before."""
        return False

    @pytest.fixture
    def start(self, monkeypatch, handed, repeated):
        """Return a function that sends one message to the gateway, signed with a secret."""
        monkeypatch.setenv("GATEWAY_SECRET", SECRET)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        application = gateway.Gateway(lambda *message: handed.append(message), lambda message_id: repeated)
        server = make_server("127.0.0.1", 0, application, handler_class=Quiet)
        serving = Thread(target=server.serve_forever, args=(0.01,))
        serving.start()

        def start(secret):
            sender = HttpSender(f"http://127.0.0.1:{server.server_port}/sms", secret)
            return Enroller(a_config(), MemoryStore(), sender).start("alice", NUMBER)

        yield start
        server.shutdown()
        serving.join()
        server.server_close()

    def test_signed(self, start, handed):
        """A message with the right signature is handed over."""
        assert start(SECRET).sent
        [(number, text)] = handed
        assert NUMBER == number
        assert "Acme" in text

    def test_forged(self, start, handed):
        """A message signed with another secret is refused, and the sender says so."""
        with pytest.raises(SenderMisconfigured):
            start("another secret, as long as that one")

        assert [] == handed

    @pytest.mark.parametrize("repeated", [True])
    def test_repeated(self, start, handed, repeated):
        """A request that has come before is accepted and not handed over again."""
        assert start(SECRET).sent
        assert [] == handed


class TestTwilioStatus:
    @pytest.fixture
    def post(self, monkeypatch):
        """Return a function that posts a report as Twilio does, and returns the answer."""
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
        monkeypatch.setattr(status_page, "latest", {})

        def post(status, signature=None):
            query = f"challenge={CHALLENGE}"
            fields = {"MessageSid": "SM" + "0" * 32, "MessageStatus": status, "To": NUMBER, "ErrorCode": "30034"}
            signed = RequestValidator(TOKEN).compute_signature(f"{status_page.PAGE}?{query}", fields)
            body, answers = urlencode(fields).encode(), []
            environ = {
                "QUERY_STRING": query,
                "CONTENT_LENGTH": str(len(body)),
                "wsgi.input": io.BytesIO(body),
                "HTTP_X_TWILIO_SIGNATURE": signature or signed,
            }
            status_page.twilio_status(environ, lambda status, headers: answers.append(status))
            return answers

        return post

    def test_forged(self, post, caplog):
        """A report without Twilio's signature is refused, and not logged."""
        with caplog.at_level(logging.INFO, "audit"):
            assert ["403 Forbidden"] == post("delivered", "forged")
        assert [] == caplog.records

    def test_order(self, post, caplog):
        """Only reports with news are logged, in any order and with repetitions."""
        with caplog.at_level(logging.INFO, "audit"):
            answers = [post(status) for status in ("sent", "sent", "undelivered", "sent")]
        events = [record.args if not isinstance(record.args, tuple) else record.args[0] for record in caplog.records]

        assert [["204 No Content"]] * 4 == answers
        assert [None, "sender_misconfigured"] == [event.error for event in events]
        assert {CHALLENGE} == {event.challenge_id for event in events}
