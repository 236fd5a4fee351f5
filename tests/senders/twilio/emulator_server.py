"""An emulator of Twilio that we did not write: the npm package `emulate`, in the release of its lock file.

It is installed once, into the user's cache directory, and needs Node 20 or newer. Without Node, npm or the package
index its tests are skipped; with ``SMSMFA_REQUIRE_SERVICES=1`` they fail.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from services import absent

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
NUMBER, UNOWNED = "+14155550106", "+14155550107"
SERVICE, NO_SERVICE = "MG" + "0123456789abcdef" * 2, "MG" + "f" * 32

_LOCK = Path(__file__).with_name("emulator")
_SEED = {
    "twilio": {
        "account": {"sid": ACCOUNT, "auth_token": TOKEN},
        "phone_numbers": [{"phone_number": NUMBER}],
        "messaging_services": [{"sid": SERVICE, "friendly_name": "acme", "phone_numbers": [NUMBER]}],
    }
}
#: Seconds for the package index, and for the start. They only end a test that hangs.
_PATIENCE = 120


class Emulator:
    """The emulator, and the messages that it has accepted.

    Args:
        url: its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def messages(self) -> list[dict[str, Any]]:
        """Return every accepted message, newest first."""
        return self._ask(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize=100")["messages"]

    def message(self, sid: str) -> dict[str, Any]:
        """Return one message."""
        return self._ask(f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json")

    def call(self, sid: str) -> dict[str, Any]:
        """Return one call."""
        return self._ask(f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json")

    def report(self, sid: str, status: str) -> None:
        """Give a message a status, and have it reported."""
        self._ask("/_twilio/simulate/message-status", {"MessageSid": sid, "Status": status})

    def _ask(self, path: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        login = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        body = None if form is None else urlencode(form).encode()
        with urlopen(Request(self.url + path, body, {"Authorization": f"Basic {login}"}), timeout=_PATIENCE) as answer:
            return json.load(answer)


@contextmanager
def emulator() -> Iterator[Emulator]:
    """Run the emulator."""
    program, port = _installed(), _free_port()
    with tempfile.TemporaryDirectory() as folder:
        seed = Path(folder, "seed.json")  # which is YAML too
        seed.write_text(json.dumps(_SEED), encoding="utf-8")
        command = [_tool("node"), str(program), "start", "-s", "twilio", "-p", str(port), "--seed", str(seed)]
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            _wait_for(process, port, log)
            yield Emulator(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait()


def _tool(name: str) -> str:
    return shutil.which(name) or _absent(f"{name} is not installed")


def _absent(why: str) -> NoReturn:
    absent(f"no emulator of Twilio for the tests: {why}; it needs Node 20 and npm")


def _installed() -> Path:
    """Return the program. Install it first if it is missing, all or nothing."""
    lock = json.loads((_LOCK / "package-lock.json").read_text(encoding="utf-8"))
    release = lock["packages"]["node_modules/emulate"]["version"]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "smsmfa-tests")
    target = cache / f"emulate-{release}"
    if not target.exists():
        npm = _tool("npm")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = shutil.copytree(_LOCK, Path(folder, "emulate"))
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(fresh)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, cwd=fresh)
            except subprocess.TimeoutExpired:
                _absent("npm took too long")
            if done.returncode != 0:
                _absent(f"npm could not install it: {done.stderr.strip().splitlines()[-1:]}")
            with suppress(OSError):  # another run was quicker
                fresh.rename(target)
    return target / "node_modules" / "emulate" / "dist" / "index.js"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    until = monotonic() + _PATIENCE
    while monotonic() < until:
        try:
            code = process.wait(0.05)
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
        else:
            said = log.read_text(encoding="utf-8", errors="replace")
            _absent(f"it ended with {code}: {said.strip().splitlines()[-1:]}")
    raise AssertionError("the emulator did not start")
