"""The configuration: its defaults, what it refuses, how much risk it leaves, and that it hides its secret."""

import copy
import inspect
import itertools
import pickle
import re
from collections.abc import Mapping
from datetime import timedelta
from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import SECRET, a_config, shown

from smsmfa import ALL_REGIONS, ConfigurationError, FactorConfig, Limit, Limits, profiles
from smsmfa.codes import EXAMPLE_SECRET, CodeGenerator
from smsmfa.core.records import Issued
from smsmfa.phone import NUMBER_TYPES, PhoneNumber

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OTHER_SECRET = "another secret of the tests, long enough too"
#: One of each kind of mistake.
JUNK = {
    "None": None,
    "True": True,
    "zero": 0,
    "minus one": -1,
    "fraction": 5.5,
    "number as text": "6",
    "bytes": b"US",
    "list": [6],
    "object": object(),
    "class": int,
    "no time": timedelta(0),
    "negative time": -SECOND,
    "long time": timedelta(days=1),
}


class Sabotaged(Mapping):
    """A mapping that fails when it is read."""

    __getitem__ = __len__ = None

    def __iter__(self):
        raise RuntimeError("nothing to see")


def wrong(*values, accepted=()):
    """Return wrong values of an argument by their names: these, and all kinds of mistakes except the accepted ones."""
    junk = {name: value for name, value in JUNK.items() if name not in accepted}
    return [*junk.items(), *((f"{value!r:.40}", value) for value in values)]


def not_refused(build, argument, values, *, secret=SECRET):
    """Return the names of the values without a ConfigurationError about the argument that shows no secret."""
    found = []
    for name, value in values:
        try:
            build(**{argument: value})
        except ConfigurationError as error:
            if re.match(rf"{argument}\b", str(error)) and not (secret and secret in shown(error)):
                continue
        found.append(name)
    return found


class TestDefaults:
    def test_defaults(self):
        """The defaults are the figures of the described system, if it has them."""
        config = a_config()

        assert ("Acme", frozenset({"US"}), True) == (config.app_name, config.regions, config.enabled)
        assert (6, 5 * MINUTE, 30 * SECOND, 5) == (config.digits, config.lifetime, config.resend_gap, config.attempts)
        assert (1, 1, 5) == (config.recovery_codes, config.max_phones, config.max_users_per_number)
        assert {"mobile", "fixed_line_or_mobile", "voip"} == config.number_types
        assert (None, None) == (config.messages, config.origin)
        assert Limits() == config.limits

    def test_limits(self):
        """R6, R28: messages 10 and one back an hour, wrong codes 20 and one back each 10 hours, 100 in a row."""
        limits = Limits()

        assert Limit(10, HOUR) == limits.user == limits.number
        assert limits.total is None
        assert (Limit(20, 10 * HOUR), Limit(10, DAY), 100) == (limits.guesses, limits.recovery, limits.consecutive)

    def test_in_microseconds(self):
        """The core counts in microseconds."""
        config = a_config(lifetime=MINUTE, resend_gap=timedelta(microseconds=1500))

        assert (60_000_000, 1500) == (config.lifetime_us, config.resend_gap_us)


