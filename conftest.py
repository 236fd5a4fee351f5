"""Runs every Python block of the README and the documentation, each document in a namespace of its own."""

import os
import warnings

import coverage
import pytest
from hypothesis import HealthCheck, Phase, settings
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

from smsmfa import ConsoleSender

#: What the reader of an example has set; no example shows a usable secret.
ENVIRONMENT = {"SMSMFA_SECRET": "only the tests of the documentation use this one"}

# For `python -m nox -s mutants`: the same examples in every run, none shrunk, and no verdict that hangs on time.
# mutmut runs the tests more than once in a process, so Hypothesis would complain of differing executors.
settings.register_profile(
    "mutants",
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _enter(namespace):
    with warnings.catch_warnings(action="ignore"):
        ConsoleSender()  # the first one in a process warns
    namespace["_before"] = dict(os.environ)
    os.environ.update(ENVIRONMENT)


def _leave(namespace):
    before = namespace["_before"]
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    setup=_enter,
    teardown=_leave,
).pytest()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """Note for ``tests/each_module.py`` which test module runs what follows, where anything is measured."""
    if measured := coverage.Coverage.current():
        measured.switch_context(item.nodeid.partition("::")[0])
