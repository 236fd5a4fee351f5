"""The command line shows the version, the help and the demo."""

import importlib.util
import os
import runpy
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest


@pytest.fixture
def run(monkeypatch):
    """Run ``python -m smsmfa`` in this process, and return its exit status."""

    monkeypatch.setenv("NO_COLOR", "1")  # Python 3.14 colours the help

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["smsmfa", *arguments])
        monkeypatch.delitem(sys.modules, "smsmfa.__main__", raising=False)  # runpy warns about an imported module
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("smsmfa", run_name="__main__")
        return ended.value.code

    return run


def test_version(run, capsys):
    """``--version`` prints the version and nothing else."""
    assert 0 == run("--version")
    assert f"{version('smsmfa')}\n" == capsys.readouterr().out


def test_help(run, capsys):
    """``--help`` names every command."""
    assert 0 == run("--help")
    assert "demo" in capsys.readouterr().out


def test_no_command(run, capsys):
    """Without a command the usage is printed as an error, with status 2."""
    assert 2 == run()

    captured = capsys.readouterr()
    assert "" == captured.out
    assert captured.err.startswith("usage: python -m smsmfa ")
    assert "demo" in captured.err


def test_unknown_command(run, capsys):
    """An unknown command is refused by name."""
    assert 2 == run("demmo")
    assert "demmo" in capsys.readouterr().err


def test_reader_may_leave(run, monkeypatch):
    """A command ends without a traceback if its reader closes the pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert 1 == run("demo", "--auto")


def test_demo_plays_by_itself(run, capsys):
    """``demo --auto`` plays the whole demo and succeeds."""
    assert 0 == run("demo", "--auto")
    assert "gd_recovery_succeed" in capsys.readouterr().out


def test_demo_asks(run, capsys, monkeypatch):
    """``demo`` without options asks, and plays both sides if nobody can answer."""
    monkeypatch.setattr(sys, "stdin", None)

    assert 0 == run("demo")
    assert "Nobody is here to type" in capsys.readouterr().out


def test_import_runs_nothing(monkeypatch, capsys):
    """Importing the module runs no command."""
    monkeypatch.delitem(sys.modules, "smsmfa.__main__", raising=False)

    importlib.import_module("smsmfa.__main__")

    assert ("", "") == capsys.readouterr()


def test_demo_in_its_own_process():
    """``python -m smsmfa demo --auto`` needs no input, gives no warning, and shows every step."""
    command = [sys.executable, "-W", "error", "-m", "smsmfa", "demo", "--auto"]
    environment = os.environ | {"PYTHONUTF8": "1", "COLUMNS": "80"}

    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", env=environment, timeout=60
    )

    assert (0, "") == (done.returncode, done.stderr)
    pieces = ["1. Enrol a phone", "SMS to ••••71", "2. Log in with it", "attempts left: 4", "3. Lose it", "audit log"]
    assert pieces == [piece for piece in pieces if piece in done.stdout]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_doctor(run, options, capsys, monkeypatch):
    """``doctor`` checks the environment, prints its findings, and fails if there is an error."""
    for name in list(os.environ):
        if name.startswith(("SMSMFA_", "TWILIO_")):
            monkeypatch.delenv(name)
    assert 1 == run("doctor", *options)
    assert "SMSMFA_APP_NAME is not set" in capsys.readouterr().out

    monkeypatch.setenv("SMSMFA_APP_NAME", "Acme")
    monkeypatch.setenv("SMSMFA_SECRET", "a secret of the tests, long enough to be one")
    monkeypatch.setenv("SMSMFA_REGIONS", "US")
    assert 0 == run("doctor", *options)
    assert "1 segment in each of" in capsys.readouterr().out


def test_demo_in_browser(run, monkeypatch):
    """``demo --web`` serves the site from the folder and on the port that were asked for."""
    served = []
    monkeypatch.setattr("smsmfa.demo.web.serve", lambda *arguments: served.append(arguments) or 0)

    assert [0, 0] == [run("demo", "--web"), run("demo", "--web", "--port", "9000", "--data", "elsewhere")]
    assert [(Path("smsmfa-demo"), 8000), (Path("elsewhere"), 9000)] == served


def test_demo_without_flask(run, monkeypatch, capsys):
    """Without Flask, ``demo --web`` says what to install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "flask" else find(name, *more))

    assert 2 == run("demo", "--web")
    assert 'pip install "smsmfa[demo]"' in capsys.readouterr().err
