"""What decisions return."""

from typing import TypeAlias

import msgspec

from ..exceptions import SmsMfaError
from .records import Issued, Pending, Phone


class Outcome(msgspec.Struct):
    """What a decision returns unless it refuses. Its ``repr`` shows nothing."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


#: A refusal is an error that is returned, not raised, so that the store commits what the decision changed.
Refusal: TypeAlias = SmsMfaError


class Reply(Outcome):
    """A challenge, and whether its message must go out."""

    issued: Issued
    phone: Phone
    sent: bool
    #: What the new challenge replaced. It is put back if the message does not go out.
    displaced: Issued | Pending | None = None
    #: If this message repeats one: when, and by which channel, that went out.
    before: tuple[int, str] | None = None


class Accepted(Outcome):
    """The code was right."""

    #: How often the user's numbers have changed, for the proof.
    changes: int
    #: How the code reached the user: a channel, or ``"recovery"``.
    method: str


class Enrolled(Accepted):
    """The code was right, and the number is enrolled."""

    phone: Phone
    #: Whether the recovery codes that were drawn are now the user's, and must be shown.
    recovery: bool


class Done(Outcome):
    """The change was made."""
