"""Makes Django projects in folders, and runs their commands as a user does."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

SETTINGS = """
from pathlib import Path
SECRET_KEY = "only the tests of the library use this one, and nobody else"
INSTALLED_APPS = [
    "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "smsmfa.stores.django", "site_app",
]
ROOT_URLCONF = "site_app.urls"
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).parent / "site.sqlite3"}}
SMSMFA = {
    "app_name": "Acme", "secret": "a secret that only these tests use, 32 bytes", "regions": ["US"],
    "sender": "smsmfa.ConsoleSender",
}
"""


class Site:
    """A project with the app ``site_app``.

    Args:
        folder: where to make it.
        settings: what comes after the usual settings.
        files: the files of the app, by name.
    """

    def __init__(self, folder: Path, settings: str = "", **files: str) -> None:
        self.folder = folder
        self.write("site_settings.py", SETTINGS + dedent(settings))
        self.write("site_app/__init__.py", "")
        self.write("site_app/urls.py", "urlpatterns = []")
        for name, text in files.items():
            self.write(f"site_app/{name}.py", text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")

    def manage(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """Run a command of ``manage.py``, and return what it printed."""
        path = {"DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            [sys.executable, "-m", "django", *arguments], cwd=self.folder, env={**os.environ, **path, **environment},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert fails == bool(done.returncode), said
        return said

    def run(self, script: str) -> str:
        """Run a script in the project, and return what it printed."""
        return self.manage("shell", "-v", "0", "-c", dedent(script))
