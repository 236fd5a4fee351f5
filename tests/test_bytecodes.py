"""The bytecodes of what applications do most often, compared with the recorded numbers. No test measures time."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks/bytecodes.py"
RECORDED = tomllib.loads(SCRIPT.with_suffix(".toml").read_text(encoding="utf-8"))
VERSION = "{}.{}".format(*sys.version_info)
COUNTED = ("import", "cycle", "refusal", "limiter")


@pytest.fixture(scope="module")
def counts():
    """The bytecodes on this Python. They are counted in a process of their own, which coverage does not trace."""
    if sys.implementation.name != "cpython":
        pytest.skip("only the bytecodes of CPython are recorded")
    if VERSION not in RECORDED:
        pytest.skip(f"no bytecodes are recorded for CPython {VERSION}; run: python benchmarks/bytecodes.py")
    done = subprocess.run([sys.executable, SCRIPT, "--json"], stdout=subprocess.PIPE, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", COUNTED)
def test_bytecodes(counts, what):
    """An import, a cycle, a refusal and a limiter's decision run as many bytecodes as recorded, within 2 %.

    Fewer fail as well: the new number is recorded, so that it cannot grow back unnoticed.
    """
    expected, actual = RECORDED[VERSION][what], counts[what]

    assert pytest.approx(expected, rel=0.02) == actual, (
        f"{what}: {actual} bytecodes on CPython {VERSION}, {actual / expected - 1:+.1%} from the {expected} recorded. "
        "If you intend this change, run: python benchmarks/bytecodes.py"
    )


@pytest.mark.parametrize("version", RECORDED)
def test_recorded(version):
    """Every recorded version has all counts."""
    assert COUNTED == tuple(RECORDED[version])
