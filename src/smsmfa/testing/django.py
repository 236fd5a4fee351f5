"""Helpers for the tests of a Django project that has the setting ``SMSMFA``. No message is sent.

::

    class AccountTest(SmsMfaMixin, TestCase):
        def test_account(self):
            self.logged_in(self.enrolled(User.objects.create_user("alice"), "+14155552671"))
            self.assertContains(self.client.get("/account/"), "Codes go to ••••71")

In a ``TestCase`` the records of each test are in memory, and start with what ``setUpTestData`` enrolled.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from django.apps import apps
from django.conf import settings as project
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.test import override_settings

from ..stores.django import settings
from ..stores.django.users import user_id
from . import users
from .outbox import AsyncRecordingSender, RecordingSender

if TYPE_CHECKING:
    from django.test import TransactionTestCase
else:
    TransactionTestCase = object

__all__ = ["SmsMfaMixin", "enrolled", "outbox", "with_user"]

U = TypeVar("U")
R = TypeVar("R")


@contextmanager
def outbox() -> Iterator[RecordingSender]:
    """Yield a sender that records all messages of the project, also those sent by asynchronous views.

    The store is the default meanwhile, which is in memory in a ``TestCase``.
    """
    sender, twin = RecordingSender(), AsyncRecordingSender()
    twin.messages = sender.messages
    replaced = {"sender": sender, "async_sender": twin, "store": None, "async_store": None}
    with override_settings(SMSMFA={**project.SMSMFA, **replaced}):
        yield sender


def enrolled(user: U, number: str | None = None) -> U:
    """Enrol a user without a message, and return the user.

    Args:
        user: a saved user.
        number: in E.164; ``None``: another one each time, of a country that the configuration allows.
    """
    users.enrolled(settings.enroller(), user_id(user), number)
    return user


def with_user(request: R, user: Any, session: Any = None) -> R:
    """Give a request of ``RequestFactory`` a session and a user who took both steps of the login, and return it.

    Args:
        request: the request, which no middleware has seen.
        user: who is in.
        session: the session; ``None``: a new one.
    """
    if session is None:
        from importlib import import_module

        session = import_module(project.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = project.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    _let_in(session, user)

    async def auser() -> Any:
        return user

    vars(request).update(user=user, auser=auser, session=session)
    return request


class SmsMfaMixin(TransactionTestCase):
    """Goes before ``TestCase`` or ``TransactionTestCase`` in the bases of a test case."""

    #: Every message of the running test.
    outbox: RecordingSender

    @classmethod
    def setUpClass(cls) -> None:
        """Replace the sender, before the class makes its data."""
        cls.outbox = cls.enterClassContext(outbox())
        super().setUpClass()

    def run(self, result: Any = None) -> Any:
        """Run the test with an empty outbox."""
        self.outbox.messages.clear()
        return super().run(result)

    @classmethod
    def enrolled(cls, user: U, number: str | None = None) -> U:
        """Like :func:`enrolled`; also for ``setUpTestData``."""
        return enrolled(user, number)

    def logged_in(self, user: Any) -> Any:
        """Log the test's client in past the second step, without a code, and return the user.

        A view with ``fresh_second_step`` asks for a code all the same: it is ``self.outbox.last_code``.
        """
        self.client.force_login(user)
        session = self.client.session
        _let_in(session, user)
        session.save()
        return user


def _let_in(session: Any, user: Any) -> None:
    """Note that the second step is taken, in a project that has the pages."""
    if apps.is_installed("smsmfa.web.django"):
        users.logged_in(session, user_id(user))
