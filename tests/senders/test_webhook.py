"""One end reads only what the other end signed."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks.webhooks
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError
from support import shown

from smsmfa.core.opaque import Opaque
from smsmfa.exceptions import ConfigurationError
from smsmfa.senders.webhook import WebhookRejected, key_of, read_webhook, signed_headers
from smsmfa.testing import FakeClock

SECRET = "a secret that both of them have"
OTHER = "another secret, which is as long"
FIELDS = {"recipient": "+14155552671", "text": "314159 is your code for Söhne", "code": "314159"}
BODY = json.dumps(FIELDS).encode()
MINUTES = timedelta(minutes=5)
SECONDS = FakeClock().now // 10**9


@pytest.fixture
def clock():
    return FakeClock()


def signed(body=BODY, secret=SECRET, now=FakeClock().now):
    """Return the headers of a body."""
    return signed_headers(Opaque(body), key_of(Opaque(secret)), now)


#: The headers of one request.
HEADERS = signed()
GOOD = HEADERS["webhook-signature"]


class TestRead:
    def test_signed(self, clock):
        """A signed request is read."""
        assert FIELDS == read_webhook(BODY, signed(), SECRET, clock=clock)

    def test_header_names(self, clock):
        """The case of header names does not matter, and other headers are ignored."""
        headers = {name.title(): value for name, value in signed().items()} | {"Host": "sms.example.com"}

        assert FIELDS == read_webhook(BODY, headers, SECRET, clock=clock)

    def test_secrets(self, clock):
        """While the secret changes either of two is accepted, as text or as bytes."""
        for headers in (signed(), signed(secret=OTHER.encode())):
            assert FIELDS == read_webhook(BODY, headers, [SECRET, OTHER], clock=clock)

    def test_signatures(self, clock):
        """One good signature among several is enough, and other versions are ignored."""
        headers = signed()
        good = headers["webhook-signature"]
        headers["webhook-signature"] = f"v1a,{good[3:]} v1,AAAA v1,= {good}"

        assert FIELDS == read_webhook(BODY, headers, SECRET, clock=clock)

    @pytest.mark.parametrize("seconds", [-300, 0, 300])
    def test_time(self, seconds, clock):
        """The two clocks may differ by five minutes, either way."""
        clock.move(seconds=seconds)

        assert FIELDS == read_webhook(BODY, signed(), SECRET, clock=clock)

    @pytest.mark.parametrize("seconds", [-300.001, 300.001])
    def test_replay(self, seconds, clock):
        """A request that was signed longer ago, or in the future, is refused."""
        clock.move(seconds=seconds)

        with pytest.raises(WebhookRejected, match="too far from now"):
            read_webhook(BODY, signed(), SECRET, clock=clock)

    def test_tolerance(self, clock):
        """The tolerance can be changed."""
        headers = signed()
        clock.move(seconds=2)

        assert FIELDS == read_webhook(BODY, headers, SECRET, tolerance=timedelta(seconds=2), clock=clock)
        with pytest.raises(WebhookRejected, match="too far from now"):
            read_webhook(BODY, headers, SECRET, tolerance=timedelta(seconds=1.999), clock=clock)

    def test_default_clock(self):
        """The default clock is the system's."""
        with pytest.raises(WebhookRejected, match="too far from now"):
            read_webhook(BODY, signed(), SECRET)

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_missing(self, name, clock):
        """Each of the three headers is required."""
        headers = signed()
        del headers[name]

        with pytest.raises(WebhookRejected, match="a header is missing: the sender sets webhook-id"):
            read_webhook(BODY, headers, SECRET, clock=clock)

    @pytest.mark.parametrize("seconds", ["", "x", "-1", "1.5", "١٧", "1" * 12, " 1", "1\n"])
    def test_no_time(self, seconds, clock):
        """A time is a number of seconds."""
        with pytest.raises(WebhookRejected, match="is not a number of seconds"):
            read_webhook(BODY, signed() | {"webhook-timestamp": seconds}, SECRET, clock=clock)

    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"webhook-id": "msg_1"}, id="id"),
            pytest.param({"webhook-id": "\ud800"}, id="surrogate"),
            pytest.param({"webhook-timestamp": str(SECONDS + 1)}, id="time"),
            pytest.param({"webhook-signature": ""}, id="empty"),
            pytest.param({"webhook-signature": "v1,"}, id="version alone"),
            pytest.param({"webhook-signature": "v1,ö"}, id="not ASCII"),
            pytest.param({"webhook-signature": GOOD[3:]}, id="no version"),
            pytest.param({"webhook-signature": "v2," + GOOD[3:]}, id="other version"),
            pytest.param({"webhook-signature": GOOD.replace("=", "")[:-1]}, id="too short"),
            pytest.param(signed(BODY + b" "), id="body"),
            pytest.param(signed(secret=OTHER), id="secret"),
        ],
    )
    def test_forged(self, changes, clock):
        """The signature covers id, time, body and secret."""
        with pytest.raises(WebhookRejected, match="the signature is wrong"):
            read_webhook(BODY, HEADERS | changes, SECRET, clock=clock)

    def test_status(self):
        """A gateway answers 401, and the error has its own code."""
        assert ("webhook_rejected", 401) == (WebhookRejected.code, WebhookRejected.http_status)

    @pytest.mark.parametrize("secret, seconds", [(OTHER, 0), (SECRET, 1000), ("short", 0)])
    def test_errors_show_nothing(self, secret, seconds, clock):
        """T12: no error shows the body or a secret, nor does its traceback with locals."""
        headers = signed()
        clock.move(seconds=seconds)

        with pytest.raises((WebhookRejected, ConfigurationError)) as caught:
            read_webhook(BODY, headers, [SECRET, secret], tolerance=-MINUTES, clock=clock)

        assert [] == [each for each in ("314159", "4155552671", SECRET, OTHER) if each in shown(caught.value)]

    def test_ids_differ(self):
        """Every message has a new id, so that the gateway recognises a repeated request."""
        assert 100 == len({signed()["webhook-id"] for _ in range(100)})


