"""Counts the bytecodes of what applications do most often, and records them in ``bytecodes.toml``.

``python benchmarks/bytecodes.py`` records the counts of the Python that runs it; ``--json`` only prints them. It needs
the package with the extra ``testing``. The tests compare the counts with the recorded ones.

The counts are exact: they are the same in every run, on every machine, as long as Python's minor version is the same.
Only code in the files of the package counts, without ``smsmfa.testing``, so that a new release of a dependency changes
nothing. So the counts miss C code (hashing, comparisons, msgspec), code that attrs generates, and all other packages.
"""

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from unittest.mock import patch

from imports import OURS

RECORD = Path(__file__).with_suffix(".toml")
VERSION = "{}.{}".format(*sys.version_info)
PACKAGE = str(Path(find_spec("smsmfa").origin).parent) + os.sep
_TESTING = PACKAGE + "testing" + os.sep
_HEADING = """\
# How many bytecodes of the package run, by Python version. `python benchmarks/bytecodes.py` writes the counts of the
# Python that runs it.
"""


def ours(code: CodeType) -> bool:
    """Return whether the code is in a file of the package."""
    return code.co_filename.startswith(PACKAGE) and not code.co_filename.startswith(_TESTING)


def traced(work: Callable[[], object]) -> int:
    """Count the bytecodes of the package, on CPython 3.11. On later versions this misses first calls."""
    count = 0

    def enter(frame, event, argument):
        if not ours(frame.f_code):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return step

    def step(frame, event, argument):
        nonlocal count
        count += event == "opcode"
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def monitored(work: Callable[[], object]) -> int:
    """Count the bytecodes of the package, from CPython 3.12 on."""
    count, tool, instruction = 0, sys.monitoring.PROFILER_ID, sys.monitoring.events.INSTRUCTION

    def step(code, offset):
        nonlocal count
        if not ours(code):
            return sys.monitoring.DISABLE
        count += 1
        return None

    sys.monitoring.use_tool_id(tool, __name__)
    sys.monitoring.register_callback(tool, instruction, step)
    sys.monitoring.set_events(tool, instruction)
    try:
        work()
    finally:
        sys.monitoring.set_events(tool, sys.monitoring.events.NO_EVENTS)
        sys.monitoring.register_callback(tool, instruction, None)
        sys.monitoring.free_tool_id(tool)
    return count


bytecodes = monitored if hasattr(sys, "monitoring") else traced


def warm(work: Callable[[], object]) -> int:
    """Count the bytecodes of the second run, when caches are full."""
    work()
    return bytecodes(work)


def measured() -> dict[str, int]:
    """Count everything once, in an interpreter that has not imported the package."""
    counts = {"import": bytecodes(lambda: exec(OURS, {}))}

    from cycle import logging_in, refused

    from smsmfa import Limit, MemoryStore, RateLimiter
    from smsmfa.testing import FakeClock, deterministic

    # MemoryStore looks at the monotonic clock to see whether entries must be removed.
    with deterministic(1), patch("time.time_ns", FakeClock()), patch("time.monotonic", lambda: 0.0):
        limiter = RateLimiter(MemoryStore(), Limit(10, timedelta(hours=1)))
        counts["cycle"] = warm(logging_in(["alice"]))
        counts["refusal"] = warm(refused(["alice"]))
        counts["limiter"] = warm(lambda: limiter.take("alice"))
    return counts


def record(counts: dict[str, int]) -> None:
    """Write the counts of this version, and keep those of other versions."""
    versions = tomllib.loads(RECORD.read_text(encoding="utf-8")) | {VERSION: counts}
    tables = [
        "\n".join([f'["{version}"]', *(f"{what} = {count}" for what, count in versions[version].items())])
        for version in sorted(versions, key=lambda version: [int(part) for part in version.split(".")])
    ]
    RECORD.write_text("\n\n".join([_HEADING.rstrip(), *tables]) + "\n", encoding="utf-8")


def main() -> int:
    """Measure in an interpreter with a fixed hash seed and without optimisation."""
    if sys.flags.hash_randomization or sys.flags.optimize:
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": ""}
        return subprocess.run([sys.executable, __file__, *sys.argv[1:]], env=environment, check=False).returncode
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the counts, and record nothing")
    options = parser.parse_args()
    if sys.implementation.name != "cpython":
        parser.error("only the bytecodes of CPython are counted")
    counts = measured()
    if options.json:
        print(json.dumps(counts))
    else:
        record(counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
