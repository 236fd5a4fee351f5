"""In a Django ``TestCase`` records are kept in memory, for each test anew."""

import subprocess
import sys

import pytest
from django.core import mail
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import SimpleTestCase, TestCase, override_settings
from django.urls import path
from stores.django import project as project

from smsmfa.stores.django import AsyncDjangoStore, DjangoStore
from smsmfa.stores.django.stand_in import async_stand_in, in_tests, stand_in
from smsmfa.testing.stores.suite import put
from smsmfa.typing import Entry


def writing(value):
    return lambda values: ({"k": Entry(value)}, values)


async def asynchronous_view(request):
    before = await AsyncDjangoStore().update(["k"], writing(b"of a view"))
    return HttpResponse(str(before.get("k")))


urlpatterns = [path("async", asynchronous_view)]


@pytest.fixture
def other(tmp_path):
    """A database to which the routers send the app, and which has its table."""
    with project.known(project.on_sqlite(tmp_path / "db.sqlite3")) as alias, project.routed(alias, others="default"):
        yield alias
        assert DjangoStore().read("k") is None


@pytest.fixture
def blocks():
    """The transactions of a TestCase, begun in the thread in which pytest runs loops."""
    connection = connections["default"]
    for block in (transaction.atomic(), transaction.atomic()):
        block._from_testcase = True
        connection.atomic_blocks.append(block)
    yield
    del connection.atomic_blocks[:]


class TestSync:
    def test_fresh(self):
        """Each test has its own records, which a rollback inside it does not undo, as in the database."""

        class Case(TestCase):
            def test_one(self):
                assert DjangoStore().read("k") is None
                with transaction.atomic():
                    put(DjangoStore(), {"k": b"1"})
                    transaction.set_rollback(True)
                assert b"1" == DjangoStore().read("k")

            test_two = test_one

        assert [] == project.outcome(Case)
        assert stand_in("default") is None

    def test_data_of_a_class(self):
        """What setUpTestData wrote is there at the beginning of each test."""

        class Case(TestCase):
            @classmethod
            def setUpTestData(cls):
                put(DjangoStore(), {"k": b"1"})
                put(DjangoStore(), {"until": b"1"}, 1000)

            def test_one(self):
                assert {"k": b"1", "until": b"1"} == DjangoStore().update(
                    ["k", "until"], lambda values: ({"k": Entry(b"2"), "until": None}, values)
                )
                assert b"2" == DjangoStore().read("k")

            test_two = test_one

        assert [] == project.outcome(Case)

    def test_several_databases(self, other):
        """It does not matter whether the test may use the store's database, and each database has its own records."""

        class Case(TestCase):
            databases = {"default"}

            def test_it(self):
                put(DjangoStore(), {"k": b"1"})
                assert b"1" == DjangoStore(using=other).read("k")
                assert DjangoStore(using="default").read("k") is None

        class Both(Case):
            databases = {"default", other}

        assert [] == project.outcome(Case) + project.outcome(Both)

    def test_simple_test_case(self, other):
        """In a SimpleTestCase, which allows no database, nothing stands in."""

        class Case(SimpleTestCase):
            def test_it(self):
                DjangoStore().read("k")

        [text] = project.outcome(Case)
        assert "not allowed in SimpleTestCase" in text

    def test_own_transaction(self, other):
        """A transaction that is not a TestCase's changes nothing."""
        with transaction.atomic():
            assert stand_in(other) is None
            assert {} == DjangoStore().update(["k"], lambda values: ({}, values))


class TestAsync:
    @override_settings(ROOT_URLCONF=__name__)
    def test_fresh(self, other):
        """The store for asyncio leaves nothing behind, in asynchronous tests, and in views that a test calls."""

        class Case(TestCase):
            def test_client(self):
                assert b"None" == self.client.get("/async").content
                assert b"of a view" == DjangoStore().read("k")

            async def test_async_client(self):
                assert b"None" == (await self.async_client.get("/async")).content
                assert b"of a view" == await AsyncDjangoStore().read("k")
                assert await async_stand_in(other)

        assert [] == project.outcome(Case)

    async def test_no_test_case(self, other):
        """Outside a TestCase it uses the database."""
        store = AsyncDjangoStore()
        await store.update(["k"], writing(b"1"))
        assert await async_stand_in(other) is None
        await store.update(["k"], lambda values: ({"k": None}, None))
        await store.close()

    async def test_same_thread(self, blocks):
        """A loop that runs in the thread of the test, as pytest's plugins do, finds its records there."""
        found = await async_stand_in("default")
        assert found is not None
        assert found is stand_in("default") is await async_stand_in("default")


SCRIPT = """
import asyncio, sys
from django.conf import settings
settings.configure(INSTALLED_APPS=["smsmfa.stores.django"])
import django
django.setup()
from smsmfa.stores.django.stand_in import async_stand_in, in_tests, stand_in
print(stand_in("default"), asyncio.run(async_stand_in("default")), "django.test" in sys.modules)
"""


def test_production():
    """A process without tests does not look for them."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "None None False\n" == done.stdout


def test_production_here(monkeypatch):
    """The same, seen from here."""
    monkeypatch.delitem(sys.modules, "django.test.testcases")
    assert stand_in("default") is None


async def test_production_on_a_loop(monkeypatch):
    """The same for asyncio."""
    monkeypatch.delitem(sys.modules, "django.test.testcases")
    assert await async_stand_in("default") is None


def test_in_tests(monkeypatch):
    """A test run is noticed by Django's outbox."""
    assert not in_tests()
    monkeypatch.setattr(mail, "outbox", [], raising=False)
    assert in_tests()
