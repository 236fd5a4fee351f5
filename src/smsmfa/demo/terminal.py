"""The terminal that the walk talks to."""

import shutil
import sys
import textwrap
from contextlib import suppress

#: Columns. A phone needs the least, and lines longer than the most are hard to read.
_LEAST, _MOST = 48, 76
#: Replacements for terminals that can only show ASCII.
_PLAIN = str.maketrans("╭╮╰╯├┤│─━•✓✗", "+" * 6 + "|--*+!")


class Terminal:
    """The person's terminal: ``sys.stdin`` and ``sys.stdout``."""

    def __init__(self) -> None:
        #: Whether anything was typed.
        self.answered: bool = False
        with suppress(ImportError):  # missing on some platforms; it lets people edit what they type
            import readline  # noqa: F401

    def ask(self, prompt: str) -> str:
        """Return what the person types, without spaces at its ends.

        Raises:
            EOFError: there is no more input.
        """
        if sys.stdin is None:  # it was closed before Python started
            raise EOFError
        try:
            typed = input(_encodable(prompt)).strip()
        except UnicodeDecodeError:
            typed = "\N{REPLACEMENT CHARACTER}"  # answers no question, so the question is asked again
        self.answered = True
        return typed

    @property
    def attended(self) -> bool:
        """Whether somebody, or some program, can type."""
        return self.answered or (sys.stdin is not None and sys.stdin.isatty())

    def say(self, text: str = "") -> None:
        """Print ``text``. Long lines wrap at the width of the terminal and keep their indentation."""
        width = max(_LEAST, min(_MOST, shutil.get_terminal_size().columns))
        print(_encodable("\n".join(_wrapped(line, width) for line in text.split("\n"))))


def _wrapped(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip(" ")))
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)


def _encodable(text: str) -> str:
    """Return ``text`` with replacements for what ``sys.stdout`` cannot show."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    return text
