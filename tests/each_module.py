"""Checks that the test module of the same name covers every branch of each module.

It reads the data of ``pytest --cov``. ``conftest.py`` records which test module ran each line. Lines that run during
collection, such as those outside functions, count for every test module.
"""

import io
import re
import sys
from pathlib import Path

import coverage

import smsmfa

SOURCE = Path(smsmfa.__file__).parent


def test_of(module: Path) -> Path:
    """Return ``tests/stores/test_memory.py`` for ``smsmfa/stores/memory.py``."""
    inner = module.relative_to(SOURCE)
    return Path("tests", inner.parent, f"test_{inner.stem.strip('_')}.py")


def main() -> int:
    """Print the coverage of each module by its test module, and return 1 if one is below 100 %."""
    measured = coverage.Coverage()
    measured.load()
    short = 0
    for module in sorted(SOURCE.rglob("*.py")):
        test = test_of(module)
        if not test.exists():
            print(f"none  {module.relative_to(SOURCE)}")
            continue
        told = io.StringIO()
        contexts = ["^$", f"^{re.escape(test.as_posix())}$"]
        if measured.report([str(module)], file=told, contexts=contexts, skip_covered=False) < 100:
            print(told.getvalue())
            short += 1
        else:
            print(f"100%  {module.relative_to(SOURCE)}")
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
