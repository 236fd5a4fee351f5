"""Phone numbers: how they are read and refused, and that they show only their last two digits."""

import copy
import pickle

import attrs
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import shown

from smsmfa.exceptions import PhoneNumberError
from smsmfa.phone import ALL_REGIONS, NUMBER_TYPES, SMS_TYPES, Country, PhoneNumber, countries, supported_regions

NUMBERS = ["+14155552671", "+447400123456", "+525512345678", "+5491123456789", "+390612345678", "+8613812345678"]
SEPARATORS = st.text(st.sampled_from(" \t\n\xa0\u3000-\u2011–.()/\u200b\u200e\ufeff\xad"), max_size=2)


class TestParse:
    @pytest.mark.parametrize(
        "text, region, expected",
        [
            ("+14155552671", None, "+14155552671"),
            ("(415) 555-2671", "US", "+14155552671"),
            ("415.555.2671", "US", "+14155552671"),
            ("415/555/2671", "US", "+14155552671"),
            ("4155552671", "us", "+14155552671"),
            ("1 415 555 2671", "US", "+14155552671"),
            ("  +1\t(415)\n555–2671\r\n", None, "+14155552671"),
            ("tel:+1-415-555-2671", None, "+14155552671"),
            ("TEL:(415)555-2671", "US", "+14155552671"),
            ("+44 (0)7400 123456", None, "+447400123456"),
            ("+44 7400 123456", "US", "+447400123456"),
            ("07400 123456", "GB", "+447400123456"),
            ("00 44 7400 123456", "GB", "+447400123456"),
            ("011 44 7400 123456", "US", "+447400123456"),
            ("\u202a+1 415 555 2671\u202c", None, "+14155552671"),  # copied from a contact
            ("\ufeff+1\u00a0415\u2011555\u20112671\u200b", None, "+14155552671"),
            ("＋１４１５５５５２６７１", None, "+14155552671"),
            ("+١٤١٥٥٥٥٢٦٧١", None, "+14155552671"),
            ("+۱۴۱۵۵۵۵۲۶۷۱", None, "+14155552671"),
            ("+1４15５٥۵2671", None, "+14155552671"),
            ("06 1234 5678", "IT", "+390612345678"),
            ("+800 1234 5678", None, "+80012345678"),
        ],
    )
    def test_writing(self, text, region, expected):
        """T15: every way of writing a number gives the same E.164."""
        assert expected == PhoneNumber.parse(text, region).e164

    @pytest.mark.parametrize(
        "text, region, expected",
        [
            ("+52 55 1234 5678", None, "+525512345678"),
            ("+52 1 55 1234 5678", None, "+525512345678"),
            ("+5215512345678", "US", "+525512345678"),
            ("55 1234 5678", "MX", "+525512345678"),
            ("1 55 1234 5678", "MX", "+525512345678"),
            ("+54 9 11 2345-6789", None, "+5491123456789"),
            ("+54 11 2345-6789", None, "+5491123456789"),
            ("+54 (0)11 2345-6789", None, "+5491123456789"),
            ("+54 11 15-2345-6789", None, "+5491123456789"),
            ("011 15-2345-6789", "AR", "+5491123456789"),
            ("011 2345-6789", "AR", "+5491123456789"),
            ("9 11 2345-6789", "AR", "+5491123456789"),
        ],
    )
    def test_alias(self, text, region, expected):
        """T15: Mexico's old 1 and Argentina's 9 are folded, so the aliases of a number share its limits."""
        number = PhoneNumber.parse(text, region)

        assert expected == number.e164
        assert PhoneNumber.parse(expected) == number

    @pytest.mark.parametrize("text", ["+54 800 222 3456", "+54 810 123 4567"])
    def test_no_alias(self, text):
        """An Argentinian number that cannot be a mobile number stays unchanged."""
        assert text.replace(" ", "") == PhoneNumber.parse(text).e164

    @pytest.mark.parametrize("text, reason", [("+52 1 55 1234 567", "invalid"), ("+52 2 55 1234 5678", "impossible")])
    def test_not_quite_an_alias(self, text, reason):
        """Folding never makes an invalid number valid."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber.parse(text)

        assert reason == caught.value.reason

    @given(st.sampled_from(NUMBERS), st.data())
    def test_any_separators(self, number, data):
        """T15: separators at any place do not change the number."""
        text = "+" + "".join(data.draw(SEPARATORS) + digit for digit in number[1:]) + data.draw(SEPARATORS)

        assert number == PhoneNumber.parse(text).e164

    @given(st.sampled_from(NUMBERS))
    def test_normal_form_is_stable(self, number):
        """Parsing an E.164 number gives the same number."""
        assert number == PhoneNumber.parse(number).e164

    @given(st.text() | st.text("+0123456789() -٣;x", max_size=20), st.sampled_from([None, "US", "MX", "AR", "IT"]))
    def test_any_text(self, text, region):
        """T15: any text gives a number in its normal form, or a PhoneNumberError."""
        try:
            number = PhoneNumber.parse(text, region)
        except PhoneNumberError:
            return
        assert PhoneNumber.parse(number.e164) == number


class TestRefusal:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            " ",
            "+",
            "tel:",
            "-",
            "()",
            "+1",
            "hello",
            "+1 415 555 CALL",
            "1-800-FLOWERS",
            "+14155552671;ext=9",
            "+14155552671 ext. 9",
            "+14155552671x9",
            "+14155552671#9",
            "+14155552671,9",
            "+14155552671;phone-context=example.com",
            "tel:4155552671;phone-context=+1",
            "sms:+14155552671",
            "tel:tel:+14155552671",
            "++14155552671",
            "+1+4155552671",
            "14155552671+",
            "+14155552671\0",
            "+14155552671\x009",
            "\x01+14155552671",
            "+1415555²671",
            "+1415555267Ⅰ",
            "+一四一五",
            "+1415555267\ud800",
            "+1_415_555_2671",
            "+1 415 555 2671 / +1 415 555 2672",
            "alice@example.com",
            "+999 123 456 789",
            "+0 415 555 2671",
            None,
            14155552671,
            b"+14155552671",
            ["+14155552671"],
            True,
        ],
    )
    def test_malformed(self, text):
        """T15: extensions, letters, control characters and anything but text are malformed."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber.parse(text)

        assert "malformed" == caught.value.reason

    @pytest.mark.parametrize(
        "text, region, reason",
        [
            ("415 555 2671", None, "malformed"),
            ("00 44 7400 123456", None, "malformed"),
            ("+1 415 555 267", None, "impossible"),
            ("+1 415 555 26711", None, "impossible"),
            ("911", "US", "impossible"),
            ("12", "US", "impossible"),
            ("12345678901234567890", "US", "impossible"),
            ("+12345678901234567890", None, "impossible"),
            ("+1 555 555 5555", None, "invalid"),
            ("123 456 7890", "US", "invalid"),
            ("415 555 2671", "XX", "region"),
            ("+1 415 555 2671", "XX", "region"),
            ("415 555 2671", "", "region"),
            ("415 555 2671", "USA", "region"),
            ("415 555 2671", "*", "region"),
            ("415 555 2671", "001", "region"),
            ("415 555 2671", 1, "region"),
            ("415 555 2671", b"US", "region"),
            ("hello", "XX", "malformed"),
        ],
    )
    def test_reason(self, text, region, reason):
        """A refusal gives the reason: malformed, impossible, invalid or an unknown region."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber.parse(text, region)

        assert reason == caught.value.reason

    @pytest.mark.parametrize("text", ["+43 1 110", "+49 30 1234567 89012"])
    def test_not_e164(self, text):
        """T15: a number in use that is too short or too long for E.164 is refused."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber.parse(text)

        assert "malformed" == caught.value.reason

    def test_longest(self):
        """T26: at most 64 characters are read."""
        assert "+14155552671" == PhoneNumber.parse("+14155552671".ljust(64)).e164
        with pytest.raises(PhoneNumberError, match="not a phone number"):
            PhoneNumber.parse("+14155552671".ljust(65))

    def test_huge(self, monkeypatch):
        """T26: text that is much longer than a number is refused without being read."""
        monkeypatch.delattr("smsmfa.phone.compact")

        with pytest.raises(PhoneNumberError):
            PhoneNumber.parse("1" * 1_000_000, "US")

    @pytest.mark.parametrize("text", ["+1 415 555 267", "+1 555 555 5555", "+14155552671x9", "+49 30 555555 555555"])
    def test_not_shown(self, text):
        """T12: no frame of the package shows a refused number."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber.parse(text)

        report = shown(caught.value)
        assert text not in report
        assert "555" not in report


@pytest.mark.parametrize(
    "e164, kind, region",
    [
        ("+447400123456", "mobile", "GB"),
        ("+441212345678", "fixed_line", "GB"),
        ("+14155552671", "fixed_line_or_mobile", "US"),
        ("+12042345678", "fixed_line_or_mobile", "CA"),
        ("+445612345678", "voip", "GB"),
        ("+448001234567", "toll_free", "GB"),
        ("+449012345678", "premium_rate", "GB"),
        ("+41840123456", "shared_cost", "CH"),
        ("+447012345678", "personal_number", "GB"),
        ("+447640123456", "pager", "GB"),
        ("+445512345678", "uan", "GB"),
        ("+41860123456789", "voicemail", "CH"),
        ("+77011234567", "mobile", "KZ"),
        ("+80012345678", "toll_free", "001"),
    ],
)
def test_type_and_region(e164, kind, region):
    """A number has its type and its country, even if countries share its calling code or it has none."""
    number = PhoneNumber.parse(e164)

    assert (e164, kind, region) == (number.e164, number.type, number.region)
    assert kind in NUMBER_TYPES


def test_types():
    """The types are those of libphonenumber, and some of them can receive SMS."""
    kinds = phonenumbers.PhoneNumberType.values()

    assert {phonenumbers.PhoneNumberType.to_string(kind).lower() for kind in kinds} == NUMBER_TYPES
    assert {"mobile", "fixed_line_or_mobile", "voip"} == SMS_TYPES


class TestPhoneNumber:
    @pytest.mark.parametrize(
        "e164, masked, national",
        [
            ("+14155552671", "••••71", "(415) 555-2671"),
            ("+447400123456", "••••56", "07400 123456"),
            ("+80012345678", "••••78", "1234 5678"),
        ],
    )
    def test_display(self, e164, masked, national):
        """A number is shown masked, or whole in its national format."""
        number = PhoneNumber.parse(e164)

        assert masked == number.masked
        assert national == number.national

    @pytest.mark.parametrize("e164", NUMBERS)
    def test_masked(self, e164):
        """R31, T12: the text of a number shows only its last two digits."""
        number = PhoneNumber.parse(e164)
        texts = [
            repr(number),
            str(number),
            format(number),
            f"{number}",
            "%s".__mod__(number),
            repr([number]).strip("[]"),
        ]

        assert {f"<PhoneNumber ••••{e164[-2:]}>"} == set(texts)

    @pytest.mark.parametrize("e164", ["+1415555", "+141555526711234"])
    def test_e164(self, e164):
        """A number in E.164 has 7 to 15 digits."""
        assert e164 == PhoneNumber(e164, "US", "mobile").e164

    @pytest.mark.parametrize(
        "e164",
        [
            "",
            "+",
            "14155552671",
            "+04155552671",
            "+141555",
            "+1415555267112345",
            "+1 4155552671",
            "+14155552671\n",
            "\n+14155552671",
            "+14155552671\0",
            "+1415555267１",
            "＋14155552671",
            "+١٤١٥٥٥٥٢٦٧١",
            "tel:+14155552671",
            "+14155552671;ext=9",
            None,
            14155552671,
            b"+14155552671",
        ],
    )
    def test_not_e164(self, e164):
        """T15: only a plus and ASCII digits are accepted as E.164."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber(e164, "US", "mobile")

        assert "malformed" == caught.value.reason

    def test_value(self):
        """Equal numbers compare equal, have the same hash, and cannot be changed."""
        number = PhoneNumber.parse("+14155552671")

        assert 1 == len({number, PhoneNumber.parse("(415) 555-2671", "US")})
        assert number != PhoneNumber.parse("+14155552672")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            number.e164 = "+14155552672"

    def test_duplicate(self):
        """A number can be copied and pickled, for example for a session."""
        number = PhoneNumber.parse("+14155552671")

        assert number == copy.copy(number) == copy.deepcopy(number) == pickle.loads(pickle.dumps(number))


class TestCountries:
    def test_some(self):
        """The list for a form has the allowed countries with their calling codes, in order."""
        assert (Country("CA", 1), Country("GB", 44), Country("US", 1)) == countries(frozenset({"US", "GB", "CA"}))

    def test_all(self):
        """Without an argument the list has every country."""
        everything = countries()

        assert countries(ALL_REGIONS) == everything
        assert supported_regions() == {country.region for country in everything}
        assert sorted(supported_regions()) == [country.region for country in everything]

    def test_supported_regions(self):
        """Countries are named by their ISO codes."""
        assert supported_regions() > {"AR", "CA", "DE", "GB", "IN", "MX", "US"}
        assert all(len(region) == 2 and region.isupper() for region in supported_regions())
