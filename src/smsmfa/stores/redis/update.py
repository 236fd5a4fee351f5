"""One update on Redis between its round trips: which command comes next, and what its answer means."""

from collections.abc import Mapping, Sequence
from hashlib import sha1
from secrets import randbelow
from time import monotonic
from typing import Any, Generic, TypeAlias, TypeVar

from ...exceptions import StoreContention
from ...typing import Change, Entry
from ..writes import check_write
from .hints import Hints

T = TypeVar("T")
Command: TypeAlias = tuple[bytes | int, ...]

#: Three arguments a key: what it has to hold, what it is to hold, and for how many seconds. A value has "=" before it,
#: so that "" can say that the key is absent, or to be left alone; "-" deletes. If all hold what they have to, it writes
#: and returns 1; otherwise it returns what they hold.
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

#: How long an update that finds its keys changed tries again (seconds).
_DEADLINE = 5.0
#: The first pause of one that keeps losing, and the longest (microseconds, and less by chance).
_FIRST_PAUSE, _LONGEST_PAUSE = 2000, 128_000


class Update(Generic[T]):
    """A change, and how far the store has come with it.

    Args:
        keys: what the change knows them by.
        names: what they are called on the server.
        change: the change.
        hints: what was last seen under them.
    """

    def __init__(self, keys: Sequence[str], names: Sequence[bytes], change: Change[T], hints: Hints) -> None:
        self._keys = keys
        self._names = names
        self._change = change
        self._hints = hints
        self._until = monotonic() + _DEADLINE
        #: What is to be sent next; ``None``: nothing.
        self.command: Command | None = (b"MGET", *names)
        #: How many seconds to wait before that.
        self.pause: float = 0.0
        #: How often others were faster; to read is not to lose.
        self._lost = -1
        known = hints.recall(names)
        if known is not None:
            self._lost = 0
            self._decide(known, current=not names)

    def answer(self, answer: Any) -> None:
        """Take the server's answer to the command.

        Raises:
            StoreContention: the keys have been changing for too long.
        """
        if answer == 1:
            self._hints.learn(self._names, self._after)
            self.command = None
            return
        if monotonic() > self._until:
            raise StoreContention("others kept changing the same keys; nothing was changed here")
        self._lost += 1
        self.pause = _pause(self._lost)
        self._hints.learn(self._names, answer)
        self._decide(answer, current=True)

    def outcome(self) -> T:
        """Return what came of the change, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._outcome

    def _decide(self, known: Sequence[bytes | None], *, current: bool) -> None:
        """Run the change. What it says of values that may not be current, even a refusal, has to be confirmed."""
        writes: dict[str, Entry | None] = {}
        self._error: Exception | None = None
        try:
            present = {key: value for key, value in zip(self._keys, known, strict=True) if value is not None}
            said, self._outcome = self._change(present)
            writes = dict(said)
            for key, entry in writes.items():
                check_write(key, entry, self._keys)
        except Exception as error:
            writes, self._error = {}, error
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
                # Redis wants a second at least.
                arguments += _present(entry.value), b"" if entry.keep_for is None else max(1, entry.keep_for)
                self._after[index] = entry.value
        return (b"EVALSHA", SHA, len(self._names), *self._names, *arguments)


def _pause(lost: int) -> float:
    """Return how long to wait, by chance, after so many lost races.

    Every other time: a try after a pause fails where there is a crowd, but it brings back what there is by then.
    """
    if lost < 2 or lost % 2:
        return 0.0
    return randbelow(min(_FIRST_PAUSE << lost // 2 - 1, _LONGEST_PAUSE)) / 1e6


def _present(value: bytes | None) -> bytes:
    return b"" if value is None else b"=" + value
