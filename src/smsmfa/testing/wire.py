"""A TCP proxy in front of a server, that cuts a connection instead of passing on an answer."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

_CHUNK = 65_536


class Wire:
    """Passes on what a store and its server say to each other, on a port of its own.

    Args:
        server: host and port of the server.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._lock = Lock()
        self._answers_left = -1
        self._open = Event()
        self._open.set()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: Host and port to connect to.
        self.address: tuple[str, int] = self._listener.getsockname()
        self._cut = False
        _in_thread(self._accept)

    def cut_at(self, answer: int) -> None:
        """Cut the wire when the server has sent that answer from now, 0 being the next, in its place; only once."""
        with self._lock:
            self._answers_left, self._cut = answer, False

    def mend(self) -> bool:
        """Cut no more; return whether the wire was cut since :meth:`cut_at`."""
        with self._lock:
            self._answers_left = -1
            return self._cut

    def hold(self) -> None:
        """Keep answers back until :meth:`release`."""
        self._open.clear()

    def release(self) -> None:
        """Let answers pass."""
        self._open.set()

    def close(self) -> None:
        """Cut every connection, and take no more."""
        self.release()
        _shut(self._listener)
        for end in self._ends:
            _shut(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._server)
        except OSError:
            client.close()
            return
        self._ends += client, server
        _in_thread(lambda: self._carry(client, server, lambda: True))
        _in_thread(lambda: self._carry(server, client, self._may_pass))

    def _carry(self, source: socket.socket, target: socket.socket, may_pass: Callable[[], bool]) -> None:
        with suppress(OSError):
            while (data := source.recv(_CHUNK)) and may_pass():
                target.sendall(data)
        _shut(source)
        _shut(target)

    def _may_pass(self) -> bool:
        """Count an answer; whether it is to be passed on."""
        self._open.wait()
        with self._lock:
            self._answers_left -= 1
            due = self._answers_left == -1
            self._cut |= due
            return not due


def _in_thread(call: Callable[[], None]) -> None:
    Thread(target=call, daemon=True).start()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()
