"""What the session remembers of a visitor. It fits a signed cookie: it holds no code, no number, no recovery code."""

from __future__ import annotations

from collections.abc import MutableMapping
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from ..core.arguments import exact

UserId: TypeAlias = "str | int | UUID"

#: A user id as JSON has it: a ``UUID`` with a tag.
TaggedId: TypeAlias = int | str | tuple[Literal["uuid"], str]

#: The one entry of the session that the pages use.
ENTRY = "smsmfa"
#: For how many seconds a visitor who gave the password may take the second step (system.md, "MFA token").
HALFWAY = 600
#: By how many seconds clocks of two servers may differ.
_SKEW = 60
#: Fields of a form that are longer are not read.
_LONGEST = 200
#: Seconds since the epoch, with room for every date that a ``datetime`` has.
_Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**38)]


class Visit(msgspec.Struct, omit_defaults=True):
    """A visitor who gave the password, and who is in once the second step is passed.

    Args:
        user: the user id as JSON has it. Use :attr:`user_id`.
        since: when the password was given, in seconds since the epoch.
        token: an unguessable string that every form of this visit carries. It survives getting in.
        next: where the visitor wanted to go.
        is_in: whether the second step is passed.
        proof: the token of the last ``Verification``, or ``None``.
        pending: the id of the last challenge of a number that is not confirmed yet. A dead one can be renewed by it.
        said: the last refusal of a message, as code, scope, and until when it holds.
    """

    user: TaggedId
    since: _Seconds
    token: str
    next: str
    is_in: bool = False
    proof: str | None = None
    pending: str = ""
    said: tuple[str, str, _Seconds] | None = None

    @property
    def user_id(self) -> UserId:
        """The user id as the application gave it: a ``UUID`` is stored with a tag."""
        return untagged(self.user)

    def owns(self, form_token: str) -> bool:
        """Tell whether a form was drawn for this visit: the protection from forged requests."""
        return compare_digest(_bytes(form_token), _bytes(self.token))

    def retry_key(self, nonce: str) -> str | None:
        """Return the key under which one form is answered again, or ``None`` for a form without a nonce.

        No other session can compute it.
        """
        return sha256(_bytes(f"{self.token} {nonce[:_LONGEST]}")).hexdigest() if nonce else None

    def save(self, session: MutableMapping[str, Any]) -> None:
        """Write the visit to a session, as plain JSON values."""
        session[ENTRY] = msgspec.to_builtins(self)


def begun(session: MutableMapping[str, Any], user_id: UserId, next_page: str, now: int) -> Visit:
    """Return a new visit of a user who gave the password. Forms of the same halfway user in another tab stay good."""
    before, user = read(session, now), tagged(user_id)
    visit = Visit(user, now, token_urlsafe(24), next_page)
    if before is not None and before.user == user and not before.is_in:
        visit.token, visit.pending = before.token, before.pending
    return visit


def want(session: MutableMapping[str, Any], page: str) -> None:
    """Note the page that a stranger asked for, to go there after the login."""
    session[ENTRY] = {"next": page}


def wanted(session: MutableMapping[str, Any]) -> object:
    """Return the page that a stranger asked for, or ``None``."""
    entry = session.get(ENTRY)
    return entry.get("next") if isinstance(entry, dict) and entry.keys() == {"next"} else None


def read(session: MutableMapping[str, Any], now: int) -> Visit | None:
    """Return the visit of a session, or ``None``: for a stranger, and for one who was halfway for too long.

    Args:
        session: the framework's session.
        now: seconds since the epoch.
    """
    try:
        visit = msgspec.convert(session.get(ENTRY), Visit)
        known = visit.user_id != ""
    except (msgspec.ValidationError, ValueError):
        return None
    return visit if known and (visit.is_in or -_SKEW <= now - visit.since < HALFWAY) else None


def tagged(user_id: UserId) -> TaggedId:
    """Return a user id as a plain value of JSON: frameworks have subclasses of ``str`` and ``int``."""
    if isinstance(user_id, UUID):
        return ("uuid", str(user_id))
    return exact(user_id) if isinstance(user_id, str) else int(user_id)


def untagged(user: TaggedId) -> UserId:
    """Return a user id as the application gave it."""
    return UUID(user[1]) if isinstance(user, tuple) else user


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
