"""Requests to Twilio's API: one client, one request each, and an answer or an error that says whether it was sent."""

import json
import logging
from base64 import b64encode
from datetime import timedelta

import pytest
from twilio.rest import Client

from smsmfa.core.opaque import Opaque
from smsmfa.exceptions import DeliveryRejected, DeliveryUncertain, RateLimited, SenderMisconfigured
from smsmfa.senders import session
from smsmfa.senders.twilio.access import Credentials, Place
from smsmfa.senders.twilio.api import Answer, Api
from smsmfa.testing import Answer as Reply
from smsmfa.testing.carrier import drop

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
CREDENTIALS = Credentials(Opaque(ACCOUNT), Opaque(ACCOUNT), Opaque(TOKEN))
#: 14 November 2023, 22:13:20 GMT.
NOW = 1_700_000_000 * 10**9


@pytest.fixture
def asked(serve):
    """Start a carrier, and return an Api that asks it."""

    def start(behaviour):
        carrier = serve(behaviour)
        api = Api(CREDENTIALS, 60.0)
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


#: The user and the secret, and how they are sent.
LOGINS = [(ACCOUNT, TOKEN), ("SK" + "0" * 32, "the-secret-of-a-key"), ("AC" + "f" * 32, "a parent's token")]


@pytest.mark.parametrize("user, secret", LOGINS, ids=["token", "key", "parent"])
def test_login(user, secret, serve):
    """Requests are authenticated by an account, a key or the parent account, and are always about the account."""
    carrier = serve(Reply(200, "{}"))

    Api(Credentials(Opaque(ACCOUNT), Opaque(user), Opaque(secret)), 60.0, Place(base_url=carrier.url)).get("")

    [request] = carrier.requests
    assert "Basic " + b64encode(f"{user}:{secret}".encode()).decode() == request.headers["Authorization"]
    assert f"GET /2010-04-01/Accounts/{ACCOUNT}.json HTTP/1.1" == request.line


def test_other_domain_of_a_parent(serve):
    """Another domain shows the parent account its own settings, so a subaccount is not read there."""
    carrier = serve(Reply(200, "{}"))
    parent = Credentials(Opaque(ACCOUNT), Opaque(LOGINS[2][0]), Opaque(LOGINS[2][1]))

    answer = Api(parent, 60.0, Place(base_url=carrier.url)).get("v1/Services/MG00", domain="messaging")

    assert "with the credentials of the parent account only its own settings could be read" == str(answer)
    assert [] == carrier.requests


def test_base_url(serve):
    """An address replaces the host of every domain."""
    carrier = serve(Reply(200, "{}"))
    api = Api(CREDENTIALS, 60.0, Place(base_url=f"{carrier.url}/twilio"))

    api.get("")
    for domain in ("messaging", "accounts", "content", "voice"):
        api.get(f"v1/{domain}", domain=domain)

    assert [f"/twilio/2010-04-01/Accounts/{ACCOUNT}.json", "/twilio/v1/messaging", "/twilio/v1/accounts"] == [
        request.line.split()[1] for request in carrier.requests[:3]
    ]
    assert 5 == len(carrier.requests)


@pytest.mark.parametrize("direct, requests", [(True, 0), (False, 1)])
def test_direct(direct, requests, serve, monkeypatch):
    """A server on this machine is reached without the proxy from the environment."""
    proxy, carrier = serve(Reply(200, "{}")), serve(Reply(200, "{}"))
    monkeypatch.setenv("http_proxy", proxy.url)

    Api(CREDENTIALS, 60.0, Place(base_url=carrier.url, direct=direct)).get("")

    assert (requests, 1 - requests) == (len(proxy.requests), len(carrier.requests))


class OwnClient:
    """An HTTP client of the application."""

    def __init__(self):
        self.made = []

    def request(self, method, uri, **given):
        """Keep the request. Log it, as the SDK's client does."""
        self.made.append((method, uri, given))
        logging.getLogger("twilio.http_client").error("%s", given)
        return type("Response", (), {"status_code": 200, "text": "{}", "headers": {}})


@pytest.mark.parametrize(
    "region, edge", [(None, None), ("ie1", None), (None, "dublin"), ("ie1", "dublin")], ids=lambda place: place or "no"
)
def test_region_and_edge(region, edge):
    """Region and edge are combined as the SDK does it."""
    own = OwnClient()
    api = Api(CREDENTIALS, 60.0, Place(region, edge), own)

    api.get("")
    api.get("v1/Services", domain="messaging")

    sdk = Client("AC", "token", region=region, edge=edge, environment={"_": "1"})
    path = f"/2010-04-01/Accounts/{ACCOUNT}.json"
    assert [
        sdk.get_hostname(f"https://api.twilio.com{path}"),
        sdk.get_hostname("https://messaging.twilio.com/v1/Services"),
    ] == [uri for _, uri, _ in own.made]


def test_own_client(caplog):
    """T12: a client of the application makes the requests within the timeout, and what it logs is dropped."""
    logging.getLogger("twilio.http_client")
    own = OwnClient()

    answer = Api(CREDENTIALS, 7.0, None, own).post("/Messages", {"Body": "Söhne"})

    [(method, uri, given)] = own.made
    assert ("POST", f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json") == (method, uri)
    assert ({"Body": "Söhne"}, 7.0, False) == (given["data"], given["timeout"], given["allow_redirects"])
    assert (True, "") == (answer.ok, caplog.text)


def test_client_is_made_once():
    """All requests share one client of the SDK."""
    api = Api(CREDENTIALS, 60.0)

    assert api._client() is api._client()


def test_header_of_another_sdk(monkeypatch):
    """An SDK whose answers have no headers works too."""
    api = Api(CREDENTIALS, 60.0)
    answer = type("Response", (), {"status_code": 200, "text": json.dumps({}), "headers": None})
    monkeypatch.setattr(api._client().api, "request", lambda *arguments, **options: answer)

    assert Answer(200, {}) == api.get("")
