"""A stand-in for a carrier: an HTTP or HTTPS server on loopback that treats each request as a script says."""

import os
import ssl
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import Message as Headers
from http.client import parse_headers
from itertools import chain, repeat
from socket import SO_LINGER, SOL_SOCKET
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import Any, TypeAlias

import attrs

#: What the carrier does with a request. It then closes the connection, unless the behaviour returns a true value.
Behaviour: TypeAlias = Callable[["Exchange"], object]

#: Seconds between two bytes of :func:`drip`.
_DRIP = 0.01


@attrs.frozen
class Request:
    """A request that the carrier received.

    Args:
        line: the request line, for example ``"POST /messages HTTP/1.1"``.
        headers: the headers.
        body: the body, decoded as UTF-8.
    """

    line: str
    headers: Headers = attrs.field(repr=False)
    body: str = attrs.field(repr=False)


@attrs.frozen
class Answer:
    """An HTTP response. The carrier closes the connection after it.

    Args:
        status: the HTTP status.
        body: the text to send, as UTF-8.
        headers: additional header lines, for example ``["Retry-After: 5"]``.
        content_type: the value of ``Content-Type``.
    """

    status: int
    body: str = attrs.field(default="", repr=False)
    headers: Sequence[str] = ()
    content_type: str = "application/json"

    def __call__(self, exchange: "Exchange") -> None:
        """Send the response."""
        exchange.wfile.write(self.head("Connection: close") + self.body.encode())

    def head(self, *more: str) -> bytes:
        """Return the status line and the headers."""
        length, kind = f"Content-Length: {len(self.body.encode())}", f"Content-Type: {self.content_type}"
        return "\r\n".join([f"HTTP/1.1 {self.status} Words", length, kind, *self.headers, *more, "", ""]).encode()


class Carrier(ThreadingTCPServer):
    """The HTTP server. As a context manager it stops at the end of the block and releases requests that still hang.

    Args:
        script: one behaviour for each request, for example an :class:`Answer`. The last one also applies to all later
            requests.
        certificate: a PEM file with a certificate for 127.0.0.1 and its key: the carrier then speaks HTTPS. The sender
            must trust it.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, *script: Behaviour, certificate: str | os.PathLike[str] | None = None) -> None:
        self._tls = None if certificate is None else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self._tls is not None and certificate is not None:
            self._tls.load_cert_chain(certificate)
        super().__init__(("127.0.0.1", 0), Exchange)
        self._behaviours = chain(script, repeat(script[-1]))
        #: The requests that arrived, in order.
        self.requests: list[Request] = []
        #: How many connections were made.
        self.connections: int = 0
        #: Set when the carrier stops. Behaviours that hang wait for it.
        self.closing: Event = Event()
        #: The address of the server: ``http://127.0.0.1:<port>``, or ``https://``.
        self.url: str = f"http{'s' * (self._tls is not None)}://127.0.0.1:{self.server_address[1]}"
        self._thread = Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Accept no more requests, and release the requests that hang."""
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, encrypted if there is a certificate. A failed handshake ends that connection only."""
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), self._tls.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def behaviour(self) -> Behaviour:
        """Return the behaviour for the next request."""
        return next(self._behaviours)

    def __exit__(self, *_: object) -> None:
        self.stop()


class Exchange(StreamRequestHandler):
    """One connection to the carrier: ``wfile`` writes to it, ``connection`` is the socket, ``server`` the carrier."""

    server: Carrier

    def handle(self) -> None:
        """Serve requests until a behaviour ends the connection."""
        self.server.connections += 1
        with suppress(OSError):  # the client gave up, as a good one does
            while line := self.rfile.readline().decode("latin-1").strip():
                headers = parse_headers(self.rfile)
                body = self.rfile.read(int(headers.get("Content-Length", 0))).decode("utf-8", "replace")
                self.server.requests.append(Request(line, headers, body))
                if not self.server.behaviour()(self):
                    return


def kept(answer: Answer) -> Behaviour:
    """Answer, and keep the connection open for the next request."""

    def behaviour(exchange: Exchange) -> bool:
        exchange.wfile.write(answer.head() + answer.body.encode())
        return True

    return behaviour


def hang(exchange: Exchange) -> None:
    """Send nothing until the carrier stops."""
    exchange.server.closing.wait()


def drop(exchange: Exchange) -> None:
    """Close the connection without an answer."""


def reset(exchange: Exchange) -> None:
    """Reset the connection: the client gets a ``ConnectionResetError``."""
    exchange.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    exchange.wfile.close()
    exchange.rfile.close()
    exchange.connection.close()


def half(answer: Answer) -> Behaviour:
    """Close the connection in the middle of the body."""

    def behaviour(exchange: Exchange) -> None:
        body = answer.body.encode()
        exchange.wfile.write(answer.head() + body[: len(body) // 2])

    return behaviour


def stall(answer: Answer) -> Behaviour:
    """Send half of the answer, then nothing until the carrier stops."""

    def behaviour(exchange: Exchange) -> None:
        half(answer)(exchange)
        hang(exchange)

    return behaviour


def drip(answer: Answer) -> Behaviour:
    """Send an endless body one byte at a time, each byte within any timeout."""

    def behaviour(exchange: Exchange) -> None:
        exchange.wfile.write(attrs.evolve(answer, body=" " * 10**6).head())
        while not exchange.server.closing.wait(_DRIP):
            exchange.wfile.write(b" ")

    return behaviour