class TestSecret:
    def test_base64(self):
        """A secret may be written as the specification's libraries write it, padded or not."""
        key = bytes(range(24 + 1))
        text = base64.b64encode(key).decode()

        assert [key] * 3 == [
            key_of(Opaque(secret)).reveal() for secret in (f"whsec_{text}", f"whsec_{text.rstrip('=')}", key)
        ]

    @pytest.mark.parametrize(
        "secret",
        ["", "x" * 23, b"x" * 23, "whsec_" + "A" * 31, "whsec_" + "é" * 40, "whsec_!" + "A" * 40, "\ud800", None, 7],
        ids=ascii,
    )
    def test_wrong(self, secret):
        """A value that is not a secret, or is too short, is refused."""
        with pytest.raises(ConfigurationError, match="secret: give at least 24 bytes, as text or bytes"):
            key_of(Opaque(secret))

    def test_least(self):
        """Twenty-four bytes are enough."""
        assert b"x" * 24 == key_of(Opaque("x" * 24)).reveal()


#: What happens to a request on its way. Each is well-formed, as the specification means it.
CHANGES = {
    "nothing": lambda body, headers: (body, headers),
    "body": lambda body, headers: (body + b" ", headers),
    "id": lambda body, headers: (body, headers | {"webhook-id": "another"}),
    "time": lambda body, headers: (body, headers | {"webhook-timestamp": str(SECONDS + 7)}),
    "signature": lambda body, headers: (body, headers | {"webhook-signature": "v1," + "A" * 43 + "="}),
    "version": lambda body, headers: (body, headers | {"webhook-signature": f"v2{headers['webhook-signature'][2:]}"}),
    "more": lambda body, headers: (body, headers | {"webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}),
    "case": lambda body, headers: (body, {name.upper(): value for name, value in headers.items()}),
    "twice": lambda body, headers: (body, headers | {"Webhook-Id": "another"}),
    "lost": lambda body, headers: (body, {name: value for name, value in headers.items() if name != "webhook-id"}),
}


@pytest.fixture(scope="class")
def fixed_time():
    """Let the specification's package see our fake time: it reads the system clock."""

    class Fixed(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(SECONDS, tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standardwebhooks.webhooks, "datetime", Fixed)
        yield


def ours(body, headers, secret):
    """Return the fields that we read, or the name of the error."""
    try:
        return read_webhook(body, headers, secret, clock=FakeClock())
    except Exception as error:
        return type(error).__name__


def theirs(body, headers, secret):
    """Return the fields that the specification's package reads, or the name of the error."""
    try:
        return Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return "WebhookRejected"
    except Exception as error:
        return type(error).__name__


@pytest.mark.usefixtures("fixed_time")
class TestSpecification:
    """The Python package of the specification's authors is the oracle."""

    @given(
        fields=st.dictionaries(st.text(), st.text()),
        key=st.binary(min_size=24, max_size=64),
        message_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        seconds=st.integers(-302, 302) | st.sampled_from([-301, -300, 300, 301]),
        change=st.sampled_from(sorted(CHANGES)),
    )
    def test_same_verdict(self, fields, key, message_id, seconds, change):
        """On every well-formed request our verdict and theirs are the same."""
        text, when = json.dumps(fields, ensure_ascii=False), SECONDS + seconds
        signature = Webhook(key).sign(message_id, datetime.fromtimestamp(when, UTC), text)
        headers = {"webhook-id": message_id, "webhook-timestamp": str(when), "webhook-signature": signature}
        request = CHANGES[change](text.encode(), headers)

        for secret in (key, f"whsec_{base64.b64encode(key).decode()}"):
            assert theirs(*request, secret) == ours(*request, secret)

    @given(text=st.text())
    def test_same_signature(self, text):
        """Our signature of any text is theirs."""
        headers = signed(text.encode(), SECRET.encode())
        when = datetime.fromtimestamp(SECONDS, UTC)

        assert Webhook(SECRET.encode()).sign(headers["webhook-id"], when, text) == headers["webhook-signature"]

    def test_huge_body(self):
        """A body of a megabyte is signed and read alike."""
        body = json.dumps({"text": random.Random(7).randbytes(500_000).hex()}).encode()

        assert json.loads(body) == ours(body, signed(body), SECRET) == theirs(body, signed(body), SECRET.encode())

    @pytest.mark.parametrize(
        "change, expected",
        [
            pytest.param({"body": b"\xff"}, ("WebhookRejected", "UnicodeDecodeError"), id="forged bytes"),
            pytest.param({"webhook-timestamp": f"{SECONDS}.5"}, ("WebhookRejected", FIELDS), id="fractional time"),
            pytest.param({"webhook-timestamp": f" {SECONDS}"}, ("WebhookRejected", FIELDS), id="time after a space"),
            pytest.param({"webhook-timestamp": f"{SECONDS:_}"}, ("WebhookRejected", FIELDS), id="underscores"),
            pytest.param({"webhook-signature": GOOD + "\n"}, ("WebhookRejected", FIELDS), id="junk after base64"),
            pytest.param({"webhook-signature": "v1,!" + GOOD[3:]}, ("WebhookRejected", FIELDS), id="junk in base64"),
            pytest.param({"webhook-signature": GOOD.rstrip("=")}, (FIELDS, "Error"), id="no padding"),
            pytest.param({"webhook-signature": f"v1 {GOOD}"}, (FIELDS, "ValueError"), id="no comma"),
            pytest.param({"webhook-signature": f"v1,a,b {GOOD}"}, (FIELDS, "ValueError"), id="two commas"),
            pytest.param({"webhook-signature": f"v1,ö {GOOD}"}, (FIELDS, "ValueError"), id="not ASCII"),
            pytest.param({"webhook-id": "\ud800"}, ("WebhookRejected", "UnicodeEncodeError"), id="surrogate"),
            pytest.param({"secret": SECRET}, (FIELDS, "Error"), id="text as the secret"),
            pytest.param({"secret": b"short"}, ("ConfigurationError", "WebhookRejected"), id="short secret"),
            pytest.param({"secret": "whsec_!" + "A" * 40}, ("ConfigurationError", "WebhookRejected"), id="bad base64"),
        ],
    )
    def test_difference(self, change, expected):
        """These are the inputs on which we differ: they are why we sign and verify ourselves."""
        request = {"body": BODY, "secret": SECRET.encode()} | HEADERS | change
        body, secret = request.pop("body"), request.pop("secret")

        assert expected == (ours(body, request, secret), theirs(body, request, secret))

    def test_their_errors_show_the_secret(self):
        """Their errors have the body and the secret in their frames."""
        with pytest.raises(ValueError, match="string argument should contain only ASCII") as from_secret:
            Webhook("whsec_" + "é" * 40)
        with pytest.raises(WebhookVerificationError) as from_body:
            Webhook(SECRET.encode()).verify(BODY, HEADERS | {"webhook-id": "another"})

        assert "é" * 40 in shown(from_secret.value)
        assert "314159" in shown(from_body.value)
