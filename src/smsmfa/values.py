"""What the factor returns to the application. A check returns one of these values, or raises."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import msgspec

from .core.opaque import Opaque
from .phone import PhoneNumber
from .typing import SMS, VOICE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: The names of RFC 8176, 2 for channels.
_AMR = {SMS: ("sms",), VOICE: ("tel",)}


def instant(microseconds: int) -> datetime:
    """Return microseconds since the epoch as an aware datetime, or the last one if they are beyond the calendar."""
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


class Value(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The base of the values. Fields that begin with an underscore are hidden: they are not shown and not compared."""

    def to_dict(self) -> dict[str, Any]:
        """Return the value for JSON: phone numbers masked, times in ISO 8601, and no secret."""
        return {name: as_json(getattr(self, name)) for name in self._shown()}

    def _shown(self) -> list[str]:
        return [name for name in self.__struct_fields__ if not name.startswith("_")]

    def _compared(self) -> tuple[object, ...]:
        return (type(self), *(getattr(self, name) for name in self._shown() if name != "repeated"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._shown())})"


def as_json(value: Any) -> Any:
    """Return a part of a value for JSON."""
    if isinstance(value, Value):
        return value.to_dict()
    if isinstance(value, PhoneNumber):
        return value.masked
    if isinstance(value, datetime):
        return value.isoformat()
    return list(map(as_json, value)) if isinstance(value, tuple) else value


class Challenge(Value, frozen=True, kw_only=True, eq=False):
    """A code that was sent now, or a little earlier.

    Args:
        id: names the challenge in ``verify`` and ``resend``. It is no secret, and may sit in a cookie.
        user_id: the user.
        phone: where the code went. Show ``phone.masked``.
        purpose: what a right answer is good for; ``"enrollment"`` for a pending number.
        expires_at: when the code stops being accepted.
        resend_at: when ``resend`` will send it again.
        sent: whether this call sent a message; ``False``: the last one is recent enough.
        uncertain: whether the carrier's answer is unknown. The message may arrive.
        channel: the channel of the last message: ``"sms"``, ``"voice"`` or ``"whatsapp"``.
        attempts_left: how many wrong codes are still allowed, for a challenge of a :class:`Status`; otherwise ``None``.
    """

    id: str
    user_id: str
    phone: PhoneNumber
    purpose: str
    expires_at: datetime
    resend_at: datetime
    sent: bool
    uncertain: bool = False
    channel: str = SMS
    attempts_left: int | None = None


class Verification(Value, frozen=True, kw_only=True, eq=False):
    """Proof that a user passed the factor.

    Args:
        user_id: the user.
        method: ``"recovery"``, or the channel of the last message: ``"sms"``, ``"voice"`` or ``"whatsapp"``.
        at: when the user passed.
        purpose: what the code was for.
        recovery_codes: after a recovery, the replacement of the code that was used. Show it once.
        token: see the property.
        repeated: whether this request was answered before, and this is the same answer.
    """

    user_id: str
    method: str
    at: datetime
    purpose: str
    repeated: bool = False
    _recovery_codes: Opaque[tuple[str, ...]]
    #: Signs the token.
    _token: Callable[[], str]

    @property
    def amr(self) -> tuple[str, ...]:
        """The methods that were used, by the names of RFC 8176, 2, for the ``amr`` claim of an ID token."""
        return (*_AMR.get(self.method, ()), "otp")

    @property
    def recovery_codes(self) -> tuple[str, ...]:
        """The replacement of the recovery code that was used, otherwise empty. Show it once."""
        return self._recovery_codes.reveal()

    def to_dict(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the value for JSON, without the token. ``secrets`` adds the recovery codes."""
        shown = {**super().to_dict(), "amr": list(self.amr)}
        return {**shown, "recovery_codes": list(self.recovery_codes)} if secrets else shown

    @property
    def token(self) -> str:
        """A short signed string for ``proof``. It fits a redirect, a cookie or a JWT, and is good for 10 minutes."""
        return self._token()


class EnrolledPhone(Value, frozen=True, kw_only=True, eq=False):
    """An enrolled number of a user.

    Args:
        id: names the number in ``phone_id`` and ``replace``.
        phone: the number.
        enrolled_at: when its first code was confirmed.
        last_used_at: when it last let the user in; ``None``: not since it was enrolled.
        disabled: whether it is disabled, after too many wrong codes in a row, until it is enrolled again.
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


class Enrollment(Value, frozen=True, kw_only=True, eq=False):
    """A number was confirmed, or adopted.

    Args:
        user_id: the user.
        phone: the number.
        recovery_codes: the recovery codes, if this was the user's first number. Show them once.
        verification: proof that the user passed the factor, since confirming a number does; ``None`` if an operator
            adopted the number.
        repeated: whether this request was answered before, and this is the same answer.
    """

    user_id: str
    phone: EnrolledPhone
    verification: Verification | None
    repeated: bool = False
    _recovery_codes: Opaque[tuple[str, ...]]

    @property
    def recovery_codes(self) -> tuple[str, ...]:
        """The user's recovery codes if this was the first number, otherwise empty. Show them once."""
        return self._recovery_codes.reveal()

    def to_dict(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the value for JSON, without the token. ``secrets`` adds the recovery codes."""
        shown = super().to_dict()
        return {**shown, "recovery_codes": list(self.recovery_codes)} if secrets else shown


class Status(Value, frozen=True, kw_only=True, eq=False):
    """The state of one user: whether a login needs a second step, and what a page can show.

    Args:
        enabled: whether the factor is turned on at all.
        enrolled: whether the user has a number.
        phones: the user's numbers.
        challenges: the challenges that can be answered now.
        sends_left: how many messages the user's own limit still allows.
        guesses_left: how many wrong codes the guess budget still allows.
        locked: whether no code would be accepted now, because the guess budget is empty or every number is disabled.
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

    def challenge(self, challenge_id: str) -> Challenge | None:
        """Return the live challenge with this id, or ``None``."""
        return next((one for one in self.challenges if one.id == challenge_id), None)


#: From the best to the worst. ``"not checked"`` is worse than ``"ok"``, since the answer is unknown.
LEVELS = ("ok", "not checked", "warning", "error")


@attrs.frozen
class Finding:
    """The result of one check of the settings.

    Args:
        subject: what was checked, for example ``"account"`` or ``"from_number"``.
        level: ``"ok"``; ``"not checked"``; ``"warning"``: it works, but you should know; or ``"error"``: no message can
            be sent, or no code can be checked.
        detail: what was found. It holds no secret and no whole number.
        advice: what to do, or ``""`` if there is nothing to do.
    """

    subject: str
    level: str = attrs.field(validator=attrs.validators.in_(LEVELS))
    detail: str
    advice: str = ""
