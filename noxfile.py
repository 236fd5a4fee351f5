"""The project's chores. ``python -m nox`` runs the tests; ``python -m nox -l`` lists the rest.

Every session works with nothing but CPython, pip and the package index: no service, no uv, no root.
"""

import re
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests"]

PROJECT = nox.project.load_toml("pyproject.toml")
#: What the tests read, beside the package itself.
TESTED = ("tests", "docs", "examples", "benchmarks", "conftest.py", "pyproject.toml", "LICENSE", *Path().glob("*.md"))


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group: older pips cannot install one by its name."""
    return nox.project.dependency_groups(PROJECT, name)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the running Python. Arguments go to pytest: ``python -m nox -- -k limiter``."""
    session.install("-e", ".", *group("tests"))
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types, and that every public name of the installed package is typed."""
    session.install(".", *group("lint"), *group("tests"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "src", "tests/typing")
    session.run("pyright", "tests/typing")
    session.run("pyright", "--verifytypes", "smsmfa", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into ``docs/_build/html``; a warning is an error."""
    session.install(".[django,encryption,i18n,liquid,postgres,redis,sqlalchemy,testing]", *group("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-E", "-b", "html", "docs", "docs/_build/html")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel through the source distribution and test it alone: no source tree in sight.

    Every branch is covered, and that of each module by the test module of its own name.
    """
    built = Path(_scratch(session), "dist")
    shutil.rmtree(built, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    session.install(*(str(file) for file in built.glob("*.whl")), *group("tests"))
    with session.chdir(_copy_of_tests(session)):
        session.run("coverage", "run", "-m", "pytest", *session.posargs)
        session.run("coverage", "report", "--fail-under=100")
        session.run("python", "tests/each_module.py")


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests against the oldest release of each dependency that the project says it works with.

    But for the kit's own: it is the tests of stores and senders that hold it to those.
    """
    bounds = [*PROJECT["project"]["dependencies"], *group("stores"), *group("senders")]
    oldest = [re.sub(r"\[.*\]", "", requirement).replace(">=", "==") for requirement in bounds]
    constraints = Path(_scratch(session), "oldest.txt")
    constraints.write_text("\n".join(oldest) + "\n", encoding="utf-8")
    session.install(".", *group("tests"), "--constraint", str(constraints))
    session.run("python", "-m", "pytest", "--ignore=tests/testing", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Show that the core's tests notice every small change of it that counts. Needs ``os.fork``, so not on Windows."""
    session.install("-e", ".", *group("tests"), *group("mutants"))
    shutil.rmtree("mutants", ignore_errors=True)  # an earlier run's verdicts say nothing of tests that changed since
    session.run("mutmut", "run")
    session.run("python", "tests/survivors.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against peers and floors in one run. Arguments go to ``benchmarks/run.py``."""
    session.install(".", *group("bench"))
    session.run("python", "benchmarks/run.py", *session.posargs)


def _scratch(session: nox.Session) -> str:
    """Return a directory of the session's. Temporary files go elsewhere: pytest in them would find our settings."""
    directory = session.create_tmp()
    session.env.pop("TMPDIR", None)
    return directory


def _copy_of_tests(session: nox.Session) -> Path:
    """Copy what the tests need, but not the package, to an empty directory."""
    copy = Path(_scratch(session), "tree").absolute()
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for path in map(Path, TESTED):
        if path.is_dir():
            shutil.copytree(path, copy / path, ignore=shutil.ignore_patterns("__pycache__", "_build"))
        elif path.exists():
            shutil.copy(path, copy)
    return copy
