"""The protocols that you can implement, and the values that they use."""

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
    """What a change wants to store under one key.

    Args:
        value: exactly these bytes.
        keep_for: how long the store must keep the entry, in seconds by its own clock (0 to 10^11). After that it may
            forget the entry. ``None``: forever.
    """

    value: bytes = attrs.field(repr=False)
    keep_for: int | None = None


#: Takes the values stored under the keys (an absent key is missing from the mapping). Returns the entries to write
#: (``None``: delete the key) and an outcome. It is synchronous, pure and quick. A store may call it again with fresh
#: values, and only the last call counts.
Change: TypeAlias = Callable[[Mapping[str, bytes]], tuple[Mapping[str, Entry | None], T]]


class Store(Protocol):
    """Keeps the records of the factor, with one atomic operation over a few keys.

    An update writes all of its keys or none. Two updates that share a key behave as if one came after the other, even
    if the key is absent. An exception from ``change`` or the database leaves every key as it was. A store that cannot
    tell whether its commit took effect raises :class:`~smsmfa.StoreError`. Keys are distinct, printable ASCII of at
    most 250 characters, and compare as bytes.
    """

    def read(self, key: str) -> bytes | None:
        """Return the value under ``key``, or ``None``. It reflects every completed update."""

    def update(self, keys: Sequence[str], change: Change[T]) -> T:
        """Run ``change`` on the current values of ``keys``, write its entries, and return its outcome.

        Raises:
            ValueError: ``change`` wrote outside ``keys``; nothing was changed.
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
        text: the complete text.
        code: the code by itself, for carriers that take it apart from the text. Hidden until ``.reveal()``.
        kind: ``"enrollment"``, ``"verification"`` or ``"notice"``.
        purpose: what the code is for, as the application named it, or ``"enrollment"``. With ``language`` it tells
            which text this is, for carriers that want the id of a registered template.
        challenge_id: the challenge of this message. It is no secret.
        expires_at: when the code stops being accepted.
        channel: ``"sms"``, ``"voice"`` (the text will be spoken) or ``"whatsapp"``. A sender that does not have the
            channel raises :class:`~smsmfa.SenderMisconfigured`.
        locale: the language that the application asked for, or ``None``.
        language: the language of the text, for a voice; ``None``: unknown, since one text serves all languages.
        english: the text in English, for a carrier whose voices do not speak ``language``. ``None``: that is English or
            unknown, no English text shows all details, or the channel is not ``"voice"``.
        details: the details that the text shows, as pairs. A sender that sends something other than the text must show
            them, or raise :class:`~smsmfa.SenderMisconfigured`.
    """

    to: PhoneNumber
    text: str = attrs.field(repr=False)
    code: Opaque[str] = attrs.field(converter=_opaque)
    kind: str
    purpose: str = VERIFICATION
    challenge_id: str
    expires_at: datetime
    channel: str = SMS
    locale: str | None = None
    language: str | None = None
    english: str | None = attrs.field(default=None, repr=False)
    details: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)


@attrs.frozen
class Receipt:
    """A carrier's confirmation that it took the message.

    Args:
        message_id: the carrier's id of the message, or ``None`` if it gives none.
        sender: the name of the sender, for logs.
    """

    message_id: str | None = None
    sender: str = ""


class Sender(Protocol):
    """Hands one message to a carrier.

    It returns a :class:`Receipt`, or raises one of these:

    - :class:`~smsmfa.DeliveryRejected`: the message certainly was not sent. Its subclasses say why:
      :class:`~smsmfa.RecipientRejected` (because of the recipient, so do not ask another carrier),
      :class:`~smsmfa.RecipientOptedOut` (not before the recipient answers START) and
      :class:`~smsmfa.SenderMisconfigured` (not before the operator acts).
    - ``RateLimited("carrier", pause)``: the message certainly was not sent, and the carrier asks for a pause.
    - :class:`~smsmfa.DeliveryUncertain`: the message may have been sent. Every other exception counts as this one.

    It never retries a message that may have been sent, and it takes a bounded time.
    """

    def send(self, message: Message) -> Receipt:
        """Send ``message`` once."""


class AsyncSender(Protocol):
    """:class:`Sender` for asyncio."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`Sender.send`."""
