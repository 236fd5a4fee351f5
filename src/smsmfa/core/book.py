"""The records that a decision reads and changes."""

from collections.abc import Iterable, Mapping

import msgspec

from ..config import FactorConfig
from ..limiter import KEEP_MARGIN, Limit, keep_for
from ..typing import Entry
from .records import Number, Phone, Total, User, decode, encode, total_key

#: How long a dead challenge can be renewed, and its record is kept (microseconds).
DAY = 86_400_000_000
#: How long an answer can be repeated (microseconds).
RETRY_LIFETIME = 600_000_000


class Bucket(msgspec.Struct):
    """A bucket that a message is charged to: a field of a record."""

    scope: str
    limit: Limit
    record: User | Number | Total
    field: str


class Missing(Exception):
    """A decision asked for the record of a number that its keys do not cover."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Book(msgspec.Struct, eq=False):
    """The decoded records of one user, their numbers and the total, at one instant. Its ``repr`` shows nothing."""

    config: FactorConfig
    #: The instant, in microseconds since the epoch.
    now: int
    #: The store key of the user's record.
    user_key: str
    #: The user's record, which the decision may change.
    user: User
    #: The numbers that the decision may ask for, each with its store key.
    _keys: Mapping[int, str]
    #: What is stored.
    _values: Mapping[str, bytes]
    #: The number that the decision turned out to be about.
    phone: Phone | None = None
    _numbers: dict[int, Number] = {}
    _total: Total | None = None

    def __repr__(self) -> str:
        return "<Book>"

    @property
    def holder(self) -> bytes:
        """How the record of a number names this user."""
        return self.user_key[2:].encode()

    def number(self, number: int) -> Number:
        """Return the record of a phone number.

        Raises:
            Missing: the keys of the update do not cover it.
        """
        record = self._numbers.get(number)
        if record is None:
            key = self._keys.get(number)
            if key is None:
                raise Missing(number)
            record = self._numbers[number] = decode(Number, self._values.get(key))
        return record

    def send_buckets(self, number: int, *, confirmed: bool) -> list[Bucket]:
        """Return every bucket that a message to ``number`` is charged to, the user's first.

        Args:
            number: the phone number.
            confirmed: whether the user has confirmed it. Other messages have a lane of their own, so that a stranger
                who asks for codes to somebody's number does not delay its owner's logins.
        """
        limits = self.config.limits
        buckets = [Bucket("user", limits.user, self.user, "sends")]
        limit = limits.number if confirmed else limits.unverified
        if limit is not None:
            buckets.append(Bucket("number", limit, self.number(number), "sends" if confirmed else "unverified"))
        if limits.total is not None:
            if self._total is None:
                self._total = decode(Total, self._values.get(total_key(self.config.key_prefix)))
            buckets.append(Bucket("total", limits.total, self._total, "sends"))
        return buckets

    def writes(self) -> dict[str, Entry | None]:
        """Return the entries that changed, by key."""
        writes: dict[str, Entry | None] = {}
        limits, now = self.config.limits, self.now
        self._write(writes, self.user_key, self.user, self._user_keep_for())
        for number, record in self._numbers.items():
            keep = None
            if not record.holders:
                keep = _longest(((limits.number, record.sends), (limits.unverified, record.unverified)), now)
            self._write(writes, self._keys[number], record, keep)
        if self._total is not None:
            key, bucket = total_key(self.config.key_prefix), (limits.total, self._total.sends)
            self._write(writes, key, self._total, _longest([bucket], now))
        return writes

    def _write(
        self, writes: dict[str, Entry | None], key: str, record: User | Number | Total, keep: int | None
    ) -> None:
        value = None if keep == 0 else encode(record)  # an absent bucket is a full one
        if value != self._values.get(key):
            writes[key] = None if value is None else Entry(value, keep)

    def _user_keep_for(self) -> int | None:
        """Return for how many seconds the user's record matters, or ``None``: forever."""
        user, limits = self.user, self.config.limits
        if user.phones:
            return None
        least = 0
        if user.pending:
            least = (user.pending.issued.expires + DAY - self.now) // 10**6 + KEEP_MARGIN
        elif user.accepted or user.refused:
            least = RETRY_LIFETIME // 10**6 + KEEP_MARGIN
        buckets = (
            (limits.user, user.sends), (limits.guesses, user.guesses), (limits.recovery, user.recoveries),
            (limits.refunds, user.refunds),
        )  # fmt: skip
        return _longest(buckets, self.now, least)


def _longest(buckets: Iterable[tuple[Limit | None, int]], now: int, least: int = 0) -> int | None:
    """Return for how many seconds some buckets matter, and at least ``least``; ``None``: forever."""
    for limit, bucket in buckets:
        if limit is not None:
            keep = keep_for(limit, bucket, now)
            if keep is None:
                return None
            least = max(least, keep)
    return least
