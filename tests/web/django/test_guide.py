"""The page of the documentation: a project built from it alone works."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[3] / "docs/how-to/django.md").read_text(encoding="utf-8")
COMMANDS = """
import django
django.setup()
from django.core.management import call_command
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
call_command("test", "mysite", interactive=False)
"""


def run(folder, *command):
    secret = {"SMSMFA_SECRET": "only the tests of the documentation use this one"}
    path = {"DJANGO_SETTINGS_MODULE": "mysite.settings", "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=os.environ | secret | path, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return done.stderr


def test_lines():
    """A Django login with the whole second step takes at most 25 lines beside the password page."""
    block = PAGE.partition("<!-- the second step")[2].partition("<!-- end of the second step -->")[0]
    blocks = re.findall(r"```python\n# \S+\n(.*?)```", block, re.DOTALL)
    lines = [line for one in blocks for line in one.splitlines() if line.strip()]

    assert 15 <= len(lines) <= 25


def test_project(tmp_path):
    """The project on the page is found good, and passes the tests on the page."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    start = [sys.executable, "-m", "django", "startproject", "mysite", "."]
    subprocess.run(start, cwd=tmp_path, env=environment, timeout=60, check=True)
    for name, block in re.findall(r"^```python\n# (\w+/\w+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(block)

    assert "Ran 3 tests" in run(tmp_path, "-c", COMMANDS)
