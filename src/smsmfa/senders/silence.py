"""Silence for packages that log what they send: texts, codes, numbers and credentials."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local


class _Filter(logging.Filter):
    """Drops every record that a silenced thread logs."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.thread, "silenced", False)


_FILTER = _Filter()


@contextmanager
def silenced(*packages: str) -> Iterator[None]:
    """Silence the loggers of some packages while the block runs, in this thread only.

    Args:
        packages: names of loggers; the loggers below them are silenced too. Import the packages first: only loggers
            that exist are silenced.
    """
    prefixes = tuple(f"{package}." for package in packages)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and f"{name}.".startswith(prefixes):
            logger.addFilter(_FILTER)
    before = getattr(_FILTER.thread, "silenced", False)
    _FILTER.thread.silenced = True
    try:
        yield
    finally:
        _FILTER.thread.silenced = before