class TestAccepted:
    @pytest.mark.parametrize(
        "arguments",
        [
            {"digits": 6},
            {"digits": 10},
            {"lifetime": SECOND, "resend_gap": SECOND},
            {"lifetime": 10 * MINUTE, "resend_gap": 10 * MINUTE},
            {"resend_gap": timedelta(0)},
            {"attempts": 1},
            {"attempts": 10},
            {"recovery_codes": 0},
            {"recovery_codes": 20},
            {"enabled": False},
            {"max_phones": 10},
            {"max_users_per_number": 0},
            {"max_users_per_number": 100},
            {"number_types": NUMBER_TYPES},
            {"messages": {}},
            {"messages": {"login": "{{ code }}"}},
            {"messages": {"login": {"en": "{{ code }}", "fr": {"sms": "{{ code }}", "voice": "{{ code }}"}}}},
            {"origin": "login.example.com"},
            {"languages": None},
            {"languages": ("fr", "en")},
            {"android_hash": "FA+9qCX9VSu"},
            {"limits": Limits(user=Limit(1, None), number=None, total=Limit(1, None), consecutive=1)},
        ],
        ids=", ".join,
    )
    def test_bounds(self, arguments):
        """Each argument goes as far as it is said to go."""
        config = a_config(**arguments)

        assert arguments == {name: getattr(config, name) for name in arguments}

    @pytest.mark.parametrize("collect", [set, list, tuple, iter, dict.fromkeys])
    def test_regions(self, collect):
        """Regions and kinds of number are taken from any collection."""
        config = a_config(regions=collect(["US", "CA"]), number_types=collect(["mobile", "voip"]))

        assert (frozenset({"US", "CA"}), frozenset({"mobile", "voip"})) == (config.regions, config.number_types)

    def test_all_regions(self):
        """Open geography has to be asked for by its name."""
        assert ALL_REGIONS == a_config(regions=ALL_REGIONS).regions

    @pytest.mark.parametrize("regions", [{"001"}, {"US", "001"}, {"*", "001"}])
    def test_global_region(self, regions):
        """Numbers of no country are accepted if "001" is named, also beside all countries."""
        assert frozenset(regions) == a_config(regions=regions).regions

    def test_unknown_regions_are_named(self):
        """A region that is none is named, so that a reader sees that the United Kingdom is "GB", in capitals."""
        with pytest.raises(ConfigurationError, match=r"ALL_REGIONS; not 'UK', 'us'$"):
            a_config(regions={"UK", "us", "DE"})

    @pytest.mark.parametrize(
        "region, owner", [("AX", "FI"), ("BL", "GP"), ("MF", "GP"), ("SJ", "NO"), ("VA", "IT"), ("TA", "SH")]
    )
    def test_region_without_numbers(self, region, owner):
        """A region without mobile numbers of its own is refused, and the error names the region that has them."""
        with pytest.raises(ConfigurationError, match=f"regions: '{region}' has no mobile .* use '{owner}'"):
            a_config(regions={"US", region})

    @pytest.mark.parametrize(
        "regions, allowed",
        [
            ({"US"}, {"US"}),
            ({"US", "001"}, {"US", "001"}),
            ({"001"}, {"001"}),
            (ALL_REGIONS, {"US", "FI"}),
            ({"*", "001"}, {"US", "FI", "001"}),
        ],
    )
    def test_allows(self, regions, allowed):
        """A number is allowed if its region is named; all countries do not include the numbers of no country."""
        numbers = [PhoneNumber.parse(text) for text in ("+14155552671", "+358457123456", "+870773111632")]
        config = a_config(regions=regions)

        assert allowed == {number.region for number in numbers if config.allows(number.region)}

    @pytest.mark.parametrize("collect", [list, tuple, dict.fromkeys])
    def test_languages(self, collect):
        """Languages are taken from any collection, in its order, and what becomes of that later changes nothing."""
        given = collect(["fr", "en"])
        config = a_config(languages=given)
        if isinstance(given, list):
            given.clear()

        assert ("fr", "en") == config.languages == config.texts.languages

    @pytest.mark.parametrize("secret", [SECRET, SECRET.encode(), [SECRET], (SECRET, OTHER_SECRET), iter([SECRET])])
    def test_secret(self, secret):
        """A secret is one or several, text or bytes; the first makes the codes."""
        assert CodeGenerator(SECRET).code("id") == a_config(secret=secret).keys.newest.code("id")

    def test_evolve(self):
        """A changed copy keeps its secret, and is checked again."""
        config = attrs.evolve(a_config(), digits=8)

        assert CodeGenerator(SECRET, 8).code("id") == config.keys.newest.code("id")
        with pytest.raises(ConfigurationError, match=r"^digits: "):
            attrs.evolve(config, digits=5)


