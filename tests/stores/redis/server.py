"""Redis servers of the tests' own: each a process on a free port of this machine."""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from services import absent

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")


class Server:
    """A server that can be killed and started again on the same port and files.

    Args:
        folder: where it keeps its files.
        options: its configuration, for the command line.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.host, self.port = "127.0.0.1", _free_port()
        self._folder = folder
        self._options = options
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        command = [BINARY, *self._options, "--port", str(self.port), "--bind", self.host, "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = b""
        for line in self._process.stdout:
            said += line
            if b"eady to accept connections" in line or b"Sentinel ID is" in line:
                return
        raise AssertionError(f"the server did not start:\n{said.decode()}")

    def kill(self) -> None:
        """End it at once, with SIGKILL."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[Server]:
    """Start a server without snapshots, and kill it at the end; skip or fail the test if the program is absent."""
    if BINARY is None:
        absent("no redis-server or valkey-server here to start")
    server = Server(folder, *options, "--save", "")
    try:
        yield server
    finally:
        server.kill()


def wait_until(true: Callable[[], object], patience: float = 20) -> None:
    """Ask until it is so."""
    end = monotonic() + patience
    while not true():
        assert monotonic() < end, "the servers did not come to an agreement"


def _free_port() -> int:
    """Return a free port, and one for a cluster's bus, 10,000 above it, that exists."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
            if port < 55_000:
                return port
