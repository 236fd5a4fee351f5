"""Shows that each module is covered, every branch, by the test module of its own name alone.

It reads the data of ``coverage run -m pytest``: ``conftest.py`` notes which test module ran each line. What runs while
the tests are collected, as the lines outside of functions do, is counted for all of them.
"""

import io
import re
import sys
from pathlib import Path

import coverage

import smsmfa

SOURCE = Path(smsmfa.__file__).parent


def test_of(module: Path) -> Path:
    """``smsmfa/stores/memory.py`` has ``tests/stores/test_memory.py``."""
    inner = module.relative_to(SOURCE)
    return Path("tests", inner.parent, f"test_{inner.stem.strip('_')}.py")


def main() -> int:
    """Print how much of each module its own tests cover; return 1 if it is not all of one that has some."""
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
