"""What is stored: one record per user, one per phone number, and one for the total.

A record is a MessagePack array that begins with its version. New fields go at the end, with a default, so that old
records still decode. If a meaning changes, the version does too. No record holds a code, the hash of a code, or
anything else that confirms a guess. Instants are microseconds since the epoch.
"""

from binascii import b2a_base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from ..exceptions import StoreError
from ..phone import PhoneNumber
from ..typing import SMS

#: What a challenge is bound to, sorted by key.
Details: TypeAlias = tuple[tuple[str, str], ...]


class Record(msgspec.Struct, array_like=True):
    """A part of what is stored. Its ``repr`` shows nothing, since it knows whole numbers."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Phone(Record):
    """A number of one user, enrolled or pending."""

    id: str
    number: int
    region: str
    type: str
    enrolled_at: int = 0
    last_used_at: int = 0
    #: Wrong codes in a row.
    failures: int = 0
    disabled: bool = False

    @property
    def phone(self) -> PhoneNumber:
        """The number as the application sees it."""
        return PhoneNumber(f"+{self.number}", self.region, self.type)


class Issued(Record):
    """A challenge that was sent, and can perhaps still be answered or sent again."""

    id: str
    key_id: int
    purpose: str
    phone_id: str
    details: Details
    locale: str | None
    created: int
    expires: int
    sent: int
    attempts: int = 0
    #: The channel of its last message.
    channel: str = SMS


class Pending(Record):
    """A number that waits for its first code, beside the enrolled ones."""

    issued: Issued
    phone: Phone
    #: The id of the number that it will replace.
    replaces: str | None = None


class Answer(Record):
    """The answer to a request with a code."""

    #: A hash of the request, without its code.
    about: bytes
    at: int
    #: A hash of the retry key and the code under a secret, or empty: this request cannot be repeated.
    mark: bytes = b""
    #: Names that secret.
    key_id: int = 0
    #: The channel of the code, or ``"recovery"``.
    method: str = ""
    #: The number that was enrolled.
    phone_id: str = ""
    #: With the retry key and the secret, it gives the recovery codes that the answer showed.
    seed: bytes = b""
    #: How many those were.
    codes: int = 0
    #: How often the request came again with another code.
    misses: int = 0
    #: The ``code`` of the error that refused the request.
    refusal: str = ""


class User(Record):
    """Everything about one user."""

    version: Literal[1] = 1
    phones: list[Phone] = []
    issued: list[Issued] = []
    pending: Pending | None = None
    #: Hashes of the recovery codes.
    recovery: list[bytes] = []
    #: A random value that is drawn anew whenever the user's numbers change. Proofs are bound to it. An integer means
    #: that none was drawn yet.
    stamp: bytes | int = 0
    sends: int = 0
    guesses: int = 0
    recoveries: int = 0
    refunds: int = 0
    #: The last requests that were accepted, and the last that were refused, so that they can be answered again.
    accepted: list[Answer] = []
    refused: list[Answer] = []


class Number(Record):
    """What all users of one phone number share."""

    version: Literal[1] = 1
    #: Messages to users who have confirmed the number.
    sends: int = 0
    #: The users who enrolled it, if ``max_users_per_number`` limits them.
    holders: list[bytes] = []
    #: Messages that confirm the number.
    unverified: int = 0


class Total(Record):
    """The bucket of all messages."""

    version: Literal[1] = 1
    sends: int = 0


R = TypeVar("R", User, Number, Total)

#: Returns the stored form of a record.
encode: Callable[[User | Number | Total], bytes] = msgspec.msgpack.Encoder().encode
_decoders: dict[type[Record], Callable[[bytes], Any]] = {
    kind: msgspec.msgpack.Decoder(kind).decode for kind in (User, Number, Total)
}


def decode(kind: type[R], value: bytes | None) -> R:
    """Return the stored record, or a blank one if there is none.

    Raises:
        StoreError: the bytes are no such record, or have a version that this release cannot read.
    """
    if value is None:
        return kind()
    try:
        record: R = _decoders[kind](value)
        return record
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # raised below, so that the decoder's error, which may quote the value, is not chained
    del value  # it may hold whole numbers, which a traceback with locals must not show
    raise StoreError(f"a stored {kind.__name__} record does not decode; was it written by a newer release?")


def key_prefix(namespace: str) -> str:
    """Return what the store keys of a namespace begin with, after the letter of their kind."""
    return _hashed(namespace.encode("utf-8", "surrogatepass")) + ":" if namespace else ""


def user_key(user_id: str, prefix: str = "") -> str:
    """Return the store key of a user's record."""
    return f"u:{prefix}{_hashed(user_id.encode('utf-8', 'surrogatepass'))}"


def number_key(number: int, prefix: str = "") -> str:
    """Return the store key of a number's record."""
    return f"n:{prefix}{_hashed(b'%d' % number)}"


def total_key(prefix: str = "") -> str:
    """Return the store key of the record of all messages."""
    return f"t:{prefix}total"


def _hashed(data: bytes) -> str:
    """Return SHA-256 in 43 characters that every store tells apart."""
    return b2a_base64(sha256(data).digest())[:43].decode()
