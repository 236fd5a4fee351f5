"""A TCP proxy in front of a server that cuts the connection instead of passing on a question or an answer."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread

_CHUNK = 65_536


class Wire:
    """A proxy between a store and its server, on its own port.

    Args:
        server: the host and port of the server.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._lock = Lock()
        self._due: tuple[str, int] = "", 0
        self._share = 0.0
        self._open = Event()
        self._open.set()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: Host and port to connect to.
        self.address: tuple[str, int] = self._listener.getsockname()
        self._cut = False
        _in_thread(self._accept)

    def cut_at(self, kind: str, number: int, share: float = 0) -> None:
        """Cut the connection once, in place of a chunk of data that would pass from now on, or within it.

        Args:
            kind: ``"question"`` for data from the store, ``"answer"`` for data from the server.
            number: how many chunks of this kind pass first.
            share: how much of the chunk passes before the cut, from 0 to less than 1.
        """
        with self._lock:
            self._due, self._share, self._cut = (kind, number), share, False

    def cancel_cut(self) -> bool:
        """Cancel a cut that has not happened; return whether one has happened since :meth:`cut_at`."""
        with self._lock:
            self._due = "", 0
            return self._cut

    def hold(self) -> None:
        """Hold answers back until :meth:`release`."""
        self._open.clear()

    def release(self) -> None:
        """Let answers pass."""
        self._open.set()

    def close(self) -> None:
        """Cut every connection and accept no more."""
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
        else:
            self._ends += client, server
            _in_thread(lambda: self._carry("question", client, server))
            _in_thread(lambda: self._carry("answer", server, client))

    def _carry(self, kind: str, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if not self._may_pass(kind):
                    target.sendall(data[: int(len(data) * self._share)])
                    break
                target.sendall(data)
        _shut(source)
        _shut(target)

    def _may_pass(self, kind: str) -> bool:
        """Count a chunk, and return whether to pass it on."""
        if kind == "answer":
            self._open.wait()
        with self._lock:
            due, left = self._due
            if kind != due:
                return True
            self._due, self._cut = ("", 0) if not left else (due, left - 1), not left
            return bool(left)


def _in_thread(call: Callable[[], None]) -> None:
    Thread(target=call, daemon=True).start()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()
