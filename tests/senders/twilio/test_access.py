"""Credentials and places that cannot work are refused before any message."""

import pytest
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient

from smsmfa.core.opaque import Opaque
from smsmfa.exceptions import ConfigurationError
from smsmfa.senders.twilio.access import Place, checked_client, checked_credentials, checked_place

ACCOUNT = "AC" + "0123456789abcdef" * 2
PARENT = "AC" + "f" * 32
KEY = "SK" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
BOTH = "give auth_token, or api_key and api_secret, and not both"


def credentials(account=ACCOUNT, token=None, key=None, secret=None):
    """Return checked credentials."""
    return checked_credentials(Opaque(account), Opaque(token), Opaque(key), Opaque(secret))


@pytest.mark.parametrize(
    "given, user, kinds",
    [
        ((ACCOUNT, TOKEN), ACCOUNT, (False, False)),
        ((ACCOUNT.upper(), "!" * 16), ACCOUNT.upper(), (False, False)),
        ((ACCOUNT, None, KEY, TOKEN), KEY, (True, False)),
        ((ACCOUNT, None, KEY.lower(), TOKEN), KEY.lower(), (True, False)),
        ((ACCOUNT, None, PARENT, TOKEN), PARENT, (False, True)),
        ((ACCOUNT, None, ACCOUNT.upper(), TOKEN), ACCOUNT.upper(), (False, False)),
    ],
)
def test_credentials(given, user, kinds):
    """Requests are authenticated by the account, by a key, or by a parent account."""
    checked = credentials(*given)

    assert (user, kinds) == (checked.user.reveal(), (checked.are_of_a_key, checked.are_of_a_parent))
    assert (given[0], given[1] or given[3]) == (checked.account.reveal(), checked.secret.reveal())


@pytest.mark.parametrize(
    "given, advice",
    [
        *(
            ((account, TOKEN), "account_sid must be AC and 32 hexadecimal digits")
            for account in ("AC1", ACCOUNT + "\n", TOKEN, None, KEY)
        ),
        *(
            ((ACCOUNT, token), "auth_token must be text of 16 or more ASCII")
            for token in (None, "", TOKEN[:15], TOKEN + "\n", f" {TOKEN}", TOKEN + "ö", TOKEN.encode())
        ),
        ((ACCOUNT, TOKEN, KEY, TOKEN), BOTH),
        ((ACCOUNT, TOKEN, KEY, None), BOTH),
        ((ACCOUNT, TOKEN, None, TOKEN), BOTH),
        ((ACCOUNT, None, None, TOKEN), "api_key must be SK and 32 hexadecimal digits"),
        ((ACCOUNT, None, TOKEN, KEY), "api_key must be SK and 32 hexadecimal digits"),
        ((ACCOUNT, None, KEY, None), "api_secret must be text of 16 or more ASCII"),
        ((ACCOUNT, None, KEY, "short"), "api_secret must be text of 16 or more ASCII"),
    ],
)
def test_wrong_credentials(given, advice):
    """T12: credentials that are missing, too many or swapped are refused, and the error does not show them."""
    with pytest.raises(ConfigurationError) as caught:
        credentials(*given)

    assert str(caught.value).startswith(advice)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "given, expected",
    [
        ((None, None, None), Place()),
        (("ie1", None, None), Place("ie1")),
        ((None, "dublin-ix", None), Place(None, "dublin-ix")),
        ((None, None, "https://acme.example/t/"), Place(base_url="https://acme.example/t")),
        ((None, None, "http://127.0.0.1:8000"), Place(base_url="http://127.0.0.1:8000", direct=True)),
    ],
)
def test_place(given, expected):
    """Region and edge are parts of a host's name; an address replaces every host."""
    assert expected == checked_place(*given[:2], Opaque(given[2]))


@pytest.mark.parametrize(
    "given, advice",
    [
        *(((part, None, None), "region must be") for part in ("", "IE1", "a.b", "a/b", "ie1\n", "-a", "a-", 7, "é")),
        ((None, "evil.example/", None), "edge must be lower-case letters and digits"),
        ((None, "a" * 64, None), "edge must be"),
        (("ie1", None, "https://acme.example"), "base_url replaces the hosts that region and edge name"),
        ((None, "dublin", "https://acme.example"), "base_url replaces the hosts"),
        ((None, None, "http://acme.example"), "base_url: https:// and a host"),
    ],
)
def test_wrong_place(given, advice):
    """A place that would send codes elsewhere is refused."""
    with pytest.raises(ConfigurationError) as caught:
        checked_place(*given[:2], Opaque(given[2]))

    assert str(caught.value).startswith(advice)


def test_client():
    """A client like the SDK's is accepted, and none means ours."""
    own = TwilioHttpClient(timeout=10)

    assert (own, None) == (checked_client(own), checked_client(None))


@pytest.mark.parametrize("client", [7, "client", TwilioHttpClient, object.__new__(AsyncTwilioHttpClient)])
def test_wrong_client(client):
    """Anything without a request() that blocks is refused."""
    with pytest.raises(ConfigurationError, match=r"^http_client must be like twilio.http.HttpClient"):
        checked_client(client)
