"""The users of a project: their ids, and what is forgotten when one is deleted."""

import logging
import shutil
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import transaction
from django.db.models.signals import post_delete
from django.test import override_settings
from stores.django import project as project
from stores.django.site import Site

from smsmfa import MemoryStore, StoreError
from smsmfa.stores.django import settings, users
from smsmfa.testing import RecordingSender

User = get_user_model()
NUMBER = "+14155552671"
GIVEN = {
    "app_name": "Acme", "secret": "a secret that only these tests use, 32 bytes", "regions": ["US"],
    "sender": RecordingSender(),
}  # fmt: skip


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A SQLite file with the tables of all apps."""
    path = tmp_path_factory.mktemp("users") / "db.sqlite3"
    with project.known(project.on_sqlite(path)) as alias, project.routed(alias):
        call_command("migrate", database=alias, verbosity=0)
    return path


@pytest.fixture
def factor(migrated, tmp_path):
    """A project with users in a SQLite file, whose numbers are in memory."""
    path = shutil.copy(migrated, tmp_path / "db.sqlite3")
    with (
        project.known(project.sqlite_settings(path)) as alias,
        project.routed(alias),
        override_settings(SMSMFA={**GIVEN, "store": MemoryStore()}),
    ):
        yield alias


def enrolled(user):
    return settings.verifier().status(users.user_id(user)).enrolled


def alice():
    user = get_user_model().objects.create_user("alice")
    settings.enroller().adopt(users.user_id(user), NUMBER)
    return user


class Proxy(User):
    class Meta:
        proxy = True
        app_label = "auth"


class TestIds:
    @pytest.mark.parametrize("key", [7, "7", uuid4()])
    def test_plain(self, key):
        """A primary key that the factor knows is the id as it is."""
        assert key is users.user_id(User(pk=key))

    def test_other(self):
        """A primary key of another type is an id as text."""
        assert "1.5" == users.user_id(User(pk=1.5))


class TestFind:
    def test_both(self, factor):
        """A user is found by name and by primary key, and the name goes first."""
        user = alice()
        assert user == users.find("alice") == users.find(str(user.pk))
        other = get_user_model().objects.create_user(str(user.pk))
        assert other == users.find(str(user.pk))

    @pytest.mark.parametrize("name", ["bob", "99", ""])
    def test_nobody(self, factor, name):
        """Anybody else is an error."""
        with pytest.raises(LookupError, match=f"no user with the username or the primary key {name}"):
            users.find(name)


class TestDeleted:
    def test_at_once(self, factor):
        """The numbers of a user who is deleted are forgotten, but not those of others."""
        user, bob = alice(), get_user_model().objects.create_user("bob")
        settings.enroller().adopt(bob.pk, NUMBER)
        gone = User(pk=user.pk)
        user.delete()
        assert [False, True] == [enrolled(gone), enrolled(bob)]

    def test_query(self, factor):
        """The same goes for all users of a query, also through a proxy."""
        for model in (User, Proxy):
            gone = User(pk=alice().pk)
            users.watch()
            model.objects.all().delete()
            assert not enrolled(gone)

    def test_transaction(self, factor):
        """In a transaction they are forgotten at its commit, and kept if it is rolled back."""
        user = alice()
        gone = User(pk=user.pk)
        for rolled_back in (True, False):
            with transaction.atomic(using=factor):
                User.objects.get(pk=gone.pk).delete()
                assert enrolled(gone)
                transaction.set_rollback(rolled_back, using=factor)
            assert rolled_back == enrolled(gone)

    def test_turned_off(self, factor):
        """A setting turns it off."""
        with override_settings(SMSMFA={**GIVEN, "store": MemoryStore(), "reset_deleted_users": False}):
            user = alice()
            gone = User(pk=user.pk)
            user.delete()
            assert enrolled(gone)

    def test_no_setting(self, factor):
        """Without SMSMFA nothing happens."""
        with override_settings(SMSMFA=None):
            assert 1 == get_user_model().objects.create_user("alice").delete()[0]

    def test_failure(self, factor, caplog, monkeypatch):
        """If the store fails, the user is deleted, and the log has the error."""
        user = alice()

        def fail(*_):
            raise StoreError("no store")

        monkeypatch.setattr(settings.store(), "read", fail)
        monkeypatch.setattr(settings.store(), "update", fail)
        with caplog.at_level(logging.ERROR):
            user.delete()
        assert not User.objects.exists()
        assert "no store" in caplog.text

    def test_no_users(self, monkeypatch):
        """A project without users is left alone."""
        monkeypatch.setattr(users.apps, "is_installed", lambda name: False)
        monkeypatch.setattr(users, "get_user_model", None)
        assert users.watch() is None

    def test_other_models(self):
        """Deletions of other models stay as fast as they were."""
        assert not post_delete.has_listeners(Proxy._meta.apps.get_model("sessions", "Session"))


MODELS = """
import uuid
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

class Person(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    objects = BaseUserManager()
"""
SCRIPT = """
import uuid
from django.db import transaction
from site_app.models import Person
from smsmfa.stores.django import settings, users
for atomic in (False, True):
    person = Person.objects.create(email="a@example.com")
    key = person.pk
    settings.enroller().adopt(users.user_id(users.find("a@example.com")), "+14155552671")
    assert users.find(str(key)) == person
    print(settings.verifier().status(key).enrolled)
    if atomic:
        with transaction.atomic():
            person.delete()
            print(settings.verifier().status(str(key)).enrolled)
    else:
        person.delete()
    print(settings.verifier().status(key).enrolled)
try:
    users.find("no@example.com")
except LookupError as error:
    print(error)
"""


def test_own_model(tmp_path):
    """A user model of one's own, with UUIDs and e-mail addresses, works as well, in a real project."""
    wal = "DATABASES['default']['OPTIONS'] = {'init_command': 'PRAGMA journal_mode = WAL'}"
    site = Site(tmp_path, f"AUTH_USER_MODEL = 'site_app.Person'\n{wal}\n", models=MODELS)
    site.manage("migrate", "--run-syncdb", "-v", "0")
    said = site.run(SCRIPT)

    assert ["True", "False", "True", "True", "False"] == said.split()[:5]
    assert "there is no user with the email or the primary key no@example.com" in said
