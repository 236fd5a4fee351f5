"""Other processes: one that opens the same store through the same suite, or a fork of this one."""

import json
import os
import pickle
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from operator import attrgetter
from threading import Barrier, Event
from traceback import format_exc
from typing import IO, Any

from ..threads import all_of, at_once

#: Called here with each word that another process sends, before that process continues.
Hear = Callable[[str], object]
#: What another process does. It gets a store, a function that sends a word, and arguments; its result must fit in JSON.
Task = Callable[..., Any]


class Ended(AssertionError):
    """A process that ended before it was done."""


_COMMAND = [sys.executable, "-c", f"from {__name__} import main; main()"]


def in_process(suite: object, task: Task, given: Sequence[Any], hear: Hear) -> Any:
    """Run a task in another process, on a store that it opens there. The process ends without closing anything.

    Raises:
        AssertionError: if the task failed.
        Ended: if the process ended before the task did.
    """
    job = pickle.dumps((_where(suite), pickle.dumps(suite.__getstate__()), task, given))
    path = os.pathsep.join(entry or "." for entry in sys.path)
    pipe = subprocess.PIPE
    with subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, env=os.environ | {"PYTHONPATH": path}) as child:  # noqa: S603
        try:
            return _converse(child.stdout, child.stdin, job, hear)  # type: ignore[arg-type]
        finally:
            child.kill()


def in_processes(suite: object, task: Task, arguments: Sequence[Sequence[Any]], limit: float) -> list[Any]:
    """Run a task in several processes. They begin together, once each has opened its store."""
    barrier = Barrier(len(arguments))

    def hear(word: str) -> None:
        if word == "ready":
            barrier.wait(limit)

    return all_of(at_once([partial(in_process, suite, task, given, hear) for given in arguments], limit))


def _where(suite: object) -> tuple[str, str, str]:
    cls = type(suite)
    if "<locals>" in cls.__qualname__:
        raise TypeError(f"{cls.__qualname__}: move the class to the top level of its module, or turn `processes` off")
    return cls.__module__, str(sys.modules[cls.__module__].__file__), cls.__qualname__


def _converse(heard: IO[bytes], said: IO[bytes], job: bytes, hear: Hear) -> Any:
    said.write(job)
    said.flush()
    for line in heard:
        kind, content = json.loads(line)
        if kind == "result":
            return content
        if kind == "error":
            raise AssertionError(f"the other process failed:\n{content}")
        hear(content)
        said.write(b"\n")
        said.flush()
    raise Ended("the other process ended before it was done; its standard error may say why")


def main() -> None:
    """In the other process: do what :func:`in_process` sends, and print words and the result, one line each."""
    heard, said = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # other code may print, and that must not get into the conversation
    serve(heard, said)
    os._exit(0)  # without closing the store: an update that returned must be safe


def serve(heard: IO[bytes], said: IO[bytes]) -> None:
    """Read a job and do it."""

    def tell(kind: str, content: Any) -> None:
        said.write(json.dumps([kind, content]).encode() + b"\n")
        said.flush()

    def say(word: str) -> None:
        tell("word", word)
        heard.readline()

    try:
        where, state, task, given = pickle.load(heard)  # noqa: S301  # from the process that started this one
        suite = object.__new__(_found(*where))
        vars(suite).update(pickle.loads(state))  # noqa: S301
        store = suite.open_store()  # not closed, see main()
        say("ready")
        tell("result", task(store, say, *given))
    except BaseException:
        tell("error", format_exc())


def _found(module: str, file: str, name: str) -> Any:
    """Return a class by its module and name, or by its file if the module cannot be imported by its name."""
    try:
        found = import_module(module)
    except ImportError:
        found = None
    if found is None or getattr(found, "__file__", None) != file:
        spec = spec_from_file_location("_suite" if module == "__main__" else module, file)
        found = module_from_spec(spec)  # type: ignore[arg-type]
        sys.modules[found.__name__] = found
        spec.loader.exec_module(found)  # type: ignore[union-attr]
    return attrgetter(name)(found)


def forked(call: Callable[[], Any], meanwhile: Callable[[], Any], limit: float) -> list[Any]:
    """Fork. Call ``call`` in the child and ``meanwhile`` in this process at the same time, and return both results."""
    parent, child = socket.socketpair()
    with warnings.catch_warnings():
        # From 3.12 Python warns if the process has threads. The child only calls the store and exits.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        _answer(call, child)
    child.close()
    with parent:
        try:
            answer, own = _meet(parent, meanwhile, limit)
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    kind, content = json.loads(answer or b'["error", "it ended before it was done"]')
    if kind == "error":
        raise AssertionError(f"the forked child failed:\n{content}")
    return [content, own]


def _meet(child: socket.socket, meanwhile: Callable[[], Any], limit: float) -> list[Any]:
    """Once the child has started, let it go on and call ``meanwhile``; return the child's answer and the result."""
    started = Event()

    def listen() -> bytes:
        child.recv(1)
        started.set()
        child.sendall(b"!")
        with child.makefile("rb") as answer:
            return answer.read()

    def act() -> Any:
        started.wait(limit)
        return meanwhile()

    return all_of(at_once([listen, act], limit))


def _answer(call: Callable[[], Any], parent: socket.socket) -> None:
    """In the child: report that it started, wait for the parent, and send the result of the call."""
    try:
        parent.sendall(b"?")
        parent.recv(1)
        answer = "result", call()
    except BaseException:
        answer = "error", format_exc()
    parent.sendall(json.dumps(answer).encode())
    os._exit(0)
