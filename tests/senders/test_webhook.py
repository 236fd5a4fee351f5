"""What one end signs the other end reads, and nothing else."""

import base64
import json
from datetime import timedelta

import pytest
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


@pytest.fixture
def clock():
    return FakeClock()


def signed(body=BODY, secret=SECRET, now=FakeClock().now):
    """Return the headers of a body."""
    return signed_headers(Opaque(body), key_of(Opaque(secret)), now)


#: Those of one request.
HEADERS = signed()
GOOD = HEADERS["webhook-signature"]


class TestRead:
    def test_signed(self, clock):
        """What was signed is read."""
        assert FIELDS == read_webhook(BODY, signed(), SECRET, clock=clock)

    @pytest.mark.parametrize("change", [str.upper, str.title])
    def test_header_names(self, change, clock):
        """The case of the headers' names does not matter, nor what other headers there are."""
        headers = {change(name): value for name, value in signed().items()} | {"Host": "sms.example.com"}

        assert FIELDS == read_webhook(BODY, headers, SECRET, clock=clock)

    def test_secrets(self, clock):
        """While the secret changes either of two is good, as text or as bytes."""
        for headers in (signed(), signed(secret=OTHER.encode())):
            assert FIELDS == read_webhook(BODY, headers, [SECRET, OTHER], clock=clock)

    def test_signatures(self, clock):
        """One good signature among several is enough, and other kinds are passed by."""
        headers = signed()
        good = headers["webhook-signature"]
        headers["webhook-signature"] = f"v1a,{good[3:]} v1,AAAA v1,= {good}"

        assert FIELDS == read_webhook(BODY, headers, SECRET, clock=clock)

    @pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
    def test_time(self, seconds, clock):
        """The two clocks may differ by five minutes, either way."""
        clock.move(seconds=seconds)

        assert FIELDS == read_webhook(BODY, signed(), SECRET, clock=clock)

    @pytest.mark.parametrize("seconds", [-300.001, 300.001, 10**9])
    def test_replay(self, seconds, clock):
        """What was signed longer ago is refused, and so is what will be."""
        clock.move(seconds=seconds)

        with pytest.raises(WebhookRejected, match="too far from now"):
            read_webhook(BODY, signed(), SECRET, clock=clock)

    def test_tolerance(self, clock):
        """The tolerance can be another one."""
        headers = signed()
        clock.move(seconds=2)

        assert FIELDS == read_webhook(BODY, headers, SECRET, tolerance=timedelta(seconds=2), clock=clock)
        with pytest.raises(WebhookRejected, match="too far from now"):
            read_webhook(BODY, headers, SECRET, tolerance=timedelta(seconds=1.999), clock=clock)

    def test_default_clock(self):
        """The clock is the system's unless another one is given."""
        with pytest.raises(WebhookRejected, match="too far from now"):
            read_webhook(BODY, signed(), SECRET)

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_missing(self, name, clock):
        """Each of the headers is needed."""
        headers = signed()
        del headers[name]

        with pytest.raises(WebhookRejected, match="lacks a header of webhook-id, webhook-timestamp and"):
            read_webhook(BODY, headers, SECRET, clock=clock)

    @pytest.mark.parametrize("seconds", ["", "x", "-1", "1.5", "١٧", "1" * 12, " 1"])
    def test_no_time(self, seconds, clock):
        """A time is a number of seconds."""
        with pytest.raises(WebhookRejected, match="is no time"):
            read_webhook(BODY, signed() | {"webhook-timestamp": seconds}, SECRET, clock=clock)

    @pytest.mark.parametrize(
        "changes",
        [
            {"webhook-id": "msg_1"},
            {"webhook-id": "\ud800"},
            {"webhook-timestamp": str(FakeClock().now // 10**9 + 1)},
            {"webhook-signature": ""},
            {"webhook-signature": "v1,"},
            {"webhook-signature": "v1,AAAA"},
            {"webhook-signature": "v1,ö"},
            signed(BODY + b" "),
            signed(secret=OTHER),
            {"webhook-signature": GOOD[3:]},
            {"webhook-signature": "v2," + GOOD[3:]},
            {"webhook-signature": GOOD.replace("=", "")[:-1]},
        ],
    )
    def test_forged(self, changes, clock):
        """Id, time, body and secret are all signed."""
        with pytest.raises(WebhookRejected, match="the signature is not the sender's"):
            read_webhook(BODY, HEADERS | changes, SECRET, clock=clock)

    def test_status(self):
        """What is refused is answered 401, and has a code of its own."""
        assert ("webhook_rejected", 401) == (WebhookRejected.code, WebhookRejected.http_status)

    @pytest.mark.parametrize("secret, seconds", [(OTHER, 0), (SECRET, 1000), ("short", 0)])
    def test_errors_show_nothing(self, secret, seconds, clock):
        """T12: no error shows the body or a secret, nor does its traceback with locals."""
        headers = signed()
        clock.move(seconds=seconds)

        with pytest.raises((WebhookRejected, ConfigurationError)) as caught:
            read_webhook(BODY, headers, [SECRET, secret], tolerance=-MINUTES, clock=clock)

        assert [] == [each for each in ("314159", "4155552671", SECRET, OTHER) if each in shown(caught.value)]


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
    )
    def test_wrong(self, secret):
        """What is no secret, or is too short, is refused."""
        with pytest.raises(ConfigurationError, match="secret: text or bytes, at least 24 bytes"):
            key_of(Opaque(secret))

    def test_least(self):
        """Twenty-four bytes are enough."""
        assert b"x" * 24 == key_of(Opaque("x" * 24)).reveal()


class TestSpecification:
    """The library of the specification's authors reads what we sign, and the reverse."""

    def test_signed(self):
        """Their library takes our headers."""
        import time

        headers = signed_headers(Opaque(BODY), key_of(Opaque(SECRET)), time.time_ns())

        assert FIELDS == Webhook(SECRET.encode()).verify(BODY, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(OTHER.encode()).verify(BODY, headers)

    @given(body=st.dictionaries(st.text(), st.text()), key=st.binary(min_size=24, max_size=64), name=st.text("abc_"))
    def test_read(self, body, key, name):
        """We take their signatures."""
        from datetime import UTC, datetime

        clock, text = FakeClock(), json.dumps(body)
        when = datetime.fromtimestamp(clock.now // 10**9, UTC)
        signature = Webhook(key).sign(name, when, text)
        headers = {"webhook-id": name, "webhook-timestamp": str(clock.now // 10**9), "webhook-signature": signature}

        assert body == read_webhook(text.encode(), headers, key, clock=clock)

    def test_ids_differ(self):
        """Every message has an id of its own, so that who receives it knows a repetition."""
        assert 100 == len({signed()["webhook-id"] for _ in range(100)})
