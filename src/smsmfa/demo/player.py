"""Plays the person's side of the walk: reads the screen and answers."""

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from .countries import COUNTRIES
from .terminal import Terminal

#: A function from everything that the screen has shown to the answer.
Answer: TypeAlias = Callable[[str], str]

_CODE = re.compile(r"\b[0-9]{6}\b")
_RECOVERY_CODE = re.compile(r"\b(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}\b")


class Player(Terminal):
    """A terminal that answers its own questions, and shows the answers.

    Args:
        answers: one for each question of the walk.
    """

    def __init__(self, answers: Iterable[Answer]) -> None:
        super().__init__()
        self._answers = iter(answers)
        self._screen = ""

    def ask(self, prompt: str) -> str:
        """Show the question and the next answer, and return the answer."""
        answer = next(self._answers)(self._screen)
        super().say(prompt + answer)  # not self.say: an answer must not be read as a code
        return answer

    def say(self, text: str = "") -> None:
        """Print ``text``, and remember it."""
        self._screen += text + "\n"
        super().say(text)


def typed(text: str) -> Answer:
    """Always answer ``text``."""
    return lambda _: text


def code(screen: str) -> str:
    """Answer with the code of the last SMS."""
    return _last(_CODE, screen)


def wrong_code(screen: str) -> str:
    """Answer with a code that was not sent."""
    return f"{(int(code(screen)) + 1) % 1_000_000:06d}"


def recovery_code(screen: str) -> str:
    """Answer with the last recovery code."""
    return _last(_RECOVERY_CODE, screen)


def _last(pattern: re.Pattern[str], screen: str) -> str:
    found: list[str] = pattern.findall(screen)
    return found[-1]


#: Answers for the whole walk, with one mistake.
SCRIPT: tuple[Answer, ...] = (
    typed("1"),
    typed(COUNTRIES[0].example),
    code,
    typed(""),
    wrong_code,
    code,
    recovery_code,
)
