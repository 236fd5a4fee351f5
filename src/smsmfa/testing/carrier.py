"""A carrier that is none: an HTTP server on loopback, which does with each request what a script says."""

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import Message as Headers
from http.client import parse_headers
from itertools import chain, repeat
from socket import SO_LINGER, SOL_SOCKET
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import TypeAlias

import attrs

#: What a carrier does with a request. The connection ends with it, unless it returns something true.
Behaviour: TypeAlias = Callable[["Exchange"], object]

#: Seconds between two bytes of a carrier that drips.
_DRIP = 0.01


@attrs.frozen
class Request:
    """A request that a carrier got.

    Args:
        line: its first line, ``"POST /messages HTTP/1.1"``.
        headers: its headers.
        body: its body, as text.
    """

    line: str
    headers: Headers = attrs.field(repr=False)
    body: str = attrs.field(repr=False)


@attrs.frozen
class Answer:
    """What a carrier answers, after which it closes the connection.

    Args:
        status: the HTTP status.
        body: text, sent as UTF-8.
        headers: more headers, each a line.
        content_type: of the body.
    """

    status: int
    body: str = attrs.field(default="", repr=False)
    headers: Sequence[str] = ()
    content_type: str = "application/json"

    def __call__(self, exchange: "Exchange") -> None:
        """Answer."""
        exchange.wfile.write(self.head("Connection: close") + self.body.encode())

    def head(self, *more: str) -> bytes:
        """Return all that comes before the body."""
        length, kind = f"Content-Length: {len(self.body.encode())}", f"Content-Type: {self.content_type}"
        return "\r\n".join([f"HTTP/1.1 {self.status} Words", length, kind, *self.headers, *more, "", ""]).encode()


class Carrier(ThreadingTCPServer):
    """The server; a context manager that stops it, and with it all that still hangs.

    Args:
        script: one behaviour for each request, an :class:`Answer` for example; the last one is that of all that follow.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *script: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self._behaviours = chain(script, repeat(script[-1]))
        #: The requests, in order.
        self.requests: list[Request] = []
        #: How many connections were made.
        self.connections: int = 0
        #: Set when the carrier stops: what takes its time waits for it.
        self.closing: Event = Event()
        #: Where it listens.
        self.url: str = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, and let go of those at hand."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def behaviour(self) -> Behaviour:
        """Return what to do with the next request."""
        return next(self._behaviours)

    def __exit__(self, *_: object) -> None:
        self.stop()


class Exchange(StreamRequestHandler):
    """One connection of a carrier's: ``wfile`` to write to, ``connection`` the socket, ``server`` the carrier."""

    server: Carrier

    def handle(self) -> None:
        """Serve one request after the other, for as long as their behaviours keep the connection."""
        self.server.connections += 1
        with suppress(OSError):  # the client has given up, as it should
            while line := self.rfile.readline().decode("latin-1").strip():
                headers = parse_headers(self.rfile)
                body = self.rfile.read(int(headers.get("Content-Length", 0))).decode("utf-8", "replace")
                self.server.requests.append(Request(line, headers, body))
                if not self.server.behaviour()(self):
                    return


def kept(answer: Answer) -> Behaviour:
    """Answer, and keep the connection for another request."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.wfile.write(answer.head() + answer.body.encode())
        return True

    return behaviour


def hang(exchange: Exchange) -> None:
    """Answer nothing, for as long as the carrier runs."""
    exchange.server.closing.wait()


def drop(exchange: Exchange) -> None:
    """Close the connection without an answer."""


def reset(exchange: Exchange) -> None:
    """Break the connection, so that the client gets a ``ConnectionResetError``."""
    exchange.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    exchange.wfile.close()
    exchange.rfile.close()
    exchange.connection.close()


def half(answer: Answer) -> Behaviour:
    """Close the connection in the middle of an answer's body."""

    def behaviour(exchange: Exchange) -> None:
        body = answer.body.encode()
        exchange.wfile.write(answer.head() + body[: len(body) // 2])

    return behaviour


def stall(answer: Answer) -> Behaviour:
    """Send half an answer, and then nothing for as long as the carrier runs."""

    def behaviour(exchange: Exchange) -> None:
        half(answer)(exchange)
        hang(exchange)

    return behaviour


def drip(answer: Answer) -> Behaviour:
    """Send an answer with an endless body, a byte at a time, each within any timeout."""

    def behaviour(exchange: Exchange) -> None:
        exchange.wfile.write(attrs.evolve(answer, body=" " * 10**6).head())
        while not exchange.server.closing.wait(_DRIP):
            exchange.wfile.write(b" ")

    return behaviour
