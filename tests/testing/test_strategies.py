"""Valid examples are accepted, and hostile ones are refused with the right error."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from support import SECRET

from smsmfa import (
    ALL_REGIONS,
    CodeMalformed,
    Enroller,
    FactorConfig,
    MemoryStore,
    PhoneNumber,
    PhoneNumberError,
    Verifier,
)
from smsmfa.codes import read_code
from smsmfa.core.typed import compact
from smsmfa.phone import SMS_TYPES
from smsmfa.testing import RecordingSender, strategies

CONFIG = FactorConfig(app_name="Acme", secret=SECRET, regions=ALL_REGIONS)
QUIET = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def shells(config=CONFIG):
    shared = config, MemoryStore(), RecordingSender()
    return Enroller(*shared), Verifier(*shared)


def is_number(number, region=None):
    """Return whether a value is a phone number."""
    try:
        PhoneNumber.parse(number, region)
    except PhoneNumberError:
        return False
    return True


class TestPhoneNumbers:
    @QUIET
    @given(strategies.phone_numbers())
    def test_accepted(self, number):
        """Every number is in its normal form and can receive SMS."""
        parsed = PhoneNumber.parse(number)

        assert number == parsed.e164
        assert parsed.type in SMS_TYPES
        shells()[0].start("alice", number)

    @QUIET
    @given(strategies.phone_numbers({"CA", "GB"}))
    def test_regions(self, number):
        """Numbers come from the regions that were asked for."""
        assert PhoneNumber.parse(number).region in {"CA", "GB"}

    def test_many_regions(self):
        """Numbers come from more than two hundred countries."""
        assert len({PhoneNumber.parse(number).region for number in strategies._examples(ALL_REGIONS)}) > 200

    @pytest.mark.parametrize("region", ["US", "IN", "NG", "JE", "GA"])
    def test_many_numbers(self, region):
        """Each region has more than one number."""
        example = find(strategies.phone_numbers({region}), lambda number: True)

        assert example != find(strategies.phone_numbers({region}), lambda number: number != example)

    @pytest.mark.parametrize("region", ["AX", "TA", "XX"])
    def test_region_without_numbers(self, region):
        """A region without its own mobile numbers is refused when the strategy is made."""
        with pytest.raises(ValueError, match=f"regions: no mobile number is known for {region}"):
            strategies.phone_numbers({"US", region})

    def test_simplest(self):
        """Hypothesis shrinks to a number in the United States."""
        assert find(strategies.phone_numbers(), lambda number: True).startswith("+1")

    def test_no_number(self):
        """A text that is not a number has no region, so it is never drawn."""
        assert strategies._parsed("+999000000") is None


class TestPhoneAliases:
    @QUIET
    @given(strategies.phone_aliases() | strategies.phone_aliases({"AR", "MX"}))
    def test_accepted(self, alias):
        """Every alias is read as the number that it stands for."""
        text, number = alias

        assert number == PhoneNumber.parse(text).e164

    @pytest.mark.parametrize("region, start", [("MX", "521"), ("AR", "541")])
    def test_other_forms(self, region, start):
        """The form that Mexico dropped and the form that people in Argentina use are drawn."""

        def is_other_form(alias):
            return "".join(filter(str.isdecimal, compact(alias[0]))).startswith(start)

        _, number = find(strategies.phone_aliases({region}), is_other_form)

        assert not number.startswith(f"+{start}")


class TestHostilePhoneNumbers:
    @QUIET
    @given(strategies.hostile_phone_numbers(), st.sampled_from([None, "US", "GB", "DE", "IN"]))
    def test_refused(self, number, region):
        """Every hostile number is refused in any region; an enroller refuses a value that is not text as TypeError."""
        with pytest.raises(PhoneNumberError):
            PhoneNumber.parse(number, region)
        with pytest.raises(PhoneNumberError if isinstance(number, str) else TypeError):
            shells()[0].start("alice", number, region=region)

    @pytest.mark.parametrize("region", [None, "US", "GB", "DE", "IN"])
    def test_every_example(self, region):
        """No fixed example is a number in any region."""
        numbers = [*strategies._NO_NUMBERS, *strategies._NO_TEXTS]

        assert [] == [number for number in numbers if is_number(number, region)]

    @pytest.mark.parametrize("place", [0, 1, 6, 12])
    def test_every_junk(self, place):
        """Junk makes a number, and a code, invalid in any position."""
        spoiled = [strategies._insert("+14155552671", junk, place) for junk in strategies._JUNK]
        codes = [strategies._insert("123456", junk, place) for junk in strategies._JUNK]

        assert [] == [number for number in spoiled if is_number(number)]
        assert {None} == {read_code(code, 6) for code in codes}


class TestCodes:
    @given(st.data(), st.integers(6, 10))
    def test_accepted(self, data, digits):
        """Every code is read as itself."""
        code = data.draw(strategies.codes(digits))

        assert code == read_code(code, digits).reveal()

    def test_leading_zeros(self):
        """Leading zeros are kept."""
        assert "000000" == find(strategies.codes(), lambda code: True)

    @given(strategies.hostile_codes())
    def test_hostile(self, code):
        """Every hostile code is malformed, for an existing challenge and for an unknown one."""
        enroller, verifier = shells()
        pending = enroller.start("alice", "+14155552671")
        with pytest.raises(CodeMalformed):
            enroller.confirm("alice", pending.id, code)
        with pytest.raises(CodeMalformed):
            verifier.verify("alice", "0" * 32, code)

    @given(st.data(), st.integers(6, 10))
    def test_hostile_of_any_length(self, data, digits):
        """A code of another length is hostile."""
        assert read_code(data.draw(strategies.hostile_codes(digits)), digits) is None


class TestUserIds:
    @given(strategies.user_ids())
    def test_accepted(self, user_id):
        """Every user id is accepted."""
        enroller, verifier = shells()
        enroller.start(user_id, "+14155552671")

        assert verifier.status(str(user_id)).challenges

    @pytest.mark.parametrize("kind", ["str", "int", "UUID"])
    def test_kinds(self, kind):
        """Ids of every accepted type are drawn."""
        assert find(strategies.user_ids(), lambda user_id: type(user_id).__name__ == kind) is not None

    @given(strategies.hostile_user_ids())
    def test_hostile(self, user_id):
        """Every hostile user id raises TypeError."""
        enroller, verifier = shells()
        with pytest.raises(TypeError):
            enroller.start(user_id, "+14155552671")
        with pytest.raises(TypeError):
            verifier.status(user_id)


class TestConfigs:
    @QUIET
    @given(strategies.configs(), strategies.phone_numbers({"US"}))
    def test_valid(self, config, number):
        """Every configuration is enabled, and sends a code if its regions allow the number."""
        assert config.enabled
        enroller, _ = shells(config)
        if {"US", "*"} & config.regions:
            enroller.start("alice", number)

    @QUIET
    @given(strategies.configs(regions={"US"}, lifetime=timedelta(seconds=2), enabled=False))
    def test_fixed(self, config):
        """Fixed arguments are used as given, and the rest fits them."""
        assert ({"US"}, timedelta(seconds=2), False) == (config.regions, config.lifetime, config.enabled)

    @QUIET
    @given(strategies.configs(resend_gap=timedelta(minutes=9)))
    def test_fixed_gap(self, config):
        """With a fixed gap, codes live at least as long as the gap."""
        assert config.lifetime >= config.resend_gap
