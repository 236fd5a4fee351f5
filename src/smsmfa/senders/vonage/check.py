"""Check with a read request whether a Vonage account can send messages."""

from ...core.opaque import Opaque
from ...values import Finding
from ..answer import json_object
from ..silence import silenced

_DASHBOARD = "https://dashboard.vonage.com"
_PATH = "/account/get-balance"


def examine(login: tuple[Opaque[str], Opaque[str]], url: str, seconds: float, *, direct: bool) -> Finding:
    """Return what the account's balance says: whether the credentials are right, and whether there is money.

    Args:
        login: the API key and the secret.
        url: the address of the API.
        seconds: how long Vonage may take to accept a connection, and again to answer.
        direct: whether no proxy may see the request.
    """
    from ..session import BoundedSession, failure_of

    try:
        with BoundedSession(seconds, direct=direct) as session, silenced("requests", "urllib3"):
            key, secret = login
            status, _, body = session.ask("GET", url + _PATH, auth=(key.reveal(), secret.reveal()))
    except Exception as error:
        return Finding("account", "not checked", str(failure_of(error, "Vonage")), "check the network; run it again")
    return _judged(status, json_object(body) or {})


def _judged(status: int, fields: dict[str, object]) -> Finding:
    if status == 401:
        advice = f"copy the API key and the secret from {_DASHBOARD}"
        return Finding("account", "error", "Vonage does not know this API key with this secret", advice)
    value = fields.get("value")
    if status != 200 or type(value) not in {int, float}:
        return Finding("account", "not checked", f"Vonage answers HTTP {status} without a balance", "run it again")
    if float(str(value)) > 0 or fields.get("autoReload") is True:
        return Finding("account", "ok", "the credentials are right, and the account has money")
    return Finding("account", "warning", "the account has no money", f"add money on {_DASHBOARD}")
