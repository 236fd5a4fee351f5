"""Redis servers that the tests start, each as a process on a free port of this machine."""

import random
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from services import absent

BINARY = shutil.which("redis-server") or shutil.which("valkey-server")
#: Below the ports that systems give to outgoing connections, also with the 10,000 that a cluster's bus adds.
PORTS = range(10_000, 22_000)
#: How many ports to try before giving up.
TRIES = 10


class Server:
    """A server that can be killed and started again on the same port and files.

    Args:
        folder: the directory for its files.
        options: its configuration, as options of the command line.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.host = "127.0.0.1"
        self._folder = folder
        self._options = options
        for _ in range(TRIES):
            self.port = _free_port()
            if not (output := self._started()):
                return
        raise AssertionError(f"the server did not start:\n{output}")

    def start(self) -> None:
        """Start the server again, and wait until it is ready."""
        output = self._started()
        assert not output, f"the server did not start:\n{output}"

    def _started(self) -> str:
        """Start the server, and wait until it is ready. Return its output if it ends instead."""
        command = [BINARY, *self._options, "--port", str(self.port), "--bind", self.host, "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output = b""
        for line in self._process.stdout:
            output += line
            if b"eady to accept connections" in line or b"Sentinel ID is" in line:
                return ""
        self.kill()
        return output.decode() or "no output"

    def kill(self) -> None:
        """End the server at once, with SIGKILL."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[Server]:
    """Start a server without snapshots, and kill it at the end. Skip or fail the test if there is no program."""
    if BINARY is None:
        absent("neither redis-server nor valkey-server is installed")
    server = Server(folder, *options, "--save", "")
    try:
        yield server
    finally:
        server.kill()


def wait_until(true: Callable[[], object], patience: float = 20) -> None:
    """Call a function until it returns a true value."""
    end = monotonic() + patience
    while not true():
        assert monotonic() < end, "the servers did not agree in time"


def _free_port() -> int:
    """Return a free port whose cluster bus, 10,000 above it, is free too."""
    while True:
        port = random.choice(PORTS)
        with (
            suppress(OSError),
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("127.0.0.1", port + 10_000)),
        ):
            return port
