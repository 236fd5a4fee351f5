"""Compares the mutants that no test kills with ``survivors.toml``. ``python -m nox -s mutants`` runs it.

The list says why each survivor is equivalent. It identifies a mutant by its function and its change, because mutmut's
numbers move with every edit.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

LIST = Path(__file__).with_suffix(".toml")
#: mutmut's verdicts if a test failed, or never ended.
KILLED = {"killed", "timeout"}


class Mutant(NamedTuple):
    """A change of one function."""

    function: str
    was: str
    becomes: str

    def __str__(self) -> str:
        return f"{self.function}\n    - {self.was}\n    + {self.becomes}"


def listed() -> dict[Mutant, str]:
    """Return the equivalent mutants, each with the reason."""
    return {
        Mutant(function, entry["was"], becomes): entry["why"]
        for function, entries in tomllib.loads(LIST.read_text(encoding="utf-8")).items()
        for entry in entries
        for becomes in entry["becomes"]
    }


def mutmut(*arguments: str) -> str:
    """Return the output of a mutmut command."""
    return subprocess.run(["mutmut", *arguments], capture_output=True, text=True, check=True).stdout


def alive(ask: Callable[..., str] = mutmut) -> set[Mutant]:
    """Return the mutants that survived mutmut's last run.

    Raises:
        ValueError: a mutant neither was killed nor survived, for example because no test calls its function.
    """
    found = set()
    for line in ask("results").splitlines():
        name, _, verdict = line.strip().partition(": ")
        if verdict == "survived":
            found.add(mutant(name, ask("show", name)))
        elif verdict not in KILLED:
            raise ValueError(f"{name}: {verdict}")
    return found


def mutant(name: str, diff: str) -> Mutant:
    """Return the mutant with a name like ``smsmfa.limiter.x_take__mutmut_1`` and a diff."""
    match = re.fullmatch(r"smsmfa\.(.+)\.x[_ǁ](.+)__mutmut_\d+", name)
    if match is None:
        raise ValueError(f"unexpected name of a mutant: {name}; adapt tests/survivors.py to this release of mutmut")
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    was, becomes = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Mutant(f"{match[1]}.{match[2]}".replace("ǁ", "."), was, becomes)


def problems(survivors: Iterable[Mutant], equivalent: Iterable[Mutant]) -> list[str]:
    """Return where the survivors and the list disagree."""
    unlisted, stale = set(survivors) - set(equivalent), set(equivalent) - set(survivors)
    return [f"survives, but is not in survivors.toml: {one}" for one in sorted(unlisted)] + [
        f"is in survivors.toml, but does not survive: {one}" for one in sorted(stale)
    ]


def main(ask: Callable[..., str] = mutmut) -> int:
    """Print where the survivors and the list disagree, and return the exit status."""
    found = problems(alive(ask), listed())
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
