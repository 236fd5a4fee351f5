"""``manage.py test`` on PostgreSQL, which drops no database that somebody is connected to."""

from uuid import uuid4

import pytest
from services import POSTGRES
from stores.django import project
from stores.django.site import Site

TESTS = """
from django.test import TestCase, TransactionTestCase
from smsmfa.stores.django import AsyncDjangoStore, DjangoStore
from smsmfa.stores.django.models import Record
from smsmfa.typing import Entry

def write(values):
    return {"k": Entry(b"1")}, values

class Fast(TestCase):
    def test_sync(self):
        self.assertEqual({}, DjangoStore().update(["k"], write))

    async def test_async(self):
        self.assertEqual({}, await AsyncDjangoStore().update(["k"], write))

    async def test_client(self):
        self.assertEqual(b"{}", (await self.async_client.get("/sync")).content)
        self.assertEqual(b"1", await AsyncDjangoStore().read("k"))

class Whole(TransactionTestCase):
    def test_sync(self):
        self.assertEqual({}, DjangoStore().update(["k"], write))
        self.assertEqual(1, Record.objects.count())

    def test_client(self):
        self.assertEqual(b"{}", self.client.get("/async").content)
        self.assertEqual(b"{'k': b'1'}", self.client.get("/sync").content.replace(b"&#x27;", b"'"))

    async def test_async(self):
        self.assertEqual({}, await AsyncDjangoStore().update(["k"], write))
"""
URLS = """
from django.db.transaction import non_atomic_requests
from django.http import HttpResponse
from django.urls import path
from smsmfa.stores.django import AsyncDjangoStore, DjangoStore
from .tests import write

def view(request):
    return HttpResponse(str(DjangoStore().update(["k"], write)))

@non_atomic_requests
async def async_view(request):
    return HttpResponse(str(await AsyncDjangoStore().update(["k"], write)))

urlpatterns = [path("sync", view), path("async", async_view)]
"""
PERSISTENT = {"CONN_MAX_AGE": 60}
POOLED = {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": True}}


@pytest.mark.parametrize("settings", [PERSISTENT, POOLED], ids=["persistent", "pooled"])
@pytest.mark.parametrize("atomic", [False, True])
def test_run(tmp_path, settings, atomic):
    """The tests of a project pass, and the test database is dropped, whatever keeps connections open."""
    POSTGRES.driver()
    name = f"smsmfa_test_{uuid4().hex}"
    database = project.postgres_settings("postgres") | settings | {"TEST": {"NAME": name}, "ATOMIC_REQUESTS": atomic}
    site = Site(tmp_path, f"DATABASES = {{'default': {database!r}}}", tests=TESTS, urls=URLS)
    said = site.manage("test", "--noinput", "-v", "1")

    assert "Ran 6 tests" in said
    assert "OK" in said
