"""Packages of npm for the tests, each in the release of a lock file.

Each is installed once, into the user's cache directory. Without npm or the package index its tests are skipped; with
``SMSMFA_REQUIRE_SERVICES=1`` they fail.
"""

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from services import absent

#: Seconds for the package index. They only end a test that hangs.
_PATIENCE = 120


def installed(lock: Path, package: str, purpose: str) -> Path:
    """Return the folder of a package. Install it first if it is missing, all or nothing.

    Args:
        lock: the folder of ``package.json`` and ``package-lock.json``.
        package: its name.
        purpose: what the tests want it for, for the message if it is absent.
    """
    packages = json.loads((lock / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    release = packages[f"node_modules/{package}"]["version"]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "smsmfa-tests")
    target = cache / f"{package}-{release}"
    if not target.exists():
        npm = tool("npm", purpose)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = shutil.copytree(lock, Path(folder, package))
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(fresh)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, cwd=fresh)
            except subprocess.TimeoutExpired:
                missing(purpose, "npm took too long")
            if done.returncode != 0:
                missing(purpose, f"npm could not install it: {done.stderr.strip().splitlines()[-1:]}")
            with suppress(OSError):  # another run was quicker
                fresh.rename(target)
    return target / "node_modules" / package


def tool(name: str, purpose: str) -> str:
    """Return the path of a program, ``node`` or ``npm``."""
    return shutil.which(name) or missing(purpose, f"{name} is not installed")


def missing(purpose: str, why: str) -> NoReturn:
    """Skip the running test, or fail it."""
    absent(f"no {purpose} for the tests: {why}; it needs Node 20 and npm")
