"""The page of the admin site: what it shows, and what nobody can do there."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse
from stores.django import project as project

from smsmfa.core.records import number_key, total_key, user_key
from smsmfa.stores.django import DjangoStore
from smsmfa.stores.django.models import Record
from smsmfa.testing.stores.suite import put

urlpatterns = [path("admin/", admin.site.urls)]
KEYS = user_key("alice"), number_key(14155552671), total_key(), "l:0123:=key", "of an EncryptedStore"
LIST = "/admin/smsmfa/record/"


@pytest.fixture
def alias(tmp_path):
    """The alias of a database for all models, with all tables and a record of each kind."""
    database = project.sqlite_settings(tmp_path / "admin.sqlite3")
    with project.known(database) as alias, project.routed(alias), override_settings(ROOT_URLCONF=__name__):
        call_command("migrate", database=alias, verbosity=0)
        put(DjangoStore(), dict.fromkeys(KEYS, b"secret value"))
        put(DjangoStore(), {total_key(): b"secret"}, 10**11)
        yield alias


@pytest.fixture
def client(alias):
    """A browser in which a superuser is logged in."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "", "password"))
    return client


def test_list(client):
    """The list shows the kind, size and lifetime of records, and neither their values nor their keys."""
    page = client.get(LIST).content.decode()

    for shown in ("user", "number", "total", "limiter", "encrypted", "12", "5195", "forever"):
        assert shown in page
    for hidden in ("secret", b"secret".hex(), KEYS[0][2:], KEYS[1][2:], "0123", *(key.encode().hex() for key in KEYS)):
        assert hidden not in page


@pytest.mark.parametrize("order", ["1", "2", "3", "-1", "-2", "-3"])
def test_order(client, order):
    """The list can be sorted by each of its columns."""
    assert 200 == client.get(LIST, {"o": order}).status_code


def test_no_values_are_read(client, alias):
    """The list reads no value from the database."""
    with CaptureQueriesContext(connections[alias]) as captured:
        client.get(LIST)
    [statement] = [query["sql"] for query in captured if "LENGTH" in query["sql"]]

    assert '"smsmfa_record"."value",' not in statement


def test_nothing_can_be_done(client):
    """A superuser can neither open, add, change nor delete a record."""
    one = admin.utils.quote(Record.objects.first().pk)
    for page in ("add/", f"{one}/change/", f"{one}/delete/", f"{one}/history/"):
        for answer in (client.get(LIST + page), client.post(LIST + page, {"post": "yes"})):
            assert answer.status_code in {302, 403, 404}, page
    client.post(LIST, {"action": "delete_selected", "_selected_action": [one], "post": "yes"})

    assert len(KEYS) == Record.objects.count()


def test_strangers(alias):
    """Staff without the permission cannot see the list."""
    client = Client()
    client.force_login(get_user_model().objects.create_user("staff", is_staff=True))

    assert 403 == client.get(LIST).status_code
    assert LIST == reverse("admin:smsmfa_record_changelist")
