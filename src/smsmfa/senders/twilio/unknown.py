"""The error codes of Twilio that this version does not know."""

import logging
from collections import Counter
from collections.abc import Mapping
from threading import Lock

from .errors import ERRORS

#: How many different unknown codes are counted.
_MOST_UNKNOWN = 100


class UnknownCodes:
    """Counts the codes that are not in the table of errors, and logs each once. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[int] = Counter()

    def note(self, code: int | None) -> None:
        """Count a code, unless it is known or there is none."""
        if code is None or code in ERRORS:
            return
        with self._lock:
            if code not in self._counts and len(self._counts) >= _MOST_UNKNOWN:
                return
            self._counts[code] += 1
            first = self._counts[code] == 1
        if first:
            page = f"https://www.twilio.com/docs/api/errors/{code}"
            logging.getLogger("smsmfa").warning("Twilio %d: this version does not know the code; see %s", code, page)

    def counted(self) -> Mapping[int, int]:
        """Return how often each code came."""
        with self._lock:
            return dict(self._counts)
