"""One update on Redis: which command to send next, and what its answer means. It does no I/O itself."""

from collections.abc import Mapping, Sequence
from hashlib import sha1
from secrets import randbelow
from time import monotonic
from typing import Any, Generic, TypeAlias, TypeVar

from ...typing import Change, Entry
from ..queues import contended
from ..writes import DEADLINE, check_write
from .hints import Hints

T = TypeVar("T")
Command: TypeAlias = tuple[bytes | int, ...]

#: Three arguments for each key: the expected value, the new value, and its lifetime in seconds. A value has the prefix
#: "=". An expected value of "" means that the key is absent. A new value of "" means no change, and "-" means deletion.
#: If all keys hold their expected values, the script writes and returns 1. Otherwise it returns the current values.
SCRIPT = b"""
local present = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  if ARGV[3 * i - 2] ~= (present[i] and '=' .. present[i] or '') then
    return present
  end
end
for i, key in ipairs(KEYS) do
  local value, seconds = ARGV[3 * i - 1], ARGV[3 * i]
  if value == '-' then
    redis.call('DEL', key)
  elseif value ~= '' and seconds == '' then
    redis.call('SET', key, string.sub(value, 2))
  elseif value ~= '' then
    redis.call('SET', key, string.sub(value, 2), 'EX', seconds)
  end
end
return 1
"""
SHA = sha1(SCRIPT, usedforsecurity=False).hexdigest().encode()

#: The upper bounds of the random pauses of an update that keeps losing races: the first and the last (microseconds).
_FIRST_PAUSE, _LONGEST_PAUSE = 2000, 128_000


class Update(Generic[T]):
    """A change and its progress.

    Args:
        keys: the keys of the update, as the change knows them.
        names: the names of the keys on the server.
        change: the change to run.
        hints: the values that the store saw last.
    """

    def __init__(self, keys: Sequence[str], names: Sequence[bytes], change: Change[T], hints: Hints) -> None:
        self._keys = keys
        #: The names of the keys on the server.
        self.names: Sequence[bytes] = names
        self._change = change
        self._hints = hints
        #: When the update gives up.
        self.until: float = monotonic() + DEADLINE
        #: How many races were lost.
        self.lost: int = 0
        #: The names of the keys that others changed in the last race.
        self.changed: frozenset[bytes] = frozenset()

    def begin(self) -> None:
        """Begin, or begin again, with the values that the store saw last."""
        #: How long to wait before sending the command (seconds).
        self.pause: float = 0.0
        #: What the command compares with the present values; ``None`` if it only reads.
        self._known: Sequence[bytes | None] | None = None
        #: The command to send next, or ``None`` at the end.
        self.command: Command | None = (b"MGET", *self.names)
        known = self._hints.recall(self.names)
        if known is not None:
            self._decide(known, current=not self.names)

    def answer(self, answer: Any) -> None:
        """Process the server's answer to the command.

        Raises:
            StoreContention: others kept changing the keys until the deadline.
        """
        if answer == 1:
            self._hints.learn(self.names, self._after)
            self.command = None
            return
        if monotonic() > self.until:
            raise contended()
        if self._known is not None:
            self.lost += 1
            pairs = zip(self.names, self._known, answer, strict=True)
            self.changed = frozenset(name for name, was, now in pairs if was != now)
        self.pause = _pause(self.lost)
        self._hints.learn(self.names, answer)
        self._decide(answer, current=True)

    def outcome(self) -> T:
        """Return the outcome of the change, or raise its exception."""
        if self._error is not None:
            raise self._error
        return self._outcome

    def _decide(self, known: Sequence[bytes | None], *, current: bool) -> None:
        """Run the change. If the values may be old, the server must confirm them, even for a refusal."""
        writes: dict[str, Entry | None] = {}
        self._error: Exception | None = None
        try:
            present = {key: value for key, value in zip(self._keys, known, strict=True) if value is not None}
            changed, self._outcome = self._change(present)
            writes = dict(changed)
            for key, entry in writes.items():
                check_write(key, entry, self._keys)
        except Exception as error:
            writes, self._error = {}, error
        self._known = known
        self.command = None if current and not writes else self._compare_and_set(known, writes)

    def _compare_and_set(self, known: Sequence[bytes | None], writes: Mapping[str, Entry | None]) -> Command:
        arguments: list[bytes | int] = []
        self._after = list(known)
        for index, (key, value) in enumerate(zip(self._keys, known, strict=True)):
            arguments.append(_present(value))
            if key not in writes:
                arguments += b"", b""
            elif (entry := writes[key]) is None:
                arguments += b"-", b""
                self._after[index] = None
            else:
                # Redis requires a lifetime of at least one second.
                arguments += _present(entry.value), b"" if entry.keep_for is None else max(1, entry.keep_for)
                self._after[index] = entry.value
        return (b"EVALSHA", SHA, len(self.names), *self.names, *arguments)


def _pause(lost: int) -> float:
    """Return a random pause for this number of lost races (seconds).

    Only every other try waits: under contention, a try after a pause usually fails, but it brings back current values,
    so the next try follows at once.
    """
    if lost < 2 or lost % 2:
        return 0.0
    return randbelow(min(_FIRST_PAUSE << lost // 2 - 1, _LONGEST_PAUSE)) / 1e6


def _present(value: bytes | None) -> bytes:
    return b"" if value is None else b"=" + value
