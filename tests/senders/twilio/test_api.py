"""Questions to Twilio: one client, one request each, and an answer or an error that says what is certain."""

import json
import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
import twilio.rest

from smsmfa.core.opaque import Opaque
from smsmfa.exceptions import DeliveryRejected, DeliveryUncertain, RateLimited, SenderMisconfigured
from smsmfa.senders.twilio.api import Answer, Api
from smsmfa.testing import Answer as Reply
from smsmfa.testing import Carrier
from smsmfa.testing.carrier import drop

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
#: 14 November 2023, 22:13:20 GMT.
NOW = 1_700_000_000 * 10**9


@pytest.fixture
def serve():
    """Start carriers that an Api asks, and stop them in the end."""
    with ExitStack() as carriers:

        def start(behaviour):
            carrier = carriers.enter_context(Carrier(behaviour))
            api = Api(Opaque(ACCOUNT), Opaque(TOKEN), 10.0)
            api.client().api.base_url = carrier.url
            api.client().messaging.base_url = f"{carrier.url}/messaging"
            return api, carrier

        yield start


def test_post(serve):
    """A form is posted to a path of the account, as it is."""
    api, carrier = serve(Reply(201, '{"sid": "SM00"}'))

    answer = api.post("/Messages", {"Body": "Söhne"})

    assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1" == carrier.requests[0].line
    assert "Body=S%C3%B6hne" == carrier.requests[0].body
    assert (True, "SM00", None) == (answer.ok, answer.text("sid"), answer.code)


def test_get(serve):
    """A path of the account is read with its parameters, and the account itself without a path."""
    api, carrier = serve(Reply(200, "{}"))

    api.get("/IncomingPhoneNumbers", PhoneNumber="+14155550106")
    api.get("")

    assert [
        f"GET /2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json?PhoneNumber=%2B14155550106 HTTP/1.1",
        f"GET /2010-04-01/Accounts/{ACCOUNT}.json HTTP/1.1",
    ] == [request.line for request in carrier.requests]


def test_other_domain(serve):
    """Another domain of Twilio's has paths of its own."""
    api, carrier = serve(Reply(200, "{}"))

    api.get("v1/Services/MG00", domain="messaging")

    assert "GET /messaging/v1/Services/MG00 HTTP/1.1" == carrier.requests[0].line


@pytest.mark.parametrize(
    "body, fields",
    [('{"a": 1}', {"a": 1}), ("[1]", None), ("", None), ("<html>", None), ("[" * 100_000, None)],
)
def test_body(body, fields, serve):
    """What is no JSON object counts as none."""
    api, _ = serve(Reply(200, body[:60_000]))

    assert fields == api.get("").fields


def test_errors(serve, monkeypatch):
    """T12, T24: what fails before there is an answer is an error, not raised, that says what is certain."""
    api, carrier = serve(drop)

    uncertain = api.post("/Messages", {})
    carrier.stop()
    rejected = api.post("/Messages", {})
    monkeypatch.setattr("smsmfa.senders.bounded.distrusted", lambda error: True)
    monkeypatch.setattr("smsmfa.senders.bounded.never_connected", lambda error: False)
    misconfigured = api.post("/Messages", {})

    assert [DeliveryUncertain, DeliveryRejected, SenderMisconfigured] == [
        type(error) for error in (uncertain, rejected, misconfigured)
    ]
    assert [None] * 3 == [error.__context__ for error in (uncertain, rejected, misconfigured)]
    assert "Twilio gave no usable answer (ConnectionError)" == str(uncertain)
    assert "Twilio cannot be reached" == str(rejected)


@pytest.mark.parametrize(
    "status, ok", [(199, False), (200, True), (201, True), (299, True), (300, False), (404, False)]
)
def test_ok(status, ok):
    """An answer of 2xx is a yes."""
    assert ok == Answer(status, None).ok


@pytest.mark.parametrize(
    "fields, code",
    [
        ({"code": 21211}, 21211),
        ({"code": 21211, "type": "about:blank", "title": "no", "status": 400}, 21211),
        ({"code": 400}, None),
        ({"code": True}, None),
        ({"code": "21211"}, None),
        ({"code": [21211]}, None),
        ({}, None),
        (None, None),
    ],
)
def test_code(fields, code):
    """The code is a number of Twilio's, in either form of its errors, and not the status once more."""
    assert code == Answer(400, fields).code


@pytest.mark.parametrize(
    "fields, text", [({"sid": "SM"}, "SM"), ({"sid": ""}, None), ({"sid": 7}, None), ({}, None), (None, None)]
)
def test_text(fields, text):
    """A field counts where it is text, and not empty."""
    assert text == Answer(200, fields).text("sid")


def test_error_with_pause():
    """A limit carries the pause that the answer asks for, and the words of Twilio's code in a note."""
    error = Answer(429, {"code": 20429}, {"Retry-After": "7"}).error(NOW)

    assert (RateLimited, timedelta(seconds=7)) == (type(error), error.retry_after)
    assert ["Twilio 20429: too many requests at the same time"] == error.__notes__


def test_repr():
    """T12: an answer shows nothing of its body, which may be an account with its token."""
    assert "auth_token" not in repr(Answer(200, {"auth_token": TOKEN}))


@pytest.mark.parametrize(
    "header, seconds",
    [
        (None, None),
        ("soon", None),
        ("-1", None),
        ("0", 0),
        (" 7 ", 7),
        ("3600", 3600),
        ("3601", 3600),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("Wed, 15 Nov 2023 22:00:00 GMT", 3600),
    ],
)
def test_pause(header, seconds):
    """Retry-After is honoured as seconds and as a date, never below zero and never above an hour."""
    error = Answer(429, None, {} if header is None else {"Retry-After": header}).error(NOW)

    assert (None if seconds is None else timedelta(seconds=seconds)) == error.retry_after


def test_client_is_made_once(monkeypatch):
    """Threads that ask their first question together share one client."""
    made, second = [], threading.Event()

    def client(*arguments, **options):
        made.append(arguments)
        if len(made) == 1:
            second.wait(0.2)
        else:
            second.set()
        return original(*arguments, **options)

    original = twilio.rest.Client
    monkeypatch.setattr(twilio.rest, "Client", client)
    api = Api(Opaque(ACCOUNT), Opaque(TOKEN), 10.0)
    threads = [threading.Thread(target=api.client) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len(made)


def test_header_of_another_sdk(monkeypatch):
    """An SDK whose answers have no headers does as well."""
    api = Api(Opaque(ACCOUNT), Opaque(TOKEN), 10.0)
    answer = type("Response", (), {"status_code": 200, "text": json.dumps({}), "headers": None})
    monkeypatch.setattr(api.client().api, "request", lambda *arguments, **options: answer)

    assert Answer(200, {}) == api.get("")
