"""The protocols that people implement, and the values that cross them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol, TypeAlias, TypeVar

import attrs

from .core.opaque import Opaque
from .phone import PhoneNumber

__all__ = [
    "CHANNELS",
    "ENROLLMENT",
    "NOTICE",
    "SMS",
    "VERIFICATION",
    "VOICE",
    "WHATSAPP",
    "AsyncSender",
    "AsyncStore",
    "Change",
    "Clock",
    "Entry",
    "Message",
    "Receipt",
    "Sender",
    "Store",
]

T = TypeVar("T")

#: The channels by which a message can go out. All of them are charged to the same limits.
SMS: Final = "sms"
VOICE: Final = "voice"
WHATSAPP: Final = "whatsapp"
CHANNELS: Final = (SMS, VOICE, WHATSAPP)

#: The kinds of message: one that confirms a new number, one for a login or another purpose, one without a code.
ENROLLMENT: Final = "enrollment"
VERIFICATION: Final = "verification"
NOTICE: Final = "notice"

#: A function like :func:`time.time_ns`: nanoseconds since the epoch, as an integer.
Clock: TypeAlias = Callable[[], int]


@attrs.frozen
class Entry:
    """What a change wants stored under one key.

    Args:
        value: exactly these bytes.
        keep_for: seconds (0 to 10^11, by the store's own clock) after which the store may forget
            the entry, never before; ``None``: for ever.
    """

    value: bytes = attrs.field(repr=False)
    keep_for: int | None = None


#: Given what is stored under the keys (an absent key is missing from the mapping), say what changes
#: (``None``: delete; an empty mapping: nothing) and what came of it. Synchronous, pure and quick: a
#: store may call it again with fresh values, and only its last call counts.
Change: TypeAlias = Callable[[Mapping[str, bytes]], tuple[Mapping[str, Entry | None], T]]


class Store(Protocol):
    """Where the factor keeps its records: one atomic operation over a few keys.

    All keys or none; two updates that share a key behave as if one came after the other, absent keys
    included. An exception from ``change`` or the database leaves every key as it was. A store that
    cannot tell whether its commit took effect raises :class:`~smsmfa.StoreError`. Keys are distinct,
    printable ASCII of at most 250 characters, and compare as bytes.
    """

    def read(self, key: str) -> bytes | None:
        """Return what is stored under ``key``, every completed update included, or ``None``."""

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, store what it says, return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``; nothing is changed.
            StoreError: the database failed or could not confirm its commit.
        """


class AsyncStore(Protocol):
    """:class:`Store` for asyncio. ``change`` stays synchronous."""

    async def read(self, key: str) -> bytes | None:
        """Like :meth:`Store.read`."""

    async def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Like :meth:`Store.update`."""


def _opaque(code: str | Opaque[str]) -> Opaque[str]:
    return code if isinstance(code, Opaque) else Opaque(code)


@attrs.frozen(kw_only=True, slots=False)  # a third faster to make
class Message:
    """One rendered message, as a sender gets it.

    Args:
        to: the recipient.
        text: what to send, complete.
        code: the code apart from the text, for carriers that take it so; opaque until ``.reveal()``.
        kind: ``"enrollment"``, ``"verification"`` or ``"notice"``.
        challenge_id: the challenge this message belongs to; no secret.
        expires_at: when the code stops being accepted.
        channel: ``"sms"``, ``"voice"`` (the text is to be spoken) or ``"whatsapp"``. A sender without it raises
            :class:`~smsmfa.SenderMisconfigured`.
        locale: the language the application asked for, or ``None``.
        language: that of the text, for a voice; ``None``: not known, the text is the same in all.
    """

    to: PhoneNumber
    text: str = attrs.field(repr=False)
    code: Opaque[str] = attrs.field(converter=_opaque)
    kind: str
    challenge_id: str
    expires_at: datetime
    channel: str = "sms"
    locale: str | None = None
    language: str | None = None


@attrs.frozen
class Receipt:
    """A carrier's word that it took the message.

    Args:
        message_id: the carrier's id, or ``None`` where it gives none.
        sender: which sender it was, for logs.
    """

    message_id: str | None = None
    sender: str = ""


class Sender(Protocol):
    """Hands one message to a carrier.

    It returns a :class:`Receipt`, or raises :class:`~smsmfa.DeliveryRejected` (certainly not sent), under it
    :class:`~smsmfa.RecipientRejected` (because of who it is to: no other carrier may be asked),
    :class:`~smsmfa.RecipientOptedOut` (nor this one before the recipient answers START) and
    :class:`~smsmfa.SenderMisconfigured` (not before the operator acts), ``RateLimited("carrier", pause)`` (certainly
    not sent, and the carrier wants a pause) or :class:`~smsmfa.DeliveryUncertain`. Whatever else it raises counts
    as uncertain. It never retries what may have been sent, and bounds its time.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once."""


class AsyncSender(Protocol):
    """:class:`Sender` for asyncio."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`Sender.send`."""
