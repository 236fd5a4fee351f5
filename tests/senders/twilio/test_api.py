"""Requests to Twilio's API: one client, one request each, and an answer or an error that says whether it was sent."""

import json
from datetime import timedelta

import pytest

from smsmfa.core.opaque import Opaque
from smsmfa.exceptions import DeliveryRejected, DeliveryUncertain, RateLimited, SenderMisconfigured
from smsmfa.senders import session
from smsmfa.senders.twilio.api import Answer, Api
from smsmfa.testing import Answer as Reply
from smsmfa.testing.carrier import drop

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
#: 14 November 2023, 22:13:20 GMT.
NOW = 1_700_000_000 * 10**9


@pytest.fixture
def asked(serve):
    """Start a carrier, and return an Api that asks it."""

    def start(behaviour):
        carrier = serve(behaviour)
        api = Api(Opaque(ACCOUNT), Opaque(TOKEN), 60.0)
        api._client().api.base_url = carrier.url
        api._client().messaging.base_url = f"{carrier.url}/messaging"
        return api, carrier

    return start


def test_post(asked):
    """A form is posted to a path of the account."""
    api, carrier = asked(Reply(201, '{"sid": "SM00"}'))

    answer = api.post("/Messages", {"Body": "Söhne"})

    assert f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1" == carrier.requests[0].line
    assert "Body=S%C3%B6hne" == carrier.requests[0].body
    assert (True, "SM00", None) == (answer.ok, answer.text("sid"), answer.code)


def test_get(asked):
    """A path of the account is read with its parameters. The empty path is the account."""
    api, carrier = asked(Reply(200, "{}"))

    api.get("/IncomingPhoneNumbers", PhoneNumber="+14155550106")
    api.get("")

    assert [
        f"GET /2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json?PhoneNumber=%2B14155550106 HTTP/1.1",
        f"GET /2010-04-01/Accounts/{ACCOUNT}.json HTTP/1.1",
    ] == [request.line for request in carrier.requests]


def test_other_domain(asked):
    """A path of another domain does not begin with the account."""
    api, carrier = asked(Reply(200, "{}"))

    api.get("v1/Services/MG00", domain="messaging")

    assert "GET /messaging/v1/Services/MG00 HTTP/1.1" == carrier.requests[0].line


@pytest.mark.parametrize("body, fields", [('{"a": 1}', {"a": 1}), ("<html>", None)])
def test_body(body, fields, asked):
    """Anything but a JSON object counts as no fields."""
    api, _ = asked(Reply(200, body))

    assert fields == api.get("").fields


@pytest.mark.parametrize(
    "error", [DeliveryUncertain("?"), DeliveryRejected("?"), SenderMisconfigured("?")], ids=lambda error: error.code
)
def test_errors(error, asked, monkeypatch):
    """T12, T24: an error before there is an answer is returned, not raised, and says whether the form was sent."""
    api, _ = asked(drop)
    monkeypatch.setattr(session, "failure_of", lambda _, carrier: error)

    assert error is api.post("/Messages", {})
    assert None is error.__context__


def test_error_text(asked):
    """The error says that it is Twilio's."""
    assert "Twilio gave no usable answer (ConnectionError)" == str(asked(drop)[0].post("/Messages", {}))


@pytest.mark.parametrize("status, ok", [(199, False), (200, True), (299, True), (300, False)])
def test_ok(status, ok):
    """A 2xx answer means that Twilio did it."""
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
    """The code is a number, in either format of Twilio's errors, and not the HTTP status."""
    assert code == Answer(400, fields).code


@pytest.mark.parametrize(
    "fields, text", [({"sid": "SM"}, "SM"), ({"sid": ""}, None), ({"sid": 7}, None), ({}, None), (None, None)]
)
def test_text(fields, text):
    """A field is returned if it is text and not empty."""
    assert text == Answer(200, fields).text("sid")


def test_error_with_pause():
    """A limit has the pause that the answer asks for, and a note with the meaning of Twilio's code."""
    error = Answer(429, {"code": 20429}, {"Retry-After": "7"}).error(NOW)

    assert (RateLimited, timedelta(seconds=7)) == (type(error), error.retry_after)
    assert ["Twilio 20429: too many requests at the same time"] == error.__notes__


def test_repr():
    """T12: the repr of an answer does not show its body, which may contain the auth token."""
    assert "auth_token" not in repr(Answer(200, {"auth_token": TOKEN}))


@pytest.mark.parametrize(
    "headers, pause",
    [
        ({}, None),
        ({"Retry-After": "3600"}, timedelta(hours=1)),
        ({"Retry-After": "3601"}, timedelta(hours=1)),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}, timedelta(seconds=30)),
    ],
)
def test_pause(headers, pause):
    """Retry-After is passed on, up to an hour."""
    assert pause == Answer(429, None, headers).error(NOW).retry_after


def test_client_is_made_once():
    """All requests share one client of the SDK."""
    api = Api(Opaque(ACCOUNT), Opaque(TOKEN), 60.0)

    assert api._client() is api._client()


def test_header_of_another_sdk(monkeypatch):
    """An SDK whose answers have no headers works too."""
    api = Api(Opaque(ACCOUNT), Opaque(TOKEN), 60.0)
    answer = type("Response", (), {"status_code": 200, "text": json.dumps({}), "headers": None})
    monkeypatch.setattr(api._client().api, "request", lambda *arguments, **options: answer)

    assert Answer(200, {}) == api.get("")
