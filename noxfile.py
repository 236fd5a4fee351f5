"""The project's sessions. ``python -m nox`` runs the tests; ``python -m nox -l`` lists all sessions.

A session needs only CPython, pip and the package index. Tests of a server are skipped if the server is absent.
"""

import os
import re
import shutil
from itertools import chain
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests"]

#: How many processes run the tests.
WORKERS = 2 * (os.cpu_count() or 1)
PROJECT = nox.project.load_toml("pyproject.toml")
#: The files that the tests read, besides the package.
TESTED = ("tests", "docs", "examples", "benchmarks", "conftest.py", "pyproject.toml", "LICENSE", *Path().glob("*.md"))
#: Run the tests in parallel, as ``conftest.py`` schedules them. Many wait for a server or a process, so there are more
#: workers than cores.
PARALLEL = ("-n", str(WORKERS))

#: The tests of what uses packages that have a lower bound.
WITH_PACKAGES = (
    *("tests/stores", "tests/senders", "tests/web", "tests/texts", "tests/demo"),
    *("tests/test_config.py", "tests/test_phone.py", "tests/test_verifier.py"),
)

#: The kit against stores and limiters with a mistake each. They take long, and the other tests of the kit cover it.
MISTAKES = [f"--ignore=tests/testing/{kind}/test_broken.py" for kind in ("stores", "limits")]


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group: older pips cannot install one by its name."""
    return nox.project.dependency_groups(PROJECT, name)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, except the thorough ones and those in a browser.

    Arguments go to pytest: ``python -m nox -- -k limiter``.
    """
    session.install("-e", ".", *group("tests"))
    session.run("python", "-m", "pytest", *PARALLEL, *session.posargs)


@nox.session
def browser(session: nox.Session) -> None:
    """Try the pages of every framework, and every look of them, in Chromium. Arguments go to pytest."""
    session.install("-e", ".", *group("tests"))
    session.run("python", "-m", "pytest", "-n", str(WORKERS // 2), "-m", "browser", *session.posargs)


@nox.session
def thorough(session: nox.Session) -> None:
    """Prove by brute force: the tests marked ``thorough``, then the mutants. Prints the ten slowest tests."""
    session.install("-e", ".", *group("tests"), *group("mutants"))
    chosen = ("-m", "thorough", "--hypothesis-profile=thorough", "--durations=10")
    session.run("python", "-m", "pytest", *PARALLEL, *chosen, *session.posargs)
    _kill_mutants(session)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types, and that every public name is typed."""
    session.install(".", *group("lint"), *group("tests"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "src", "tests/typing")
    session.run("pyright", "tests/typing")
    session.run("pyright", "--verifytypes", "smsmfa", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into ``docs/_build/html``; a warning is an error."""
    session.install(
        ".[django,dynamodb,encryption,fastapi,flask,i18n,liquid,postgres,redis,sqlalchemy,testing]", *group("docs")
    )
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-E", "-b", "html", "docs", "docs/_build/html")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel from the source distribution, and test it without the source tree.

    The tests must cover every branch, and those of each module by the test module of the same name.
    """
    built = Path(_scratch(session), "dist")
    shutil.rmtree(built, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    session.install(*(str(file) for file in built.glob("*.whl")), *group("tests"))
    with session.chdir(_copy_of_tests(session)):
        session.run("python", "-m", "pytest", *PARALLEL, "--cov", "--cov-report=", *MISTAKES, *session.posargs)
        session.run("coverage", "report", "--fail-under=100")
        session.run("python", "tests/each_module.py")


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest supported release of each dependency.

    Left out are tests that need no such package, and those of the kit, examples and attacks, which use the same code.
    """
    groups = (group(name) for name in ("stores", "senders", "web", "browser"))
    bounds = [*PROJECT["project"]["dependencies"], *chain.from_iterable(groups)]
    oldest = [re.sub(r"\[.*\]", "", requirement).replace(">=", "==") for requirement in bounds]
    constraints = Path(_scratch(session), "oldest.txt")
    constraints.write_text("\n".join(oldest) + "\n", encoding="utf-8")
    session.install(".", *group("tests"), "--constraint", str(constraints))
    session.run("python", "-m", "pytest", *PARALLEL, *WITH_PACKAGES, *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Show that the core's tests notice every small change of the core. Needs ``os.fork``."""
    session.install("-e", ".", *group("tests"), *group("mutants"))
    _kill_mutants(session)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the library and its peers in one run. Arguments go to ``benchmarks/run.py``."""
    session.install(".", *group("bench"))
    session.run("python", "benchmarks/run.py", *session.posargs)


def _kill_mutants(session: nox.Session) -> None:
    shutil.rmtree("mutants", ignore_errors=True)  # mutmut would reuse verdicts of tests that have changed since
    session.run("mutmut", "run")
    session.run("python", "tests/survivors.py")


def _scratch(session: nox.Session) -> str:
    """Return the session's directory, and unset TMPDIR: in a directory below ours pytest would find our settings."""
    directory = session.create_tmp()
    session.env.pop("TMPDIR", None)
    return directory


def _copy_of_tests(session: nox.Session) -> Path:
    """Copy the files that the tests need, without the package, to an empty directory."""
    copy = Path(_scratch(session), "tree").absolute()
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in map(Path, TESTED):
        if path.is_dir():
            shutil.copytree(path, copy / path, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        elif path.exists():
            shutil.copy(path, copy)
    return copy
