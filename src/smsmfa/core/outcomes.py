"""What decisions return."""

from typing import TypeAlias

import msgspec

from ..exceptions import SmsMfaError
from .records import Answer, Issued, Pending, Phone


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
    #: Whether the user has confirmed the number, so that the message was charged to its lane.
    confirmed: bool = True
    #: What the new challenge replaced. It is put back if the message does not go out.
    displaced: Issued | Pending | None = None
    #: If this message repeats one: when, and by which channel, that went out.
    before: tuple[int, str] | None = None


class Accepted(Outcome):
    """The code was right, now or when the same request came before."""

    #: The stamp of the user's numbers, for the proof.
    stamp: bytes
    answer: Answer
    repeated: bool = False


class Enrolled(Accepted, kw_only=True):
    """The number is enrolled, now or when the same request came before."""

    phone: Phone
    #: Whether the recovery codes that were drawn are the user's, and must be shown.
    shows_codes: bool


class Renewed(Outcome):
    """The recovery codes were replaced, now or when the same request came before."""

    answer: Answer
    repeated: bool = False


class Done(Outcome):
    """The change was made."""
