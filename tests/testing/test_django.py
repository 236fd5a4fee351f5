"""Helpers for the tests of a Django project."""

import pytest
from django.contrib.auth import aget_user, get_user, get_user_model
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory, TestCase, TransactionTestCase, override_settings
from django.urls import path
from stores.django import project
from stores.django.site import Site
from web.django.site import Forms, member, site

from smsmfa.stores.django import settings
from smsmfa.stores.memory import MemoryStore
from smsmfa.testing.django import SmsMfaMixin, enrolled, outbox, with_user

GIVEN = {
    "app_name": "Acme", "secret": "a secret that only these tests use, 32 bytes", "regions": ["US", "FR"],
    "sender": "smsmfa.TwilioSender", "store": MemoryStore(),
}  # fmt: skip


def view(request):
    challenge = settings.verifier().challenge(request.user.pk)
    return HttpResponse(challenge.phone.masked)


async def async_view(request):
    user = await request.auser()
    return HttpResponse((await settings.async_verifier().challenge(user.pk)).phone.masked)


urlpatterns = [path("code", view), path("async", async_view)]


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A SQLite file with the tables of all apps, to which everything is routed."""
    path = tmp_path_factory.mktemp("users") / "db.sqlite3"
    with project.known(project.on_sqlite(path)) as alias, project.routed(alias):
        call_command("migrate", database=alias, verbosity=0)
        yield alias


@pytest.fixture
def alias(migrated):
    with override_settings(ROOT_URLCONF=__name__, SMSMFA=GIVEN):
        yield migrated


def user(name="alice"):
    return get_user_model().objects.create_user(name)


class TestMixin:
    def test_test_case(self, alias):
        """Each test has an empty outbox, the users that its class has enrolled, and sends nothing."""

        class Case(SmsMfaMixin, TestCase):
            databases = {alias}

            @classmethod
            def setUpTestData(cls):
                cls.user = cls.enrolled(user(), "+14155552671")

            def test_one(self):
                assert [] == self.outbox.messages
                self.logged_in(self.user)
                assert self.client.get("/code").content.decode().endswith("71")
                settings.verifier().verify(self.user.pk, self.challenge(), self.outbox.last_code)
                assert not self.challenge()

            def test_two(self):
                self.logged_in(self.user)
                assert self.client.get("/async").content.decode().endswith("71")
                settings.verifier().verify(self.user.pk, self.challenge(), self.outbox.last_code)

            def challenge(self):
                challenges = settings.verifier().status(self.user.pk).challenges
                return challenges[0].id if challenges else None

        assert [] == project.outcome(Case)

    def test_transaction_test_case(self, alias):
        """It works in a TransactionTestCase too, with the store in the database."""

        class Case(SmsMfaMixin, TransactionTestCase):
            databases = {alias}
            available_apps = ["django.contrib.auth", "django.contrib.contenttypes", "smsmfa.stores.django"]

            def test_it(self):
                alice = self.enrolled(user())
                assert settings.verifier().status(alice.pk).enrolled
                alice.delete()
                assert not settings.verifier().status(1).enrolled

        assert [] == project.outcome(Case)


class TestHelpers:
    def test_enrolled(self, alias):
        """Users get different numbers, of a country that is allowed."""

        class Case(SmsMfaMixin, TestCase):
            databases = {alias}

            def test_it(self):
                for name in "abcdefgh":
                    settings.verifier().challenge(enrolled(user(name)).pk)
                assert {"US"} == {message.to.region for message in self.outbox.messages}
                assert 2 < len({message.to for message in self.outbox.messages})
                with override_settings(SMSMFA={**GIVEN, "regions": ["FR"], "sender": self.outbox}):
                    settings.verifier().challenge(enrolled(user()).pk)
                assert "FR" == self.outbox.last.to.region

        assert [] == project.outcome(Case)

    def test_outbox(self):
        """Without a test case, for example with pytest, the outbox is a context."""
        with override_settings(SMSMFA=GIVEN), outbox() as sent:
            assert sent is settings.sender()
            assert sent.messages is settings.async_sender().messages
            assert [] == sent.messages

    def test_with_user(self, alias):
        """A request of the factory has the user and a session, as after a login, for both kinds of views."""

        class Case(SmsMfaMixin, TestCase):
            databases = {alias}

            def test_sync(self):
                alice = self.enrolled(user(), "+14155552671")
                request = with_user(RequestFactory().get("/code"), alice)
                assert view(request).content.decode().endswith("71")
                assert alice == get_user(request)
                again = with_user(RequestFactory().get("/"), alice, request.session)
                assert again.session is request.session

            async def test_async(self):
                alice = await get_user_model().objects.acreate_user("alice")
                request = with_user(RequestFactory().get("/async"), alice)
                assert alice == await request.auser() == await aget_user(request)

        assert [] == project.outcome(Case)


TESTS = """
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import TestCase
from django.urls import path
from smsmfa.stores.django import settings
from smsmfa.testing.django import SmsMfaMixin

def account(request):
    return HttpResponse(settings.verifier().status(request.user.pk).phones[0].masked)

class AccountTest(SmsMfaMixin, TestCase):
    def test_account(self):
        self.logged_in(self.enrolled(User.objects.create_user("alice"), "+14155552671"))
        self.assertContains(self.client.get("/account/"), "71")
"""
URLS = "from django.urls import path\nfrom .tests import account\nurlpatterns = [path('account/', account)]\n"
MIDDLEWARE = """
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
]
"""


def test_project(tmp_path):
    """The example works in a real project, whose database is in memory and whose carrier has no account."""
    site = Site(tmp_path, MIDDLEWARE + "SMSMFA['sender'] = 'smsmfa.TwilioSender'\n", tests=TESTS, urls=URLS)
    said = site.manage("test", "-v", "1")
    assert "Ran 1 test" in said
    assert "OK" in said


class TestPages:
    """In a project with the pages of ``smsmfa.web.django``."""

    def test_logged_in(self, tmp_path):
        """The client is past the second step, except where a fresh code is asked for, which is in the outbox."""
        with site(tmp_path) as one:

            class Case(SmsMfaMixin, TestCase):
                databases = {one.alias}

                def test_home(self):
                    self.logged_in(self.enrolled(user()))
                    self.assertContains(self.client.get("/"), "Hello alice")
                    self.assertRedirects(self.client.get("/danger/"), "/mfa/step-up?next=/danger/", 303)

                def test_whole_login(self):
                    self.enrolled(get_user_model().objects.create_user("alice", password="password"))
                    self.client.post("/sign-in/", {"username": "alice"})
                    [(_, form, _), *_] = Forms(self.client.get("/mfa/code").text).found
                    form["code"] = self.outbox.last_code
                    self.assertRedirects(self.client.post("/mfa/code", form), "/", 303)

                def test_nobody(self):
                    self.client.force_login(self.enrolled(user()))
                    self.assertRedirects(self.client.get("/"), "/mfa/code", 303)
                    assert [] == self.outbox.messages

            assert [] == project.outcome(Case)

    def test_request_factory(self, tmp_path):
        """A request of RequestFactory is past the second step."""
        with site(tmp_path) as one:
            request = with_user(RequestFactory().get("/member/"), one.user())
            assert "member alice" == member(request).text
