"""The cost of importing: time compared with `import attrs`, and the number of modules loaded besides."""

import os
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

from harness import Row, Size, compared

OURS = "from smsmfa import Enroller, FactorConfig, MemoryStore, Verifier"
PEER = "import attrs"
HEAVY = ("twilio", "phonenumbers", "sqlalchemy", "redis", "psycopg", "asyncio")
_TIMED = "import time; begin = time.process_time_ns(); {}; print(time.process_time_ns() - begin)"
_COUNTED = "import sys, smsmfa; {}; print(sum(name.partition('.')[0] in {} for name in sys.modules))"


class Interpreters:
    """New interpreters that cache bytecode, whatever this environment says."""

    def __init__(self, compiled: str) -> None:
        self._environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run(self, program: str) -> int:
        """Return the number that a program prints. ``-P`` keeps the current directory off its path."""
        command = [sys.executable, "-P", "-c", program]
        return int(subprocess.run(command, capture_output=True, check=True, env=self._environment).stdout)

    def time(self, statement: str) -> int:
        """Return the processor time of a statement in nanoseconds, without the interpreter's start."""
        return self.run(_TIMED.format(statement))


def measure(size: Size) -> list[Row]:
    """Time both statements in turn, and count modules."""
    ours, peers = [], []
    with TemporaryDirectory() as compiled:
        interpreters = Interpreters(compiled)
        interpreters.time(f"{OURS}; {PEER}")  # so that all of it is compiled
        for _ in range(size.rounds):
            ours.append(interpreters.time(OURS))
            peers.append(interpreters.time(PEER))
        heavy = interpreters.run(_COUNTED.format(OURS, HEAVY))
    note = f"{median(ours) / 1e6:.1f} / {median(peers) / 1e6:.1f} ms"
    return [
        compared(f"{OURS} / {PEER}", ours, peers, bar=2.0, stretch=1.6, note=note),
        Row(f"modules of {', '.join(HEAVY)} after it", heavy, 0, exact=True),
    ]
