"""Settings for every test run, and the runner for the Python blocks of the README and the documentation."""

import gc
import os
import warnings
from functools import _lru_cache_wrapper

import coverage
import pytest
from hypothesis import HealthCheck, Phase, settings
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser
from xdist.scheduler import LoadScopeScheduling

from smsmfa import ConsoleSender

# Print the kit's report for all workers of pytest-xdist.
pytest_plugins = ["smsmfa.testing.report"]

#: The environment in which the examples run. No example shows a usable secret.
ENVIRONMENT = {"SMSMFA_SECRET": "only the tests of the documentation use this one"}

# The default: the same examples in every run, and no verdict that depends on the speed of the machine.
settings.register_profile(
    "default", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# For `nox -s thorough`: other examples in every run.
settings.register_profile("thorough", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# For `nox -s mutants`: no example is shrunk. mutmut runs the tests more than once in a process, so Hypothesis would
# complain of differing executors.
settings.register_profile(
    "mutants",
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("default")


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
    patterns=["README.md", "docs/*.md", "docs/*/*.md", "docs/*/*/*.md"],
    setup=_enter,
    teardown=_leave,
).pytest()


#: Which test module runs.
MODULE = pytest.StashKey[str]()

#: The folders whose tests wait for servers and other processes.
SLOW = ("tests/stores/", "tests/examples/", "tests/testing/stores/", "tests/web/django/", "tests/test_docs.py")


class Scheduling(LoadScopeScheduling):
    """Keep in one worker each class, the rest of each module, each document, and all tests of Redis.

    Modules of the browser are split by framework, because they are slow. The blocks of a document share a namespace,
    and tests of Redis make the server forget its scripts. (Marks named ``xdist_group`` do nothing with pytest 9.2.)
    """

    def _split_scope(self, nodeid):
        if "tests/browser/" in nodeid:
            framework = next((name for name in ("fastapi", "django") if name in nodeid.partition("[")[2]), "")
            return f"{super()._split_scope(nodeid)} {framework}"
        return "redis" if "redis" in nodeid.lower() else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Use our scheduling, whatever ``--dist`` says, in the order of collection."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Begin with what waits for servers and processes, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """Tell coverage which test module runs, for ``tests/each_module.py``, and let it find every cache empty."""
    if measured := coverage.Coverage.current():
        module = item.nodeid.partition("::")[0]
        measured.switch_context(module)
        if item.config.stash.get(MODULE, None) != module:
            item.config.stash[MODULE] = module
            _empty_caches()


def _empty_caches():
    for one in gc.get_objects():
        if type(one) is _lru_cache_wrapper and (one.__module__ or "").startswith("smsmfa."):
            one.cache_clear()
