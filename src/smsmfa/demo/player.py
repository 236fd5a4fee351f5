"""Plays the person's side of the walk: looks at the screen as they do, and answers."""

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from .countries import COUNTRIES
from .terminal import Terminal

#: Given what the screen has shown so far, say what to type.
Answer: TypeAlias = Callable[[str], str]

_CODE = re.compile(r"\b[0-9]{6}\b")
_RECOVERY_CODE = re.compile(r"\b(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}\b")


class Player(Terminal):
    """A terminal that answers by itself, and shows what it types.

    Args:
        answers: one for each question of the walk.
    """

    def __init__(self, answers: Iterable[Answer]) -> None:
        super().__init__()
        self._answers = iter(answers)
        self._screen = ""

    def ask(self, prompt: str) -> str:
        """Show the question with the next answer, and return that."""
        answer = next(self._answers)(self._screen)
        super().say(prompt + answer)  # what it types is not what it reads
        return answer

    def say(self, text: str = "") -> None:
        """Print ``text``, and remember that it is on the screen."""
        self._screen += text + "\n"
        super().say(text)


def typed(text: str) -> Answer:
    """Answer ``text``, whatever the screen shows."""
    return lambda _: text


def code(screen: str) -> str:
    """Answer with the code of the last SMS."""
    return _last(_CODE, screen)


def wrong_code(screen: str) -> str:
    """Answer with another code than that."""
    return f"{(int(code(screen)) + 1) % 1_000_000:06d}"


def recovery_code(screen: str) -> str:
    """Answer with the last recovery code."""
    return _last(_RECOVERY_CODE, screen)


def _last(pattern: re.Pattern[str], screen: str) -> str:
    found: list[str] = pattern.findall(screen)
    return found[-1]


#: Through the whole walk, with one mistake.
SCRIPT: tuple[Answer, ...] = (
    typed("1"),
    typed(COUNTRIES[0].example),
    code,
    typed(""),
    wrong_code,
    code,
    recovery_code,
)
