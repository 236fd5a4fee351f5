"""The package that Django imports before models exist."""

import subprocess
import sys

import pytest

from smsmfa.stores import django

SCRIPT = """
import sys
import smsmfa.stores.django
from smsmfa.stores.django import DjangoStore
store = DjangoStore()
from django.conf import settings
settings.configure(INSTALLED_APPS=["smsmfa.stores.django"])
import django
django.setup()
from django.apps import apps
print(apps.get_app_config("smsmfa").verbose_name, store)
"""
WITHOUT = """
import sys
sys.modules["django"] = None
import smsmfa.stores.django
try:
    from smsmfa.stores.django import DjangoStore
except ModuleNotFoundError as error:
    print(error)
"""


def run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True).stdout


def test_early():
    """A store can be made before settings exist and the app is installed."""
    assert "SMS second factor <DjangoStore>\n" == run(SCRIPT)


def test_without_django():
    """Without Django, the import error says what to install."""
    assert 'smsmfa.stores.django needs Django: pip install "smsmfa[django]"\n' == run(WITHOUT)


def test_names():
    """The package has the two stores and no other name."""
    assert [django.AsyncDjangoStore, django.DjangoStore] == [getattr(django, name) for name in django.__all__]
    with pytest.raises(AttributeError, match="NoStore"):
        django.NoStore  # noqa: B018
