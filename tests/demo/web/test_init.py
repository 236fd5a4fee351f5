"""``python -m smsmfa demo --web``."""

import socket
import subprocess
import sys
import urllib.request

import pytest

from smsmfa.demo import web


def test_process(tmp_path):
    """The command serves the site on loopback, and says where it is and where its files are."""
    command = [sys.executable, "-m", "smsmfa", "demo", "--web", "--port", "0", "--data", str(tmp_path / "demo")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        site = next(word for word in said.split() if word.startswith("http://127.0.0.1:"))
        with urllib.request.urlopen(site) as page:
            shown = page.read().decode()
        process.terminate()

    assert str(tmp_path / "demo") in said
    assert "Log in" in shown


def test_stopped(tmp_path, monkeypatch, capsys):
    """Ctrl-C ends the demo without a traceback."""

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(web._Server, "serve_forever", interrupted)

    assert 0 == web.serve(tmp_path / "demo", 0)
    assert capsys.readouterr().out.endswith("Stopped.\n")


def test_port_taken(tmp_path, capsys):
    """A port that is taken is named, with another one to try."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status = web.serve(tmp_path / "demo", port)

    assert (1, True) == (status, f"--port {port + 1}" in capsys.readouterr().out)


def test_quiet(capsys):
    """Requests are not logged."""
    web._Quiet.log_message(None, "%s", "x")

    assert ("", "") == capsys.readouterr()


@pytest.mark.parametrize("name", ["serve"])
def test_names(name):
    """The package has what the command line calls."""
    assert callable(getattr(web, name))
