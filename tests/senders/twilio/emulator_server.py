"""An emulator of Twilio that we did not write: the npm package `emulate`, in the release of its lock file.

``tests/npm.py`` installs it. It needs Node 20 or newer.
"""

import json
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

from npm import installed, missing, tool

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
NUMBER, UNOWNED = "+14155550106", "+14155550107"
SERVICE, NO_SERVICE = "MG" + "0123456789abcdef" * 2, "MG" + "f" * 32

_LOCK = Path(__file__).with_name("emulator")
_PURPOSE = "emulator of Twilio"
_SEED = {
    "twilio": {
        "account": {"sid": ACCOUNT, "auth_token": TOKEN},
        "phone_numbers": [{"phone_number": NUMBER}],
        "messaging_services": [{"sid": SERVICE, "friendly_name": "acme", "phone_numbers": [NUMBER]}],
    }
}
#: Seconds for the start. They only end a test that hangs.
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
    program = installed(_LOCK, "emulate", _PURPOSE) / "dist" / "index.js"
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        seed = Path(folder, "seed.json")  # which is YAML too
        seed.write_text(json.dumps(_SEED), encoding="utf-8")
        command = [tool("node", _PURPOSE), str(program), "start", "-s", "twilio", "-p", str(port), "--seed", str(seed)]
        log = Path(folder, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            _wait_for(process, port, log)
            yield Emulator(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait()


def _absent(why: str) -> NoReturn:
    missing(_PURPOSE, why)


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
