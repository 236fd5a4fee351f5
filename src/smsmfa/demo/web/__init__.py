"""``python -m smsmfa demo --web``: the whole factor in a browser, on this machine only. It needs the extra ``demo``."""

from __future__ import annotations

from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from .site import Site

_HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


def serve(directory: Path, port: int) -> int:
    """Serve the demo until Ctrl-C, and return an exit status: 1 if the port is taken.

    Args:
        directory: where it keeps its files. Accounts, numbers and settings are there again at the next start.
        port: the port on the loopback interface.
    """
    try:
        server = make_server(_HOST, port, Site(directory), server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        print(f"Port {port} cannot be used: {error.strerror}. Try another one: --port {port + 1}")
        return 1
    with server:
        print(f"The demo is at http://{_HOST}:{server.server_port}/ and keeps its files in {directory.absolute()}")
        print("Nothing is sent: messages appear on a drawn phone. Stop with Ctrl-C.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nStopped.")
    return 0
