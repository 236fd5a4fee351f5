"""How a Twilio account is reached: with whose credentials, and where Twilio is."""

import re
from inspect import iscoroutinefunction
from typing import Any

import attrs

from ...core.opaque import Opaque
from ...exceptions import ConfigurationError
from ..address import checked_address
from .arguments import fits, require

_ACCOUNT = re.compile(r"AC[0-9a-f]{32}", re.IGNORECASE)
#: An API key, or an account: the parent of a subaccount.
_KEY = re.compile(r"(SK|AC)[0-9a-f]{32}", re.IGNORECASE)
#: Twilio documents no format for tokens and secrets. This is what HTTP Basic authentication needs.
_SECRET = re.compile(r"[!-~]{16,}")
#: A part of a host's name.
_PLACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@attrs.frozen
class Credentials:
    """The account, and what requests are authenticated by.

    Args:
        account: the account whose messages are sent.
        user: the SID of the account, of its API key, or of its parent account.
        secret: what belongs to ``user``: an auth token, or the secret of the key.
    """

    account: Opaque[str]
    user: Opaque[str]
    secret: Opaque[str]

    @property
    def are_of_a_key(self) -> bool:
        """Whether they are an API key, which may not read everything."""
        return self.user.reveal()[:2].upper() == "SK"

    @property
    def are_of_a_parent(self) -> bool:
        """Whether they are another account's. Outside the REST API's 2010 version they reach only that account."""
        return not self.are_of_a_key and self.user.reveal().lower() != self.account.reveal().lower()


@attrs.frozen
class Place:
    """Where requests go.

    Args:
        region: Twilio's region, such as ``"ie1"``.
        edge: where they enter Twilio's network, such as ``"dublin"``.
        base_url: the address that stands for every host of Twilio's.
        direct: whether no proxy may see the requests.
    """

    region: str | None = None
    edge: str | None = None
    base_url: str | None = attrs.field(default=None, repr=False)
    direct: bool = False


def checked_credentials(account: Opaque[Any], token: Opaque[Any], key: Opaque[Any], secret: Opaque[Any]) -> Credentials:
    """Return the credentials: an auth token, or a key and its secret.

    Raises:
        ConfigurationError: one is missing, one is too many, or one cannot be what it should be.
    """
    require(fits(_ACCOUNT, account), "account_sid must be AC and 32 hexadecimal digits, as in Twilio's console")
    if key.reveal() is None and secret.reveal() is None:
        require(fits(_SECRET, token), "auth_token must be text of 16 or more ASCII characters without white space")
        return Credentials(account, account, token)
    require(token.reveal() is None, "give auth_token, or api_key and api_secret, and not both")
    require(fits(_KEY, key), "api_key must be SK and 32 hexadecimal digits, or the SID of the parent account")
    require(fits(_SECRET, secret), "api_secret must be text of 16 or more ASCII characters without white space")
    return Credentials(account, key, secret)


def checked_place(region: str | None, edge: str | None, base_url: Opaque[Any]) -> Place:
    """Return where requests go.

    Raises:
        ConfigurationError: a name is no part of a host's name, the address may get no codes, or both are given.
    """
    for name, value in (("region", region), ("edge", edge)):
        require(value is None or fits(_PLACE, value), f"{name} must be lower-case letters and digits, such as ie1")
    if base_url.reveal() is None:
        return Place(region, edge)
    require(
        region is None and edge is None, "base_url replaces the hosts that region and edge name; give one or the other"
    )
    address = checked_address(base_url, "base_url", base=True)
    return Place(base_url=address.url, direct=address.is_loopback)


def checked_client(client: Any) -> Any:
    """Return an HTTP client, or ``None`` for our own.

    Raises:
        ConfigurationError: it is not like those of the SDK, or is asynchronous.
    """
    if client is None:
        return None
    request = None if isinstance(client, type) else getattr(client, "request", None)
    if not callable(request) or iscoroutinefunction(request):
        raise ConfigurationError("http_client must be like twilio.http.HttpClient, with a request() that is not async")
    return client
