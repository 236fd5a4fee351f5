"""The demo plays by itself or with a person, and its exit status says whether it succeeded."""

import io

import pytest

from smsmfa import demo
from smsmfa.demo.player import SCRIPT

INPUT = "builtins.input"


@pytest.fixture
def person(monkeypatch, capsys):
    """Imitate a person who reads the screen and types, and return what the screen showed."""
    shown = []
    answers = iter(SCRIPT)

    def answer(prompt):
        shown.append(capsys.readouterr().out)
        return next(answers)("".join(shown))

    monkeypatch.setattr(INPUT, answer)
    return shown


class Keyboard:
    """``sys.stdin`` in a terminal."""

    def isatty(self):
        return True


def refuses_with(error):
    def refuse(prompt):
        raise error

    return refuse


def test_auto(capsys):
    """With ``auto`` the demo succeeds, and shows what it types."""
    assert 0 == demo.run(auto=True)
    assert "Enter for (415) 555-2671: (415) 555-2671\n" in capsys.readouterr().out


def test_person(person, capsys):
    """A person who types what the screen asks for reaches the end."""
    assert 0 == demo.run(auto=False)
    assert "gd_recovery_succeed" in capsys.readouterr().out


def test_input_ends(monkeypatch, capsys):
    """If the input ends, the demo says how to play it without input."""
    monkeypatch.setattr(INPUT, refuses_with(EOFError()))
    monkeypatch.setattr("sys.stdin", Keyboard())

    assert 1 == demo.run(auto=False)
    assert capsys.readouterr().out.endswith("\n  python -m smsmfa demo --auto\n")


def test_nobody_is_there(monkeypatch, capsys):
    """Without a terminal and without input the demo plays both sides and succeeds."""
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert 0 == demo.run(auto=False)
    shown = capsys.readouterr().out
    assert "Nobody is here to type" in shown
    assert "gd_recovery_succeed" in shown


def test_input_ends_after_an_answer(monkeypatch, capsys):
    """The demo fails if answers come through a pipe and end too early."""
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n"))

    assert 1 == demo.run(auto=False)
    assert capsys.readouterr().out.endswith("\n  python -m smsmfa demo --auto\n")


def test_ctrl_c(monkeypatch, capsys):
    """Ctrl-C ends the demo with a short message and status 130."""
    monkeypatch.setattr(INPUT, refuses_with(KeyboardInterrupt()))

    assert 130 == demo.run(auto=False)
    assert capsys.readouterr().out.endswith("\nStopped. Nothing was saved.\n")
