"""Everything that an operator decides, validated once."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from functools import wraps
from itertools import chain
from math import expm1, log1p
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

import attrs

from .codes import KeyRing, Secret
from .core.opaque import Opaque
from .exceptions import ConfigurationError
from .limiter import Limit
from .phone import ALL_REGIONS, GLOBAL, NUMBER_TYPES, SMS_TYPES, numbers_of, supported_regions

if TYPE_CHECKING:
    from .core.records import Issued
    from .texts.messages import Messages
    from .texts.wording import Wording

_MICROSECOND = timedelta(microseconds=1)
_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
T = TypeVar("T")
Validator: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]


def _field(check: Callable[[Any], bool], advice: str) -> Validator:
    def validate(instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if not check(value):
            raise ConfigurationError(f"{attribute.name}: {advice}")

    return validate


def _whole(least: int, most: int) -> Validator:
    return _field(lambda value: type(value) is int and least <= value <= most, f"from {least} to {most}")


def _time(least: timedelta, most: timedelta) -> Validator:
    advice = f"a timedelta from {least} to {most}"
    return _field(lambda value: isinstance(value, timedelta) and least <= value <= most, advice)


def _limit(*, optional: bool = False) -> Validator:
    otherwise = ", or None" if optional else "; it cannot be removed"
    advice = f"a Limit, for example Limit(10, timedelta(hours=1)){otherwise}"
    return _field(lambda value: isinstance(value, Limit) or (optional and value is None), advice)


@attrs.frozen(kw_only=True)
class Limits:
    """How much is allowed. Only time refills a bucket.

    Args:
        user: messages per user. It can be tuned, but not removed.
        number: messages per phone number to users who have confirmed it; ``None``: no limit.
        unverified: messages that confirm a phone number, per number, across users; ``None``: no limit. They are
            counted apart, so that a stranger who asks for codes to a number does not delay its owner's logins.
        total: messages in all; ``None``: no limit.
        guesses: wrong codes per user, over all challenges. The default keeps the chance of a right guess below 1 in
            1,000 a year.
        recovery: wrong recovery codes per user.
        refunds: messages per user whose charge is given back because the carrier did not send them. Beyond that the
            charge stays, so that refused numbers are no free way to find out which numbers exist.
        consecutive: wrong codes in a row that disable a number, at most 100 (NIST SP 800-63B-4, 3.2.2).

    Raises:
        ConfigurationError: an argument is of the wrong kind or out of range.
    """

    user: Limit = attrs.field(default=Limit(10, _HOUR), validator=_limit())
    number: Limit | None = attrs.field(default=Limit(10, _HOUR), validator=_limit(optional=True))
    unverified: Limit | None = attrs.field(default=Limit(10, _HOUR), validator=_limit(optional=True))
    refunds: Limit = attrs.field(default=Limit(10, _HOUR), validator=_limit())
    total: Limit | None = attrs.field(default=None, validator=_limit(optional=True))
    guesses: Limit = attrs.field(default=Limit(20, 10 * _HOUR), validator=_limit())
    recovery: Limit = attrs.field(default=Limit(10, 24 * _HOUR), validator=_limit())
    consecutive: int = attrs.field(default=100, validator=_whole(1, 100))


def _hidden(secret: Secret | Iterable[Secret] | Opaque[Any]) -> Opaque[Any]:
    if isinstance(secret, Opaque):
        return secret
    return Opaque(secret if isinstance(secret, str | bytes) or not isinstance(secret, Iterable) else tuple(secret))


def _codes(values: Iterable[str]) -> frozenset[str]:
    """Return the set of codes, or an empty set, which the validator refuses, if the value is invalid."""
    listed = () if isinstance(values, str) or not isinstance(values, Iterable) else tuple(values)
    return frozenset(listed if all(isinstance(value, str) for value in listed) else ())


def _listed(values: Collection[str] | None) -> Collection[str] | None:
    """Return a copy that nobody can change. An invalid value is left for the check to refuse."""
    return values if isinstance(values, str | bytes) or not isinstance(values, Collection) else tuple(values)


def _sealed(cls: type[T]) -> type[T]:
    """Keep the secret out of tracebacks: an error leaves the frame of the generated ``__init__``, which knows it."""
    init: Callable[..., None] = vars(cls)["__init__"]

    @wraps(init)
    def sealed(self: T, **arguments: object) -> None:
        problem = None
        try:
            init(self, **arguments)
        except Exception as error:
            problem = error.with_traceback(None)
        arguments.clear()
        del self  # half made, it has no repr
        if problem is not None:
            raise problem

    type.__setattr__(cls, "__init__", sealed)
    return cls


@_sealed
@attrs.frozen(kw_only=True, eq=False)
class FactorConfig:
    """Everything that an operator decides about the factor. It cannot change, and is safe to share.

    Args:
        app_name: the name of your application in the message.
        secret: at least 32 bytes, as ``str`` or ``bytes``, or several secrets, newest first, to rotate them: new
            challenges use the first, and challenges in flight the one that made them.
        regions: ISO codes of the countries whose numbers may enrol, or ``ALL_REGIONS``. You must decide, because SMS
            pumping starts where every country is allowed. Satellite phones and global services have no country:
            name :data:`~smsmfa.phone.GLOBAL` (``"001"``) to accept them.
        digits: the length of a code, 6 to 10 (NIST SP 800-63B-4, 3.1.3.2).
        lifetime: how long a code is good, at most 10 minutes (NIST SP 800-63B-4, 3.1.3.2).
        resend_gap: the least time between two messages about the same thing, at most ``lifetime``.
        attempts: wrong codes per challenge, 1 to 10 (the default follows RTS (EU) 2018/389, Art. 4(3)(b)).
        limits: see :class:`Limits`.
        recovery_codes: how many recovery codes a user gets, 0 to 20.
        enabled: ``False`` turns the factor off, and keeps what is enrolled.
        number_types: the kinds of number that may enrol, from :data:`smsmfa.phone.NUMBER_TYPES`.
        max_phones: how many numbers a user may have, 1 to 10.
        max_users_per_number: how many users may share a number, 1 to 100, or 0 for no limit.
        messages: templates by purpose, with ``"enrollment"`` and ``"verification"`` as the general ones. Each is a
            template, a mapping of languages to templates, or a mapping of languages to mappings of channels to
            templates.
        origin: the host of your site, for the last line of the text, by which browsers fill in the code.
        languages: languages of the built-in texts, the first for everybody else; ``None``: all of them, English first.
        android_hash: the hash of your Android app for the end of the text, by which the app may read the message.
        namespace: the tenant or deployment. It enters every record's key, every code and every proof, so that several
            can share a store or a secret and nothing else.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    app_name: str
    secret: Opaque[Any] = attrs.field(converter=_hidden, repr=False)
    regions: frozenset[str] = attrs.field(converter=_codes)
    digits: int = attrs.field(default=6, validator=_whole(6, 10))
    lifetime: timedelta = attrs.field(default=5 * _MINUTE, validator=_time(_SECOND, 10 * _MINUTE))
    resend_gap: timedelta = attrs.field(default=30 * _SECOND, validator=_time(0 * _SECOND, 10 * _MINUTE))
    attempts: int = attrs.field(default=5, validator=_whole(1, 10))
    limits: Limits = attrs.field(factory=Limits, validator=_field(lambda value: isinstance(value, Limits), "a Limits"))
    recovery_codes: int = attrs.field(default=1, validator=_whole(0, 20))
    enabled: bool = attrs.field(default=True, validator=_field(lambda value: type(value) is bool, "True or False"))
    number_types: frozenset[str] = attrs.field(default=SMS_TYPES, converter=_codes)
    max_phones: int = attrs.field(default=1, validator=_whole(1, 10))
    max_users_per_number: int = attrs.field(default=5, validator=_whole(0, 100))
    messages: "Mapping[str, Wording] | None" = attrs.field(default=None, repr=False)
    origin: str | None = None
    languages: Collection[str] | None = attrs.field(default=None, converter=_listed)
    android_hash: str | None = None
    namespace: str = attrs.field(default="", validator=_field(lambda value: isinstance(value, str), "a str"))

    #: What the engine works with.
    keys: KeyRing = attrs.field(init=False, repr=False)
    #: Tells whether messages may go to the numbers of a region.
    allows: Callable[[str], bool] = attrs.field(init=False, repr=False)
    texts: "Messages" = attrs.field(init=False, repr=False)
    key_prefix: str = attrs.field(init=False, repr=False)
    lifetime_us: int = attrs.field(init=False, repr=False)
    resend_gap_us: int = attrs.field(init=False, repr=False)

    @regions.validator
    def _check_regions(self, attribute: "attrs.Attribute[Any]", value: frozenset[str]) -> None:
        countries = value - {GLOBAL}
        if not value or (countries != ALL_REGIONS and not countries <= supported_regions()):
            unknown = ", ".join(map(repr, sorted(countries - ALL_REGIONS - supported_regions())))
            advice = 'ISO codes of the countries you serve, for example {"US", "GB"}, or ALL_REGIONS'
            raise ConfigurationError(f"regions: {advice}" + (f"; not {unknown}" if unknown else ""))
        for region in sorted(countries - ALL_REGIONS):
            if (owner := numbers_of(region)) != region:
                raise ConfigurationError(f"regions: {region!r} has no mobile numbers of its own; use {owner!r}")

    @number_types.validator
    def _check_types(self, attribute: "attrs.Attribute[Any]", value: frozenset[str]) -> None:
        if not value or not value <= NUMBER_TYPES:
            raise ConfigurationError(f"number_types: some of {', '.join(sorted(NUMBER_TYPES))}")

    @resend_gap.validator
    def _check_gap(self, attribute: "attrs.Attribute[Any]", value: timedelta) -> None:
        if value > self.lifetime:
            raise ConfigurationError("resend_gap: at most the lifetime of a code")

    def __attrs_post_init__(self) -> None:
        from .core.records import key_prefix  # importing the package does not need these
        from .texts.messages import Messages

        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        put("texts", Messages(
            self.messages, app_name=self.app_name, digits=self.digits, lifetime=self.lifetime, origin=self.origin,
            languages=self.languages, android_hash=self.android_hash,
        ))  # fmt: skip
        put("keys", KeyRing(self.secret.reveal(), self.digits))
        others = frozenset({GLOBAL}) - self.regions
        put("allows", (lambda region: region not in others) if "*" in self.regions else self.regions.__contains__)
        put("key_prefix", key_prefix(self.namespace))
        put("lifetime_us", self.lifetime // _MICROSECOND)
        put("resend_gap_us", self.resend_gap // _MICROSECOND)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **arguments: Any) -> "FactorConfig":
        """Read the settings from variables named ``SMSMFA_``, which the page "Configuration" lists.

        Args:
            environment: names and values; ``None``: the environment of the process.
            arguments: settings that are given here and not read.

        Raises:
            ConfigurationError: a variable is missing or wrong.
        """
        from .environment import factor_arguments, opened

        opaque, given = opened(environment), Opaque(arguments)
        del environment, arguments  # a traceback with locals must show no secret
        return cls(**factor_arguments(opaque, given).reveal())

    def code(self, user_key: str, kind: str, issued: "Issued", number: int) -> str:
        """Derive the code of a challenge under the secret that made it, bound to everything that it is about.

        Do not bind the result to a name: a traceback with locals must not show it.
        """
        generator = self.keys.get(issued.key_id) or self.keys.newest
        details = chain.from_iterable(issued.details)
        return generator.code(issued.id, user_key, kind, issued.purpose, str(number), *details)

    def guess_risk(self, period: timedelta) -> float:
        """Return the worst-case chance that someone who has the password guesses a code in ``period``.

        It is exact for an attacker who uses every opportunity against a user whose own logins keep the count of
        consecutive failures low: no more wrong codes than the guess budget allows, no more challenges than the user's
        messages allow, and no code tried twice on one challenge.

        Args:
            period: how long the attack lasts.

        Raises:
            ValueError: ``period`` is not a timedelta, or is negative.
        """
        if not isinstance(period, timedelta) or period < timedelta(0):
            raise ValueError("period: a timedelta, not negative")
        each = min(self.attempts, _most(self.limits.guesses, self.lifetime))
        guesses = min(_most(self.limits.guesses, period), each * _most(self.limits.user, period))
        challenges, rest = divmod(guesses, each)
        codes = 10**self.digits
        return -expm1(challenges * log1p(-each / codes) + log1p(-rest / codes))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a FactorConfig holds secrets and cannot be pickled or copied; build it where it is used")


def _most(limit: Limit, period: timedelta) -> int:
    """Return the most that a bucket allows within a period, if it is full at first."""
    return limit.capacity + (0 if limit.refill is None else period // limit.refill)
