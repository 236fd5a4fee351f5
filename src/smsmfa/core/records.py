"""What is stored: one record per user, one per phone number, one for the total.

Arrays of MessagePack, the version first. A field is only ever added at the end, with a default, so
that old records decode; a change of meaning takes a new version. No record holds a code, the hash
of one, or anything a code could be guessed against. Instants are microseconds since the epoch.
"""

from binascii import b2a_base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal, TypeVar

import msgspec

from ..exceptions import StoreError
from ..phone import PhoneNumber


class Record(msgspec.Struct, array_like=True):
    """A part of what is stored. Its ``repr`` shows nothing, because it knows whole numbers."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Phone(Record):
    """A number of a user, enrolled or pending."""

    id: str
    number: int
    region: str
    type: str
    enrolled_at: int = 0
    last_used_at: int = 0
    #: Wrong codes in a row since the last right one.
    failures: int = 0
    disabled: bool = False

    @property
    def phone(self) -> PhoneNumber:
        """The number as the outside sees it."""
        return PhoneNumber(f"+{self.number}", self.region, self.type)


class Issued(Record):
    """A challenge that was sent, and may still be answered or sent again."""

    id: str
    key_id: int
    purpose: str
    phone_id: str
    details: tuple[tuple[str, str], ...]
    locale: str | None
    created: int
    expires: int
    sent: int
    attempts: int = 0
    #: How its last message went out.
    channel: str = "sms"


class Pending(Record):
    """A number that waits for its first code, beside any enrolled one."""

    issued: Issued
    phone: Phone
    #: The id of the number it will replace.
    replaces: str | None = None


class User(Record):
    """Everything about one user."""

    version: Literal[1] = 1
    phones: list[Phone] = []
    issued: list[Issued] = []
    pending: Pending | None = None
    #: Hashes of the recovery codes.
    recovery: list[bytes] = []
    #: Moves whenever the user's numbers change; a proof token names the count it was given under.
    changes: int = 0
    sends: int = 0
    guesses: int = 0
    recoveries: int = 0


class Number(Record):
    """What is shared by all users of one phone number."""

    version: Literal[1] = 1
    sends: int = 0
    #: The users that enrolled it, where ``max_users_per_number`` limits them.
    holders: list[bytes] = []


class Total(Record):
    """The bucket of all messages."""

    version: Literal[1] = 1
    sends: int = 0


R = TypeVar("R", User, Number, Total)

TOTAL_KEY = "t:total"
#: Returns the stored form of a record.
encode: Callable[[User | Number | Total], bytes] = msgspec.msgpack.Encoder().encode
_decoders: dict[type[Record], Callable[[bytes], Any]] = {
    kind: msgspec.msgpack.Decoder(kind).decode for kind in (User, Number, Total)
}


def decode(kind: type[R], value: bytes | None) -> R:
    """Return the record that was stored, or a blank one.

    Raises:
        StoreError: the bytes are not such a record, or of a version that this release cannot read.
    """
    if value is None:
        return kind()
    try:
        record: R = _decoders[kind](value)
        return record
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # raise below, so that the decoder's error, which may quote the value, is not chained
    raise StoreError(f"a stored {kind.__name__} record does not decode; was it written by a newer release?")


def user_key(user_id: str) -> str:
    """Return the store key of a user's record."""
    return "u:" + _hashed(user_id.encode("utf-8", "surrogatepass"))


def number_key(number: int) -> str:
    """Return the store key of a number's record."""
    return "n:" + _hashed(b"%d" % number)


def _hashed(data: bytes) -> str:
    """SHA-256 in 43 characters that every store keeps apart."""
    return b2a_base64(sha256(data).digest())[:43].decode()