TICK = timedelta(microseconds=1)
WRONG = {
    "app_name": wrong(
        *("", "   ", "x" * 61, "Acme\n@evil.com #1", "{{ code }}", "Call 123456", "https://acme.example"),
        accepted=["number as text"],
    ),
    "regions": wrong(
        "US", "*", set(), {"us"}, {"USA"}, {"US", "XX"}, {"US", "*"}, {"*", "**"}, ["US", None], [["US"]], {"AX"}
    ),
    "digits": wrong(5, 11, 6.0, 10**100),
    "lifetime": wrong(SECOND - TICK, 10 * MINUTE + TICK, timedelta.max, 300),
    "resend_gap": wrong(5 * MINUTE + TICK, 10 * MINUTE, -TICK, 30, accepted=["no time"]),
    "attempts": wrong(11, 10**100),
    "limits": wrong(Limit(10, HOUR), {"user": Limit(10, HOUR)}, Limits),
    "recovery_codes": wrong(21, False, accepted=["zero"]),
    "enabled": wrong(1, "no", accepted=["True"]),
    "number_types": wrong("mobile", set(), {"Mobile"}, {"mobile", "email"}, {None}),
    "max_phones": wrong(11),
    "max_users_per_number": wrong(101, accepted=["zero"]),
    "messages": wrong(
        *({"login": "no code"}, {"login": "{{ code.__class__ }}"}, {1: "{{ code }}"}, {"login": None}),
        *({"enrollment": "{{ code }} https://x"}, {"verification": "{{ code }}" + "x" * 306}),
        accepted=["None"],
    ),
    "origin": wrong(
        *("", "https://example.com", "example.com:443", "example.com/login", "exämple.com", "example", "a b"),
        accepted=["None"],
    ),
    "languages": wrong("en", [], ["tlh"], ["en", None], {"EN"}, [["en"]], accepted=["None"]),
    "android_hash": wrong("", "FA+9qCX9VS", "FA+9qCX9VSu=", "FA 9qCX9VSu", accepted=["None"]),
}
WRONG_SECRETS = wrong(
    *("too short", b"too short", [], ["too short"], [SECRET, "too short"], [SECRET] * 2, EXAMPLE_SECRET)
)
WRONG_LIMITS = {
    "user": wrong(10, (10, HOUR), Limit),
    "number": wrong(accepted=["None"]),
    "total": wrong(100, accepted=["None"]),
    "guesses": wrong(),
    "recovery": wrong(),
    "consecutive": wrong(101, 1.0),
}


class TestRefused:
    @pytest.mark.parametrize("argument", WRONG)
    def test_wrong_argument(self, argument):
        """R1, R2, T12, T16, T25: a wrong argument is a ConfigurationError that names it and shows no secret."""
        assert [] == not_refused(a_config, argument, WRONG[argument])

    def test_wrong_secret(self):
        """A wrong secret is a ConfigurationError that names the argument."""
        assert [] == not_refused(a_config, "secret", WRONG_SECRETS, secret=None)

    @pytest.mark.parametrize("argument", WRONG_LIMITS)
    def test_wrong_limits(self, argument):
        """R6, R28: a wrong limit is a ConfigurationError that names it. The user's limit cannot be removed."""
        assert [] == not_refused(Limits, argument, WRONG_LIMITS[argument])

    @pytest.mark.parametrize("lifetime", [10 * MINUTE + timedelta(microseconds=1), HOUR])
    def test_lifetime(self, lifetime):
        """R2: a code that would live longer than 10 minutes is a ConfigurationError."""
        with pytest.raises(ConfigurationError, match=r"^lifetime: a timedelta from 0:00:01 to 0:10:00"):
            a_config(lifetime=lifetime)

    def test_gap_beyond_lifetime(self):
        """A code that expires before it can be sent again is a ConfigurationError."""
        with pytest.raises(ConfigurationError, match=r"^resend_gap: at most the lifetime of a code"):
            a_config(lifetime=MINUTE, resend_gap=MINUTE + timedelta(microseconds=1))

    @pytest.mark.parametrize("missing", ["app_name", "secret", "regions"])
    def test_missing_argument(self, missing):
        """T23: the name, the secret and the regions have to be decided."""
        arguments = {"app_name": "Acme", "secret": SECRET, "regions": {"US"}}
        del arguments[missing]

        with pytest.raises(TypeError, match=missing):
            FactorConfig(**arguments)

    def test_unknown_argument(self):
        """A mistyped argument is a TypeError that names it, and is not ignored."""
        with pytest.raises(TypeError, match="lifetimes"):
            a_config(lifetimes=MINUTE)

    @pytest.mark.parametrize("build", [FactorConfig, Limits])
    def test_by_name_only(self, build):
        """Arguments go by their names, which type checkers and editors see."""
        with pytest.raises(TypeError):
            build("Acme", SECRET, {"US"})
        parameters = inspect.signature(build).parameters.values()
        assert {inspect.Parameter.KEYWORD_ONLY} == {parameter.kind for parameter in parameters}


