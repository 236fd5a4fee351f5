"""Another process opens the same store through the same suite, sends words, and reports a result or an error."""

import io
import json
import os
import pickle
import sys
from types import SimpleNamespace

import pytest

from smsmfa.testing.stores import processes
from smsmfa.testing.stores.processes import forked, in_process, in_processes, serve
from smsmfa.testing.stores.suite import Suite


class Named(Suite):
    """A suite whose store is its name."""

    name = "of the class"

    def open_store(self):
        return self.name


def _where(store, say, *words):
    for word in words:
        say(word)
    return [store, os.getpid()]


def _fail(store, say):
    raise KeyError("not there")


def _leave(store, say):
    os._exit(3)


class Inner:
    class Named(Named):
        pass


@pytest.mark.parametrize("kind", [Named, Inner.Named])
def test_in_process(kind):
    """The other process opens the store with the attributes set here, and each word is heard here."""
    suite, heard = kind(), []
    suite.name = "of here"
    store, pid = in_process(suite, _where, ["one", "two"], heard.append)

    assert "of here" == store
    assert pid != os.getpid()
    assert ["ready", "one", "two"] == heard


def test_in_processes():
    """Several processes run, each with its own arguments."""
    results = in_processes(Named(), _where, [[], ["word"]], 60)

    assert ["of the class"] * 2 == [store for store, _ in results]
    assert 2 == len({pid for _, pid in results})


@pytest.mark.parametrize("task, message", [(_fail, "KeyError: 'not there'"), (_leave, "ended before it was done")])
def test_failure(task, message):
    """A process that fails or ends early is a failure here that says why."""
    with pytest.raises(AssertionError, match=message):
        in_process(Named(), task, [], bool)


def test_class_inside_a_function():
    """A suite defined inside a function cannot be imported elsewhere, and raises TypeError at once."""

    class Local(Named):
        pass

    with pytest.raises(TypeError, match="move the class to the top level of its module"):
        in_process(Local(), _where, [], bool)


def job(task, where=None, state=None):
    where = where or (Named.__module__, __file__, "Named")
    return io.BytesIO(pickle.dumps((where, pickle.dumps(state or {}), task, [])))


def told(heard):
    said = io.BytesIO()
    serve(heard, said)
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_serve():
    """A job is answered with a word once the store is open, and then with a result or an error."""
    assert [["word", "ready"], ["result", ["there", os.getpid()]]] == told(job(_where, state={"name": "there"}))
    [_, [kind, text]] = told(job(_fail))
    assert "error" == kind
    assert "KeyError: 'not there'" in text


def test_found_by_its_file(tmp_path, monkeypatch):
    """A suite whose module cannot be imported by its name, or is another module there, is found by its file."""
    file = tmp_path / "suite_in_a_file.py"
    file.write_text("class Named:\n    def __getstate__(self): return {}\n    def open_store(self): return 'by file'\n")
    for name in ("suite_in_a_file", "json", "__main__"):
        monkeypatch.setitem(sys.modules, "suite_in_a_file", None)
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name))
        monkeypatch.setitem(sys.modules, "_suite", None)
        assert ["by file", os.getpid()] == told(job(_where, (name, str(file), "Named")))[1][1]


def test_main(monkeypatch):
    """The other process reserves standard output for its answers, and exits without closing anything."""
    calls = []
    monkeypatch.setattr(processes, "serve", lambda heard, said: calls.append((heard, said.close())))
    monkeypatch.setattr(processes.sys, "stdin", SimpleNamespace(buffer="heard"))
    monkeypatch.setattr(processes.os, "dup2", lambda *ends: calls.append(ends))
    monkeypatch.setattr(processes.os, "_exit", calls.append)
    processes.main()

    assert [(2, 1), ("heard", None), 0] == calls


def test_forked():
    """The forked child and this process run their calls at the same time."""
    pid = os.getpid()

    assert [True, pid] == forked(lambda: os.getppid() == pid, os.getpid, 60)


@pytest.mark.parametrize(
    "call, message",
    [(lambda: 1 / 0, "ZeroDivisionError"), (lambda: os._exit(1), "ended before it was done")],
    ids=["fails", "exits"],
)
def test_forked_fails(call, message):
    """A child that fails or ends early is a failure here that says why."""
    with pytest.raises(AssertionError, match=message):
        forked(call, bool, 60)


class Exit(BaseException):
    pass


@pytest.mark.parametrize("call, kind", [(lambda: 5, "result"), (lambda: 1 / 0, "error")], ids=["succeeds", "fails"])
def test_child(call, kind, monkeypatch):
    """The child sends the result of its call, and exits there."""

    def leave(code):
        raise Exit

    monkeypatch.setattr(processes.os, "_exit", leave)
    monkeypatch.setattr(processes.os, "fork", lambda: 0)
    parent, child = processes.socket.socketpair()
    monkeypatch.setattr(processes.socket, "socketpair", lambda: (None, child))
    with parent, child:
        parent.sendall(b"!")
        with pytest.raises(Exit):
            forked(call, bool, 60)
        assert b"?" == parent.recv(1)
        assert [kind] == json.loads(parent.recv(65_536))[:1]
