"""Users of an application under test, with a number or past the second step. No message is sent.

With Flask's test client::

    with client.session_transaction() as session:
        logged_in(session, "alice")

With Starlette's and FastAPI's, and the key of ``SessionMiddleware``::

    client.cookies.set("session", session_cookie(KEY, "alice"))
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import MutableMapping
from itertools import count
from json import dumps
from time import time
from typing import TYPE_CHECKING, Any, TypeVar

from ..config import FactorConfig
from ..enroller import Enroller
from ..values import Verification
from ..verifier import Verifier
from .outbox import RecordingSender
from .strategies import _examples, _vary

if TYPE_CHECKING:
    from ..web.visit import UserId

__all__ = ["enrolled", "logged_in", "new_number", "session_cookie", "verified"]

U = TypeVar("U", bound="UserId")

_numbers = count()


def new_number(config: FactorConfig) -> str:
    """Return a mobile number of a country that a configuration allows, in E.164. Each of 1000 calls has another one."""
    region = "US" if config.allows("US") else max(config.regions)
    return _vary(_examples(frozenset({region}))[0], next(_numbers) % 1000)


def enrolled(enroller: Enroller, user_id: U, number: str | None = None) -> U:
    """Enrol a user as :meth:`smsmfa.Enroller.adopt` does, and return the user id.

    Args:
        enroller: the application's, or one with the same configuration and store.
        user_id: a ``str``, ``int`` or ``UUID``.
        number: in E.164; ``None``: another one each time.
    """
    enroller.adopt(user_id, new_number(enroller._config) if number is None else number)
    return user_id


def verified(verifier: Verifier, outbox: RecordingSender, user_id: UserId) -> Verification:
    """Return the proof that an enrolled user answered a code just now. The outbox does not keep the message.

    Args:
        verifier: the one that sends to the outbox.
        outbox: its sender.
        user_id: the user.
    """
    challenge = verifier.challenge(user_id, purpose="manage")
    code = outbox.messages.pop().code.reveal()
    return verifier.verify(user_id, challenge.id, code, purpose="manage")


def logged_in(session: MutableMapping[str, Any], user_id: U) -> U:
    """Note in a session that a user took both steps of the login, and return the user id.

    Views that ask for a fresh code do so all the same.

    Args:
        session: the session of an application with our pages.
        user_id: as the application gives it to ``begin``.
    """
    from ..web.visit import begun

    visit = begun(session, user_id, "/", int(time()))
    visit.is_in = True
    visit.save(session)
    return user_id


def session_cookie(key: str, user_id: UserId) -> str:
    """Return the session cookie of Starlette for a user who took both steps of the login.

    Args:
        key: the ``secret_key`` of ``SessionMiddleware``.
        user_id: as the application gives it to ``begin``.
    """
    from itsdangerous import TimestampSigner

    session: dict[str, Any] = {}
    logged_in(session, user_id)
    return TimestampSigner(key).sign(b64encode(dumps(session).encode())).decode()
