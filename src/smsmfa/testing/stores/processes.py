"""Other processes: the same store, opened there by the same suite; and a process that forks while it has one open."""

import json
import os
import pickle
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from operator import attrgetter
from threading import Barrier, Event
from traceback import format_exc
from typing import IO, Any

from ..threads import all_of, at_once

#: What happens here at each word that another process says; it goes on afterwards.
Answers = Mapping[str, Callable[[], object]]
#: What another process does, given a store, a function that says a word, and arguments; the result is one for JSON.
Task = Callable[..., Any]

_COMMAND = [sys.executable, "-c", f"from {__name__} import main; main()"]


def in_process(suite: object, task: Task, given: Sequence[Any], answers: Answers) -> Any:
    """Run a task in a process of its own, on a store of its own; it ends without closing anything.

    Raises:
        AssertionError: it failed.
    """
    job = pickle.dumps((_where(suite), pickle.dumps(suite.__getstate__()), task, given))
    path = os.pathsep.join(entry or "." for entry in sys.path)
    pipe = subprocess.PIPE
    with subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, env=os.environ | {"PYTHONPATH": path}) as child:  # noqa: S603
        try:
            return _converse(child.stdout, child.stdin, job, answers)  # type: ignore[arg-type]
        finally:
            child.kill()


def in_processes(suite: object, task: Task, arguments: Sequence[Sequence[Any]], limit: float) -> list[Any]:
    """Run a task in several processes, which begin together once each has its store."""
    barrier = Barrier(len(arguments))
    answers = {"ready": lambda: barrier.wait(limit)}
    return all_of(at_once([partial(in_process, suite, task, given, answers) for given in arguments], limit))


def _where(suite: object) -> tuple[str, str, str]:
    cls = type(suite)
    if "<locals>" in cls.__qualname__:
        raise TypeError(f"{cls.__qualname__}: other processes cannot find a class that is made inside a function")
    return cls.__module__, str(sys.modules[cls.__module__].__file__), cls.__qualname__


def _converse(heard: IO[bytes], said: IO[bytes], job: bytes, answers: Answers) -> Any:
    said.write(job)
    said.flush()
    for line in heard:
        kind, content = json.loads(line)
        if kind == "result":
            return content
        if kind == "error":
            raise AssertionError(f"another process failed:\n{content}")
        answers.get(content, bool)()
        said.write(b"\n")
        said.flush()
    raise AssertionError("another process ended before it was done; its standard error may say why")


def main() -> None:
    """Do, in another process, what :func:`in_process` sends; print words and the result, a line each."""
    heard, said = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints is no part of the conversation
    serve(heard, said)
    os._exit(0)  # an acknowledged update is safe, even if nobody closes the store


def serve(heard: IO[bytes], said: IO[bytes]) -> None:
    """Read a job, and do it."""

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
        store = suite.open_store()
        say("ready")
        tell("result", task(store, say, *given))
    except BaseException:
        tell("error", format_exc())


def _found(module: str, file: str, name: str) -> Any:
    """Return a class by its module and name, and by its file where the module cannot be imported by its name."""
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
    """Fork; return what came of one call in the child, and of another in this process at the same time."""
    ours, theirs = socket.socketpair()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns where there are other threads
        child = os.fork()
    if not child:
        _answer(call, theirs)
    theirs.close()
    begun = Event()

    def listen() -> bytes:
        ours.recv(1)
        begun.set()
        ours.sendall(b"!")
        with ours.makefile("rb") as answer:
            return answer.read()

    def act() -> Any:
        begun.wait(limit)
        return meanwhile()

    with ours:
        try:
            told, own = all_of(at_once([listen, act], limit))
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
    kind, content = json.loads(told or b'["error", "it ended before it was done"]')
    if kind == "error":
        raise AssertionError(f"the child of a fork failed:\n{content}")
    return [content, own]


def _answer(call: Callable[[], Any], parent: socket.socket) -> None:
    """Say that it is here, wait for the other, and tell what came of the call."""
    try:
        parent.sendall(b"?")
        parent.recv(1)
        answer = "result", call()
    except BaseException:
        answer = "error", format_exc()
    parent.sendall(json.dumps(answer).encode())
    os._exit(0)