class TestSecret:
    """A configuration never shows its secrets."""

    @pytest.mark.parametrize(
        "secret",
        [
            "a short secret, of 31 bytes....",
            b"a short secret, of 31 bytes....",
            EXAMPLE_SECRET,
            [SECRET, "a short secret"],
            ["a short secret", SECRET],
            [SECRET, OTHER_SECRET, SECRET],
            [SECRET, EXAMPLE_SECRET.encode()],
            [SECRET, None],
            (SECRET, bytearray(OTHER_SECRET.encode())),
            bytearray(SECRET.encode()),
            {SECRET: 1, "a short secret": OTHER_SECRET},
            iter([SECRET, "a short secret"]),
        ],
    )
    def test_bad_secret(self, secret):
        """T12: no frame of the package, generated ones included, shows a secret that is refused, or any beside it."""
        with pytest.raises(ConfigurationError) as caught:
            a_config(secret=secret)

        report = shown(caught.value)
        assert [] == [leak for leak in (SECRET, OTHER_SECRET, EXAMPLE_SECRET, "short secret") if leak in report]

    @pytest.mark.parametrize("argument", ["regions", "number_types", "messages"])
    def test_argument_breaks_down(self, argument):
        """T12: no frame shows a secret when another argument breaks down while it is looked at."""
        with pytest.raises(RuntimeError) as caught:
            a_config(**{argument: Sabotaged()})

        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize("arguments", [{}, {"app_name": "Acme"}, {"regions": {"US"}, "app_names": "Acme"}])
    def test_forgotten_argument(self, arguments):
        """T12: no frame shows a secret when another argument is missing or unknown."""
        with pytest.raises(TypeError) as caught:
            FactorConfig(secret=SECRET, **arguments)

        assert SECRET not in shown(caught.value)

    def test_error_points_at_caller(self):
        """An error still says where the configuration was built."""
        with pytest.raises(ConfigurationError) as caught:
            a_config(digits=5)

        assert "a_config" in [entry.name for entry in caught.traceback]

    @pytest.mark.parametrize("secret", [SECRET, SECRET.encode(), [SECRET, OTHER_SECRET]])
    def test_repr(self, secret):
        """T12: no text and no plain data of a configuration has a secret."""
        config = a_config(secret=secret)
        fields = {field.name: getattr(config, field.name) for field in attrs.fields(FactorConfig)}
        shows = [config, str(config), f"{config}", attrs.asdict(config), attrs.astuple(config), fields]

        assert [] == [text for text in map(repr, shows) if "of the tests" in text]
        assert "app_name='Acme'" in repr(config)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickle(self, protocol):
        """T12: a configuration cannot be pickled."""
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            pickle.dumps(a_config(), protocol)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    def test_copy(self, duplicate):
        """T12: a configuration cannot be copied."""
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            duplicate(a_config())

    def test_frozen(self):
        """A configuration cannot be changed, so what was checked stays so."""
        config = a_config()

        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            config.attempts = 10**6
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            config.limits.user = None


class TestCode:
    ISSUED = Issued("id", CodeGenerator(SECRET).key_id, "login", "phone id", (("amount", "10"),), None, 0, 0, 0)

    def test_bound(self):
        """R5, R24, T8: another user, kind, id, purpose, number or detail gives another code, and nothing else does."""
        config = a_config(digits=10)
        details = [(), (("amount", "10"),), (("amount", "1"), ("0", "")), (("amount", "100"),), (("amoun", "t10"),)]
        users, kinds, numbers = ("u:alice", "u:bob"), ("enrollment", "verification"), (14155552671, 14155552672)
        bound = list(itertools.product(users, kinds, numbers, ("id", "di"), ("login", "payment"), details))

        def codes(*rest):
            """Return the code of each combination, for challenges that differ in what is not bound."""
            for user, kind, number, name, purpose, detail in bound:
                yield config.code(user, kind, Issued(name, 0, purpose, "p", detail, *rest), number)

        assert len(bound) == len(set(codes(None, 0, 0, 0)))
        assert list(codes(None, 0, 0, 0)) == list(codes("pt-BR", 1, 2, 3, 4))

    def test_rotation(self):
        """R12: a challenge in flight is checked under the secret that made it, while that is listed."""
        before = a_config().code("u:alice", "verification", self.ISSUED, 1)
        rotated = a_config(secret=[OTHER_SECRET, SECRET]).code("u:alice", "verification", self.ISSUED, 1)
        retired = a_config(secret=OTHER_SECRET).code("u:alice", "verification", self.ISSUED, 1)

        assert before == rotated
        assert before != retired


