"""Print messages instead of sending them, for development."""

import functools
import sys
import textwrap
import unicodedata
import warnings
from typing import TextIO

from ..typing import Message, Receipt

#: Columns of text inside the frame, if every character is one column wide.
_WIDTH = 40


class DevelopmentWarning(UserWarning):
    """Something that is meant for development only is in use."""


class _Console:
    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        _warn_once()

    def _print(self, message: Message) -> Receipt:
        stream = sys.stdout if self._stream is None else self._stream
        encoding = getattr(stream, "encoding", None) or "utf-8"
        frame = frame_of(f"SMS to {message.to.masked}", message.text)
        stream.write(frame.encode(encoding, "replace").decode(encoding))
        stream.flush()
        return Receipt(sender="console")


class ConsoleSender(_Console):
    """A :class:`~smsmfa.typing.Sender` for development: it prints messages, with their codes.

    The first one in a process warns with a :class:`DevelopmentWarning`.

    Args:
        stream: where to print; ``None`` means ``sys.stdout``, looked up for each message.
    """

    def send(self, message: Message) -> Receipt:
        """Print ``message``. Errors of the stream are raised."""
        return self._print(message)


class AsyncConsoleSender(_Console):
    """:class:`ConsoleSender` for asyncio, with the same argument."""

    async def send(self, message: Message) -> Receipt:
        """Like :meth:`ConsoleSender.send`."""
        return self._print(message)


@functools.cache
def _warn_once() -> None:
    warnings.warn("ConsoleSender is for development: it prints codes", DevelopmentWarning, stacklevel=3)


def frame_of(title: str, text: str) -> str:
    """Draw ``text`` in a box. Line breaks stay; other control characters do not reach the terminal."""
    shown = (_without_controls(line) for line in text.splitlines())
    lines = [part for line in shown for part in textwrap.wrap(line, _WIDTH, break_on_hyphens=False) or [""]]
    width = max([_WIDTH, *map(_columns, lines)])
    rule = "─" * (width + 2)
    body = "".join(f"│ {line}{' ' * (width - _columns(line))} │\n" for line in lines)
    return f"╭{rule}╮\n│ {title.ljust(width)} │\n├{rule}┤\n{body}╰{rule}╯\n"


def _without_controls(line: str) -> str:
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) == "Cc" else c for c in line)


def _columns(line: str) -> int:
    """Return how many columns of a terminal ``line`` takes (Unicode Standard Annex 11)."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in line)
    return len(line) + wide - sum(unicodedata.combining(character) > 0 for character in line)
