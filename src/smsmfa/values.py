"""What the factor hands to the application. A check returns one of these or raises, never a bool."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs

from .core.opaque import Opaque
from .phone import PhoneNumber

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: The channels that RFC 8176, 2, has a word for.
_AMR = {"sms": ("sms",), "voice": ("tel",)}


def instant(microseconds: int) -> datetime:
    """Return microseconds since the epoch as an aware datetime, at the calendar's end where it is past it."""
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


@attrs.frozen(kw_only=True, slots=False)  # a third faster to make
class Challenge:
    """A code that was sent, or is still good from before.

    Args:
        id: names the challenge in ``verify`` and ``resend``; no secret, a cookie may hold it.
        user_id: whose it is.
        phone: where the code went; show ``phone.masked``.
        purpose: what a right answer is good for; ``"enrollment"`` for a number that waits to be confirmed.
        expires_at: from then on the code is refused.
        resend_at: from then on ``resend`` sends it again.
        sent: whether this call sent a message; ``False``: the last one is recent enough.
        uncertain: whether the carrier's answer to this call's message is unknown. It may arrive.
        channel: how the last message went: ``"sms"``, ``"voice"`` or ``"whatsapp"``.
    """

    id: str
    user_id: str
    phone: PhoneNumber
    purpose: str
    expires_at: datetime
    resend_at: datetime
    sent: bool
    uncertain: bool = False
    channel: str = "sms"


@attrs.frozen(kw_only=True, slots=False)  # a third faster to make
class Verification:
    """Proof that a user passed the factor.

    Args:
        user_id: who did.
        method: ``"sms"``, ``"voice"`` or ``"whatsapp"``, by which the code last went out, or ``"recovery"``.
        at: when.
        purpose: what the code was asked for.
        recovery_codes: after a recovery, the replacement of the code that was used. Shown once.
        token: see the property.
    """

    user_id: str
    method: str
    at: datetime
    purpose: str
    _recovery_codes: Opaque[tuple[str, ...]] = attrs.field(eq=False, repr=False)
    #: Signs the token when it is asked for.
    _token: Callable[[], str] = attrs.field(eq=False, repr=False)

    @property
    def amr(self) -> tuple[str, ...]:
        """The methods used, in the words of RFC 8176, 2: for the ``amr`` claim of an ID token."""
        return (*_AMR.get(self.method, ()), "otp")

    @property
    def recovery_codes(self) -> tuple[str, ...]:
        """The replacement of the recovery code that was used, to be shown once; else empty."""
        return self._recovery_codes.reveal()

    @property
    def token(self) -> str:
        """A short signed string for ``proof``, which survives a redirect, a cookie or a JWT for 10 minutes."""
        return self._token()


@attrs.frozen(kw_only=True)
class EnrolledPhone:
    """A number of a user.

    Args:
        id: names it as ``phone_id`` and ``replace``.
        phone: the number.
        enrolled_at: when its first code was confirmed.
        last_used_at: when it last let the user in; ``None``: not since it was enrolled.
        disabled: after too many wrong codes in a row; until it is enrolled again.
    """

    id: str
    phone: PhoneNumber
    enrolled_at: datetime
    last_used_at: datetime | None
    disabled: bool

    @property
    def e164(self) -> str:
        """The whole number, ``phone.e164``."""
        return self.phone.e164

    @property
    def masked(self) -> str:
        """The number for display, ``phone.masked``."""
        return self.phone.masked


@attrs.frozen(kw_only=True)
class Enrollment:
    """A number was confirmed.

    Args:
        user_id: whose it is.
        phone: the number, with the id it has from now on.
        recovery_codes: with the user's first number the recovery codes, to be shown once; else empty.
        verification: confirming a number passes the factor.
    """

    user_id: str
    phone: EnrolledPhone
    _recovery_codes: Opaque[tuple[str, ...]] = attrs.field(eq=False, repr=False)
    verification: Verification

    @property
    def recovery_codes(self) -> tuple[str, ...]:
        """The user's recovery codes, to be shown once; empty unless this was the first number."""
        return self._recovery_codes.reveal()


@attrs.frozen(kw_only=True)
class Status:
    """How things stand for one user: whether a login needs a second step, and what a page can show.

    Args:
        enabled: whether the factor is turned on at all.
        enrolled: whether the user has a number.
        phones: the user's numbers.
        challenges: the codes that can be answered now.
        sends_left: how many messages the user's own limit still allows.
        guesses_left: how many wrong codes.
        locked: no code would be accepted now: the guess budget is empty, or every number disabled.
        recovery_codes_left: how many recovery codes the user has.
    """

    enabled: bool
    enrolled: bool
    phones: tuple[EnrolledPhone, ...]
    challenges: tuple[Challenge, ...]
    sends_left: int
    guesses_left: int
    locked: bool
    recovery_codes_left: int


#: From the best to the worst. ``"not checked"`` is no good news: it was not found out.
LEVELS = ("ok", "not checked", "warning", "error")


@attrs.frozen
class Finding:
    """One thing that was looked at before the first user does.

    Args:
        subject: what was looked at, ``"account"`` or ``"from_number"`` for example.
        level: ``"ok"``; ``"not checked"``; ``"warning"``, of what works and should be known; or ``"error"``: no message
            goes out, or no code can be checked.
        detail: what was found. It holds no secret and no whole number.
        advice: what to do about it; empty where there is nothing to do.
    """

    subject: str
    level: str = attrs.field(validator=attrs.validators.in_(LEVELS))
    detail: str
    advice: str = ""
