"""Runs every Python block of the README and the documentation, each document in a namespace of its own."""

import os

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

#: What the reader of an example has set; no example shows a usable secret.
ENVIRONMENT = {"SMSMFA_SECRET": "only the tests of the documentation use this one"}


def _enter(namespace):
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
