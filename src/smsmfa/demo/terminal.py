"""What the walk asks and says goes through here."""

import shutil
import sys
import textwrap
from contextlib import suppress

#: Columns; a phone's frame fits into the least, and more than the most is hard to read.
_LEAST, _MOST = 48, 76
#: What a terminal that knows no better gets, in place of a row of question marks.
_PLAIN = str.maketrans("╭╮╰╯├┤│─━•✓✗", "+" * 6 + "|--*+!")


class Terminal:
    """The person's own: ``sys.stdin`` and ``sys.stdout``."""

    def __init__(self) -> None:
        #: Whether anything was typed at all.
        self.answered: bool = False
        with suppress(ImportError):  # not on every platform; it lets the person edit what they type
            import readline  # noqa: F401

    def ask(self, prompt: str) -> str:
        """Return what the person types, without the space around it.

        Raises:
            EOFError: there is no more input.
        """
        if sys.stdin is None:  # closed before Python began
            raise EOFError
        try:
            typed = input(_encodable(prompt)).strip()
        except UnicodeDecodeError:
            typed = "\N{REPLACEMENT CHARACTER}"  # no answer to any question, so it is asked again
        self.answered = True
        return typed

    @property
    def attended(self) -> bool:
        """Whether there is a person, or something else that types."""
        return self.answered or (sys.stdin is not None and sys.stdin.isatty())

    def say(self, text: str = "") -> None:
        """Print ``text``. Its lines wrap at the terminal's width, and keep their indentation."""
        width = max(_LEAST, min(_MOST, shutil.get_terminal_size().columns))
        print(_encodable("\n".join(_wrapped(line, width) for line in text.split("\n"))))


def _wrapped(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)


def _encodable(text: str) -> str:
    """Return ``text`` as ``sys.stdout`` can take it."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    return text
