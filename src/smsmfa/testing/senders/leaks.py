"""What errors and logs reveal to their readers."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


def told_by(error: object) -> str:
    """Return all that a report of an error can show: messages, attributes and locals, also of its cause and context."""
    parts: list[str] = []
    if isinstance(error, BaseException):
        parts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    while isinstance(error, BaseException):
        parts += [repr(error), str(vars(error))]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(parts)


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {vars(record)}")


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collect what is logged, at every level."""
    root, handler = logging.getLogger(), _Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
