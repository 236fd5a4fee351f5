"""PostgreSQL servers for the tests, each with its own directory and port on this machine."""

import os
import pwd
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from services import absent

#: Where Debian installs them, the newest last. Other systems have them on the path.
_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
INITDB = shutil.which("initdb") or (str(_DEBIAN[-1]) if _DEBIAN else None)


class Server:
    """A server that can be stopped, and started again with the same port and files.

    Args:
        folder: the folder for its files.
        user: the user that it runs as, if not the current one.
        primary: the server of which it is to be a standby; ``None``: it is a primary.
    """

    def __init__(self, folder: Path, user: str | None, primary: "Server | None" = None) -> None:
        self._folder = folder / "data"
        self._as = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        self.port = _free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        if primary is None:
            self._run(INITDB, "-D", self._folder, "-A", "trust", "-U", "postgres", "--no-sync")
        else:
            self._run(
                Path(INITDB).resolve().with_name("pg_basebackup"),
                "-D",
                self._folder,
                "-R",
                "--no-sync",
                "-d",
                primary.url,
            )
        self._settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self._ctl("start", "-o", self._settings, "-l", self._folder / "log")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it. By default this is a crash: the server finishes nothing."""
        self._ctl("stop", "-m", mode)

    def promote(self) -> None:
        """Make a primary of a standby, and wait until it is one."""
        self._ctl("promote")

    def become_standby(self) -> None:
        """Stop it properly, and start it as a standby without a primary."""
        self.stop("fast")
        (self._folder / "standby.signal").touch()
        self.start()

    def _ctl(self, *arguments: object) -> None:
        self._run(Path(INITDB).resolve().with_name("pg_ctl"), "-D", self._folder, "-w", *arguments)

    def _run(self, *command: object) -> None:
        done = subprocess.run(
            [*self._as, *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", check=False
        )
        assert 0 == done.returncode, done.stdout.decode()


@contextmanager
def postgres_server(primary: Server | None = None) -> Iterator[Server]:
    """Start a server, or a standby, and stop it at the end. If that is impossible, skip or fail the test."""
    user = None
    if INITDB is None:
        absent("no initdb here to make a PostgreSQL of the tests' own")
    if os.geteuid() == 0:  # it refuses to run as root
        user = "postgres"
        if shutil.which("setpriv") is None or user not in {entry.pw_name for entry in pwd.getpwall()}:
            absent("no user postgres here, as whom to run a PostgreSQL of the tests' own")
    folder = Path(mkdtemp(prefix="smsmfa_test_"))
    try:
        if user:
            shutil.chown(folder, user)
        server = Server(folder, user, primary)
        server.start()
        try:
            yield server
        finally:
            with suppress(AssertionError):  # a test may have stopped it
                server.stop()
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    """Return a free port that the system does not give to others while the server is stopped."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