def exact_risk(guesses, each, codes):
    """Return the chance of the best of these attacks, in fractions: no code twice on one challenge."""
    challenges, rest = divmod(guesses, each)
    return 1 - (1 - Fraction(each, codes)) ** challenges * (1 - Fraction(rest, codes))


class TestGuessRisk:
    @pytest.mark.parametrize(
        "period, expected",
        [
            (timedelta(0), 2.0e-5),
            (DAY, 2.2e-5),
            (30 * DAY, 9.2e-5),
            (365 * DAY, 8.96e-4),
        ],
    )
    def test_defaults(self, period, expected):
        """By default the chance of a guess is 2.2e-5 a day and 9.0e-4 a year: G(h) = 20 + h/10 guesses of a million."""
        assert pytest.approx(expected, rel=1e-3) == a_config().guess_risk(period)

    def test_digits(self):
        """Each digit more divides the chance by ten."""
        assert pytest.approx(8.96e-6, rel=1e-3) == a_config(digits=8).guess_risk(365 * DAY)

    @pytest.mark.parametrize(
        "limits, attempts, period, guesses, each",
        [
            (Limits(), 5, 10 * HOUR - timedelta(microseconds=1), 20, 5),
            (Limits(), 5, 10 * HOUR, 21, 5),
            (Limits(), 1, DAY, 22, 1),
            (Limits(), 3, DAY, 22, 3),
            (Limits(user=Limit(1, None)), 5, 365 * DAY, 5, 5),
            (Limits(user=Limit(2, DAY)), 5, DAY, 15, 5),
            (Limits(guesses=Limit(3, None)), 5, 365 * DAY, 3, 3),
            (Limits(guesses=Limit(1, 4 * MINUTE)), 5, HOUR, 16, 2),
            (profiles.PSD2["limits"], 5, DAY, 7, 5),
            (profiles.AUTH0["limits"], 10, DAY, 250, 10),
        ],
    )
    def test_limits(self, limits, attempts, period, guesses, each):
        """The chance follows from whichever limit binds: guess budget, messages, or attempts per challenge."""
        risk = a_config(limits=limits, attempts=attempts).guess_risk(period)

        assert pytest.approx(float(exact_risk(guesses, each, 10**6)), rel=1e-12) == risk

    @given(st.timedeltas(timedelta(0), timedelta(days=36500)), st.timedeltas(timedelta(0), timedelta(days=36500)))
    def test_longer_is_riskier(self, one, other):
        """A longer attack has no smaller chance, and none is certain."""
        config = a_config()
        short, long = sorted([one, other])

        assert 0 < config.guess_risk(short) <= config.guess_risk(long) < 1

    def test_longest(self):
        """Even an attack without end has a chance that can be told."""
        assert 0 < a_config().guess_risk(timedelta.max) <= 1

    @pytest.mark.parametrize("period", [None, 1, 86400.0, "1 day", timedelta(microseconds=-1), timedelta.min])
    def test_wrong_period(self, period):
        """A wrong period is a ValueError that names the argument."""
        with pytest.raises(ValueError, match=r"^period: "):
            a_config().guess_risk(period)


def test_from_env():
    """A configuration is made of variables, and of what the call gives; neither is in a traceback."""
    environment = {"SMSMFA_APP_NAME": "Acme", "SMSMFA_SECRET": SECRET, "SMSMFA_DIGITS": "8"}
    config = FactorConfig.from_env(environment, regions={"US"})
    with pytest.raises(ConfigurationError, match="SMSMFA_APP_NAME is not set") as caught:
        FactorConfig.from_env(environment | {"SMSMFA_APP_NAME": ""})

    assert ("Acme", 8, frozenset({"US"})) == (config.app_name, config.digits, config.regions)
    assert SECRET not in shown(caught.value)
