"""A PgBouncer for the tests, in front of their PostgreSQL."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep

from services import POSTGRES, absent
from stores.postgres.server import _free_port

BINARY = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
#: Seconds to wait for it.
_PATIENCE = 20
_SETTINGS = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
default_pool_size = 20
server_idle_timeout = 5
"""


@contextmanager
def pgbouncer() -> Iterator[tuple[str, int]]:
    """Start one that pools transactions, yield its address, and stop it at the end. Skip or fail without it."""
    if BINARY is None:
        absent("no pgbouncer here")
    host, port = POSTGRES.address
    own, user = _free_port(), "nobody" if os.geteuid() == 0 else ""  # it refuses to run as root
    folder = Path(mkdtemp(prefix="smsmfa_test_"))
    settings = folder / "pgbouncer.ini"
    settings.write_text(_SETTINGS.format(host=host, port=port, user=POSTGRES.user, own=own), encoding="utf-8")
    folder.chmod(0o755)
    running = subprocess.Popen(
        [BINARY, "--quiet", *(["--user", user] if user else []), str(settings)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(own)
        yield "127.0.0.1", own
    finally:
        running.kill()
        running.wait()
        shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    end = monotonic() + _PATIENCE
    while monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        sleep(0.02)
    raise AssertionError("PgBouncer did not start")
