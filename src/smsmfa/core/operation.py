"""One operation on one user: which records it touches, and the change it asks the store for."""

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TypeAlias, TypeVar

import msgspec

from ..config import FactorConfig
from ..events import Listener, emit
from ..exceptions import SmsMfaError, StoreError
from ..limiter import KEEP_MARGIN, Limit, keep_for
from ..texts.segments import Segments, segments
from ..typing import Entry, Message
from .records import TOTAL_KEY, Number, Phone, Total, User, decode, encode, number_key, user_key

#: How long a dead challenge can still be asked for again, and its record is kept (microseconds).
DAY = 86_400_000_000


class Outcome(msgspec.Struct):
    """What came of a decision that did not refuse. Its ``repr`` shows nothing."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


#: A refusal is the error itself, returned and not raised: what it changed is stored first.
Refusal: TypeAlias = SmsMfaError
O = TypeVar("O", bound=Outcome)  # noqa: E741


#: What no change comes to.
_NOTHING = object()


class Missing(Exception):
    """A decision asks for the record of a number that its keys did not cover."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Book:
    """The records one decision sees, decoded, at one instant. What it changed comes out as writes."""

    __slots__ = ("_numbers", "_operation", "_total", "_values", "config", "now", "phone", "user", "user_key")

    def __init__(self, operation: "Operation", values: Mapping[str, bytes]) -> None:
        self._operation = operation
        self._values = values
        self._numbers: dict[int, Number] = {}
        self._total: Total | None = None
        self.config: FactorConfig = operation.config
        self.now: int = operation.now
        #: Whose records these are.
        self.user_key: str = operation.user_key
        self.user: User = operation.planned(values.get(self.user_key))
        #: The number the decision is about, once it knows.
        self.phone: Phone | None = None

    @property
    def holder(self) -> bytes:
        """The user, as the record of a number names them."""
        return self.user_key[2:].encode()

    def number(self, number: int) -> Number:
        """Return the record of a phone number, or say that it is missing."""
        record = self._numbers.get(number)
        if record is None:
            key = self._operation.numbers.get(number)
            if key is None:
                raise Missing(number)
            record = self._numbers[number] = decode(Number, self._values.get(key))
        return record

    def send_buckets(self, number: int) -> list[tuple[str, Limit, User | Number | Total]]:
        """Return every bucket that a message to ``number`` is taken from, with its scope and limit."""
        limits = self.config.limits
        buckets: list[tuple[str, Limit, User | Number | Total]] = [("user", limits.user, self.user)]
        if limits.number is not None:
            buckets.append(("number", limits.number, self.number(number)))
        if limits.total is not None:
            if self._total is None:
                self._total = decode(Total, self._values.get(TOTAL_KEY))
            buckets.append(("total", limits.total, self._total))
        return buckets

    def writes(self) -> dict[str, Entry | None]:
        """Return what changed, by key."""
        writes: dict[str, Entry | None] = {}
        limits = self.config.limits
        self._write(writes, self.user_key, self.user, self._user_keep_for())
        for number, record in self._numbers.items():
            keep = None
            if not record.holders:
                keep = 0 if limits.number is None else keep_for(limits.number, record.sends, self.now)
            self._write(writes, self._operation.numbers[number], record, keep)
        if self._total is not None and limits.total is not None:
            self._write(writes, TOTAL_KEY, self._total, keep_for(limits.total, self._total.sends, self.now))
        return writes

    def _write(
        self, writes: dict[str, Entry | None], key: str, record: User | Number | Total, keep: int | None
    ) -> None:
        value = None if keep == 0 else encode(record)  # absent is the same as full
        if value != self._values.get(key):
            writes[key] = None if value is None else Entry(value, keep)

    def _user_keep_for(self) -> int | None:
        """Return for how many seconds the user's record says anything; ``None``: for ever."""
        user, limits = self.user, self.config.limits
        if user.phones:
            return None
        buckets = (limits.user, user.sends), (limits.guesses, user.guesses), (limits.recovery, user.recoveries)
        longest = DAY // 10**6 + KEEP_MARGIN if user.changes else 0
        if user.pending:
            longest = max(longest, (user.pending.issued.expires + DAY - self.now) // 10**6 + KEEP_MARGIN)
        for limit, bucket in buckets:
            keep = keep_for(limit, bucket, self.now)
            if keep is None:
                return None
            longest = max(longest, keep)
        return longest


Decide: TypeAlias = Callable[[Book], O | Refusal]
#: Which of a user's numbers an operation is about.
Locate: TypeAlias = Callable[[User], Iterable[Phone]]
#: What a change comes to: done, refused, or look again with one more key.
Result: TypeAlias = O | Refusal | Missing


class Operation:
    """One call of a shell, as a ``with`` block that tells the listener how it ended.

    The time is drawn here, once; ids before the first change.

    Args:
        name: what is done, for the audit trail.
        config: the operator's decisions.
        user_id: whose records.
        now: the instant, in microseconds since the epoch.
        kind: the kind of message that may come of it, if any; the total is then touched.
        challenge_id: which challenge, as far as the audit trail may know it.
        purpose: what for.
        listener: who wants to know, if anybody.
    """

    __slots__ = (
        "_listener", "_outcome", "_planned", "challenge_id", "config", "cost", "keys", "kind", "message_id", "name",
        "now", "numbers", "phone", "purpose", "sent", "uncertain", "user_id", "user_key",
    )  # fmt: skip

    def __init__(
        self, name: str, config: FactorConfig, user_id: str, now: int, kind: str = "", *,
        challenge_id: str | None = None, purpose: str | None = None, listener: Listener | None = None,
    ) -> None:  # fmt: skip
        self.name: str = name
        self.config: FactorConfig = config
        self.user_id: str = user_id
        self.now: int = now
        self.kind: str = kind
        self.challenge_id: str | None = challenge_id
        self.purpose: str | None = purpose
        self._listener = listener
        self.phone: Phone | None = None
        #: Whether the operation sent a message, where it is one that may.
        self.sent: bool = True
        #: Whether a carrier left the fate of the message open.
        self.uncertain: bool = False
        #: What the carrier calls the message.
        self.message_id: str | None = None
        #: The channel of the message, and of an SMS the size.
        self.cost: tuple[str | None, Segments | None] = None, None
        self.user_key: str = user_key(user_id)
        self.numbers: dict[int, str] = {}
        #: The keys that the change may read and write.
        self.keys: list[str] = [self.user_key]
        if kind and config.limits.total is not None:
            self.keys.append(TOTAL_KEY)
        self._outcome: object = _NOTHING
        self._planned: tuple[bytes | None, User] | None = None

    def __enter__(self) -> "Operation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._listener is not None:
            emit(self._listener, self, error)

    def weigh(self, message: Message) -> None:
        """Note what a message is about to cost, and nothing else of it."""
        if self._listener is not None:
            self.cost = message.channel, segments(message.text) if message.channel == "sms" else None

    def include(self, number: int) -> None:
        """Cover the record of one more number."""
        if number not in self.numbers:
            self.numbers[number] = key = number_key(number)
            self.keys.append(key)

    def change(self, decide: Decide[O], values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], Result[O]]:
        """Run a decision on stored values: what to write, and what came of it."""
        book = Book(self, values)
        outcome: Result[O]
        writes: Mapping[str, Entry | None]
        try:
            outcome = decide(book)
            writes = book.writes()
        except Missing as missing:
            outcome, writes = missing, {}
        self.phone = book.phone or self.phone
        self._outcome = outcome
        return writes, outcome

    def plan(self, locate: Locate, value: bytes | None) -> None:
        """Learn from the user's record which numbers a decision will ask for. Should they change, it says so."""
        user = decode(User, value)
        for phone in locate(user):
            self.include(phone.number)
        self._planned = value, user

    def planned(self, value: bytes | None) -> User:
        """Return a user's record, which is that of the plan if it has not changed. A decision may change it: once."""
        planned, self._planned = self._planned, None
        return planned[1] if planned is not None and planned[0] == value else decode(User, value)

    def result(self, outcome: Result[O]) -> O | None:
        """Return what an update came to, raise what it refused with, or ``None``: look again, with one more key.

        Raises:
            SmsMfaError: the decision refused.
            StoreError: the store returned something else than the last change said, or had none run.
        """
        expected, self._outcome = self._outcome, _NOTHING
        if outcome is not expected:
            raise StoreError("the store did not return what the change came to; see smsmfa.typing.Store")
        if isinstance(outcome, Missing):
            self.include(outcome.number)
            return None
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome
