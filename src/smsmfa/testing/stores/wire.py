"""A TCP proxy in front of a server that cuts the connection instead of passing on a question or an answer."""

import socket
import struct
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
        self._passing, self._reset = 0, False
        #: Clients whose connection is to be reset, and not closed.
        self._resetting: set[socket.socket] = set()
        self._open = Event()
        self._open.set()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: Host and port to connect to.
        self.address: tuple[str, int] = self._listener.getsockname()
        self._cut = 0
        _in_thread(self._accept)

    def cut_at(self, kind: str, number: int, passing: int = 0, *, reset: bool = False) -> None:
        """Cut the connection once, in place of a chunk of data that would pass from now on, or within it.

        Args:
            kind: ``"question"`` for data from the store, ``"answer"`` for data from the server.
            number: how many chunks of this kind pass first.
            passing: how many bytes of the chunk pass before the cut.
            reset: whether the store sees a reset; if not, it sees the end, as if the server had closed the connection.
        """
        with self._lock:
            self._due, self._passing, self._reset, self._cut = (kind, number), passing, reset, 0

    def cancel_cut(self) -> int:
        """Cancel a cut that has not happened; return how long the chunk was that has been cut, or 0."""
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
            _in_thread(lambda: self._carry("answer", client, server))

    def _carry(self, kind: str, client: socket.socket, server: socket.socket) -> None:
        source, target = (client, server) if kind == "question" else (server, client)
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if not self._may_pass(kind, len(data)):
                    target.sendall(data[: self._passing])
                    self._prepare(client)
                    break
                target.sendall(data)
        _shut(server)
        self._end(client, last=kind == "question")

    def _prepare(self, client: socket.socket) -> None:
        """Make a client see a reset when its connection is closed, if the cut is to be one."""
        if self._reset:
            self._resetting.add(client)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.shutdown(socket.SHUT_RD)  # wakes the thread that waits for it, and tells the client nothing

    def _end(self, client: socket.socket, *, last: bool) -> None:
        """End a client's connection. To close it with unread data would reset it, so that is read first."""
        if client in self._resetting:
            client.close()
            return
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)
            while last and client.recv(_CHUNK):
                pass
        if last:
            _shut(client)

    def _may_pass(self, kind: str, length: int) -> bool:
        """Count a chunk, and return whether to pass it on."""
        if kind == "answer":
            self._open.wait()
        with self._lock:
            due, left = self._due
            if kind != due:
                return True
            self._due, self._cut = (("", 0), length) if not left else ((due, left - 1), 0)
            return bool(left)


def _in_thread(call: Callable[[], None]) -> None:
    Thread(target=call, daemon=True).start()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
    end.close()
