"""The model: the columns of its table, and the text of a record."""

import pytest
from stores.django import project as project

from smsmfa.stores.django.models import KeyField, Record


@pytest.mark.parametrize(
    "settings, kind",
    [
        (project.sqlite_settings("file"), "BLOB"),
        (project.postgres_settings("name"), "bytea"),
        (project.mariadb_settings("name"), "varbinary(250)"),
    ],
)
def test_key(settings, kind):
    """Keys are compared as bytes everywhere."""
    with project.known(settings) as alias:
        assert kind == KeyField(max_length=250).db_type(project.connections[alias])


@pytest.mark.parametrize(
    "key, text",
    [
        (b"u:hash", "record of a user"),
        (b"n:hash", "record of a number"),
        (b"t:total", "record of a total"),
        (b"l:scope", "record of a limiter"),
        (b"hash", "record of a key that is encrypted"),
    ],
)
def test_name(key, text):
    """A record shows the kind of its key and nothing else."""
    assert text == str(Record(key=key))
    assert f"<Record: {text}>" == repr(Record(key=key))
