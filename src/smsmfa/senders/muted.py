"""Silence for packages that log what they send: texts, codes, numbers, credentials."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local


class _Deaf(logging.Filter):
    """Lets no record through that comes from a thread which is muted."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.thread, "muted", False)


_DEAF = _Deaf()


@contextmanager
def muted(*packages: str) -> Iterator[None]:
    """Let the loggers of some packages say nothing while the block runs in this thread; in others they go on.

    Args:
        packages: names of loggers; those below them are meant too. They have to exist: load the package first.
    """
    prefixes = tuple(f"{package}." for package in packages)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and f"{name}.".startswith(prefixes):
            logger.addFilter(_DEAF)
    before = getattr(_DEAF.thread, "muted", False)
    _DEAF.thread.muted = True
    try:
        yield
    finally:
        _DEAF.thread.muted = before
