"""Phone numbers: how they are read and refused, and that they show only their last two digits."""

import copy
import pickle
import sys
import traceback
import unicodedata

import attrs
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import shown

from smsmfa.core.opaque import Opaque
from smsmfa.exceptions import PhoneNumberError
from smsmfa.phone import (
    ALL_REGIONS,
    GLOBAL,
    NUMBER_TYPES,
    SMS_TYPES,
    Country,
    PhoneNumber,
    countries,
    numbers_of,
    read_number,
    supported_regions,
)

NUMBERS = ["+14155552671", "+447400123456", "+525512345678", "+5491123456789", "+390612345678", "+8613812345678"]
TILDES = "~～"  # also begin an extension
#: Every character that libphonenumber drops, without the x that stands for a carrier code.
PUNCTUATION = "".join(filter(phonenumbers.phonenumberutil._SEPARATOR_PATTERN.fullmatch, map(chr, range(0x10000))))
SEPARATORS = st.text(st.sampled_from(sorted(set(PUNCTUATION + "\t\n\u200e\ufeff") - {"x", *TILDES})), max_size=2)
ZEROS = [chr(code) for code in range(sys.maxunicode) if unicodedata.decimal(chr(code), None) == 0]
FORMATS = phonenumbers.PhoneNumberFormat
FORMS = [FORMATS.E164, FORMATS.INTERNATIONAL, FORMATS.NATIONAL, FORMATS.RFC3966]
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def example(region):
    """Return an example number of a region: a mobile one if it has any."""
    return phonenumbers.example_number_for_type(region, 1) or phonenumbers.example_number(region)


def in_script(text, zero):
    """Write the digits of a text in the script whose zero is given."""
    return "".join(chr(ord(zero) + int(letter)) if letter in "0123456789" else letter for letter in text)


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
            ("０９０ー１２３４ー５６７８", "JP", "+819012345678"),
            ("090−1234−5678", "JP", "+819012345678"),
            ("（０９０）１２３４－５６７８", "JP", "+819012345678"),
            ("（＋８１）９０．１２３４／５６７８", None, "+819012345678"),
            ("[415] 555 2671", "US", "+14155552671"),
            ("［４１５］　５５５　２６７１", "US", "+14155552671"),
            ("(+1) 415 555 2671", None, "+14155552671"),
            ("8~10 1 415 555-2671", "RU", "+14155552671"),
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
            ("+241 06 12 34 56", None, "+24166123456"),
            ("+241 6 12 34 56", None, "+24166123456"),
            ("066 12 34 56", "GA", "+24166123456"),
            ("07 12 34 56", "GA", "+24177123456"),
            ("+241 0 77 12 34 56", None, "+24177123456"),
            ("+241 4 12 34 56", None, "+24174123456"),
            ("+241 02 12 34 56", None, "+24162123456"),
            ("+241 5 12 34 56", None, "+24165123456"),
            ("+241 03 12 34 56", None, "+2413123456"),
            ("+241 01 44 55 66", None, "+24111445566"),
            ("+972 59 912 3456", None, "+970599123456"),
            ("059-912-3456", "IL", "+970599123456"),
            ("+972 56 912 3456", None, "+970569123456"),
            ("059-912-3456", "PS", "+970599123456"),
            ("+39 0549 886377", None, "+3780549886377"),
            ("+378 886377", None, "+3780549886377"),
        ],
    )
    def test_alias(self, text, region, expected):
        """T15: a number that two E.164 forms reach has one form, so that both share its limits."""
        number = PhoneNumber.parse(text, region)

        assert expected == number.e164
        assert PhoneNumber.parse(expected) == number

    @pytest.mark.parametrize(
        "text",
        [
            "+54 800 222 3456",
            "+54 810 123 4567",
            "+52 55 1234 5678",
            "+241 60 12 34 56",
            "+972 50 234 5678",
            "+972 58 412 3456",
            "+39 0541 123456",
            "+377 44 123 456",
            "+7 701 123 4567",
        ],
    )
    def test_no_alias(self, text):
        """A number without a second form stays as it is."""
        assert text.replace(" ", "") == PhoneNumber.parse(text).e164

    @pytest.mark.parametrize("text, reason", [("+52 1 55 1234 567", "invalid"), ("+52 2 55 1234 5678", "impossible")])
    def test_not_quite_an_alias(self, text, reason):
        """A number that is not valid has no second form either."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber.parse(text)

        assert reason == caught.value.reason

    @pytest.mark.parametrize("separator", sorted(set(PUNCTUATION) - {"x", *TILDES}), ids=ascii)
    def test_separator(self, separator):
        """T15: every separator of libphonenumber is read, alone and anywhere."""
        text = separator + separator.join("+14155552671") + separator

        assert "+14155552671" == PhoneNumber.parse(text).e164

    @pytest.mark.parametrize("tilde", TILDES, ids=ascii)
    def test_tilde(self, tilde):
        """A tilde separates, but not before the last nine digits: there libphonenumber reads an extension."""
        assert "+14155552671" == PhoneNumber.parse(f"+1{tilde}415-555-2671").e164
        for text in (f"+14155552671{tilde}9", f"+1 4155{tilde} 552671 "):
            with pytest.raises(PhoneNumberError) as caught:
                PhoneNumber.parse(text)
            assert "malformed" == caught.value.reason

    @pytest.mark.parametrize("zero", ZEROS, ids=ascii)
    def test_script(self, zero):
        """T15: digits of every script are read."""
        assert "+14155552671" == PhoneNumber.parse(in_script("(415) 555-2671", zero), "US").e164

    @given(st.sampled_from(REGIONS), st.sampled_from(FORMS), st.sampled_from(REGIONS), st.sampled_from(ZEROS))
    def test_formats(self, region, form, dialled_from, zero):
        """T15: every format that libphonenumber writes and reads is read, in every script."""
        number = example(region)
        plain = PhoneNumber.parse(phonenumbers.format_number(number, FORMATS.E164))
        for text, home in (
            (phonenumbers.format_number(number, form), region),
            (phonenumbers.format_national_number_with_preferred_carrier_code(number, ""), region),
            (phonenumbers.format_out_of_country_calling_number(number, dialled_from), dialled_from),
            (phonenumbers.format_number_for_mobile_dialing(number, dialled_from, True), dialled_from),
        ):
            if libphonenumber_reads(text, home) == number:
                assert plain == PhoneNumber.parse(in_script(text, zero), home)

    @given(st.sampled_from(NUMBERS), st.data())
    def test_any_separators(self, number, data):
        """T15: separators at any place do not change the number."""
        text = "+" + "".join(data.draw(SEPARATORS) + digit for digit in number[1:]) + data.draw(SEPARATORS)

        assert number == PhoneNumber.parse(text).e164

    @given(st.sampled_from(NUMBERS))
    def test_normal_form_is_stable(self, number):
        """A number in its normal form is read as itself."""
        assert number == PhoneNumber.parse(number).e164

    @given(
        st.text() | st.text("+0123456789() -٣;x~ー", max_size=20),
        st.sampled_from([None, "", "US", "MX", "AR", "IT", "GA", "IL"]),
    )
    def test_any_text(self, text, region):
        """T15: any text is a number in its one form, or a PhoneNumberError."""
        try:
            number = PhoneNumber.parse(text, region)
        except PhoneNumberError:
            return
        assert PhoneNumber.parse(number.e164) == number


def libphonenumber_reads(text, region):
    """Return the number that libphonenumber reads, or None."""
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


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
            "1",
            "+1 415 555 267x",
            "090*1234*5678",
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
            ("415 555 2671", None, "no_region"),
            ("415 555 2671", "", "no_region"),
            ("tel:415-555-2671", None, "no_region"),
            ("00 44 7400 123456", None, "no_region"),
            ("hello", "", "malformed"),
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
            ("415 555 2671", "USA", "region"),
            ("415 555 2671", "*", "region"),
            ("415 555 2671", "001", "region"),
            ("415 555 2671", 1, "region"),
            ("415 555 2671", b"US", "region"),
            ("hello", "XX", "malformed"),
        ],
    )
    def test_reason(self, text, region, reason):
        """A refusal says why."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber.parse(text, region)

        assert reason == caught.value.reason

    @pytest.mark.parametrize("text", ["+43 1 110", "+49 30 1234567 89012"])
    def test_not_e164(self, text):
        """T15: a valid number that is too short or too long for E.164 is refused."""
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
        monkeypatch.delattr("smsmfa.phone._READING")

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
        "name",
        [
            "parse",
            "region_code_for_number",
            "is_valid_number_for_region",
            "is_valid_number",
            "is_possible_number",
            "format_number",
            "number_type",
        ],
    )
    @pytest.mark.parametrize("given", ["+5215512345678", "+52 1 55 1234 567"])
    def test_not_shown_after_a_failure(self, name, given, monkeypatch):
        """T12: if libphonenumber fails, our frames hold no number: no text, no integer, no object of it."""
        monkeypatch.setattr(phonenumbers, name, fail)
        frames = []
        for number in (given, phonenumbers.PhoneNumber(52, 15512345678)):
            try:
                read_number(Opaque(number), None)
            except RuntimeError as error:
                frames += traceback.walk_tb(error.__traceback__)
            except PhoneNumberError:
                continue

        ours = [frame for frame, _ in frames if frame.f_globals["__name__"].startswith("smsmfa.")]
        assert not [value for frame in ours for value in frame.f_locals.values() if "1234" in repr(value)]


def fail(*arguments):
    raise RuntimeError


class TestReadNumber:
    @pytest.mark.parametrize(
        "number, region, expected",
        [
            pytest.param("(415) 555-2671", "US", "+14155552671", id="text"),
            pytest.param(PhoneNumber("+14155552671", "US", "mobile"), None, "+14155552671", id="ours"),
            pytest.param(PhoneNumber("+5215512345678", "MX", "mobile"), "US", "+525512345678", id="ours, an alias"),
            pytest.param(phonenumbers.PhoneNumber(1, 4155552671), None, "+14155552671", id="phonenumbers"),
            pytest.param(phonenumbers.FrozenPhoneNumber(1, 4155552671), "GB", "+14155552671", id="frozen"),
            pytest.param(phonenumbers.parse("06 1234 5678", "IT"), None, "+390612345678", id="a leading zero"),
            pytest.param(
                phonenumbers.PhoneNumber(378, 549886377, italian_leading_zero=True),
                None,
                "+3780549886377",
                id="a leading zero, by hand",
            ),
            pytest.param(phonenumbers.parse("(415) 555-2671", "US", keep_raw_input=True), "", "+14155552671", id="raw"),
        ],
    )
    def test_accepted(self, number, region, expected):
        """Text, our own numbers and numbers of phonenumbers are read into one form."""
        assert PhoneNumber.parse(expected) == read_number(Opaque(number), region)

    @pytest.mark.parametrize(
        "number, region, reason",
        [
            pytest.param("415 555 2671", None, "no_region", id="no region"),
            pytest.param(PhoneNumber("+15555555555", "US", "mobile"), None, "invalid", id="ours, not in use"),
            pytest.param(phonenumbers.PhoneNumber(1, 415), None, "impossible", id="too short"),
            pytest.param(phonenumbers.PhoneNumber(1, 4155552671, "9"), None, "malformed", id="an extension"),
            pytest.param(phonenumbers.PhoneNumber(None, 4155552671), "US", "malformed", id="no calling code"),
            pytest.param(phonenumbers.PhoneNumber(), None, "malformed", id="empty"),
            pytest.param(phonenumbers.PhoneNumber(1, 0, raw_input="x"), None, "malformed", id="only its raw input"),
        ],
    )
    def test_refused(self, number, region, reason):
        """A number that is refused as text is refused as an object."""
        with pytest.raises(PhoneNumberError) as caught:
            read_number(Opaque(number), region)

        assert reason == caught.value.reason

    @pytest.mark.parametrize("number", [None, True, 14155552671, 1.5, b"+14155552671", ["+14155552671"], object()])
    def test_other_types(self, number):
        """A value that is neither text nor a number is a TypeError, which does not show it."""
        with pytest.raises(TypeError, match=r"number: a str, a PhoneNumber or a phonenumbers\.PhoneNumber") as caught:
            read_number(Opaque(number), "US")

        assert "4155552671" not in shown(caught.value)


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
    """A number knows its kind and its country, even if countries share a calling code."""
    number = PhoneNumber.parse(e164)

    assert (e164, kind, region) == (number.e164, number.type, number.region)
    assert kind in NUMBER_TYPES


def test_types():
    """The types are the types of libphonenumber, and three of them take SMS."""
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
        """T12, T15: only a plus and ASCII digits make a number, and a traceback does not show others."""
        with pytest.raises(PhoneNumberError) as caught:
            PhoneNumber(e164, "US", "mobile")

        assert "malformed" == caught.value.reason
        assert "415555" not in shown(caught.value)

    def test_value(self):
        """Equal numbers hash alike, and a number cannot be changed."""
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
        """A form's country list has the allowed countries and their calling codes, in order."""
        assert (Country("CA", 1), Country("GB", 44), Country("US", 1)) == countries(frozenset({"US", "GB", "CA"}))

    def test_all(self):
        """By default the list has every country that has mobile numbers."""
        everything = countries()

        assert countries(ALL_REGIONS) == everything == countries(ALL_REGIONS | {GLOBAL})
        assert supported_regions() - WITHOUT_NUMBERS == {country.region for country in everything}
        assert sorted(supported_regions() - WITHOUT_NUMBERS) == [country.region for country in everything]

    def test_no_country(self):
        """Regions without numbers, unknown ones and the global services are not listed."""
        assert (Country("FI", 358),) == countries(frozenset({"AX", "FI", "XX", GLOBAL}))

    def test_supported_regions(self):
        """Countries go by their ISO codes."""
        assert supported_regions() > {"AR", "CA", "DE", "GB", "IN", "MX", "US"}
        assert all(len(region) == 2 and region.isupper() for region in supported_regions())


#: Regions whose numbers are another's, and one that has no mobile numbers (TA).
WITHOUT_NUMBERS = {"AX", "BL", "CC", "CX", "EH", "MF", "SJ", "TA", "VA"}


@pytest.mark.parametrize(
    "region, owner",
    [
        ("AX", "FI"),
        ("BL", "GP"),
        ("MF", "GP"),
        ("SJ", "NO"),
        ("CC", "AU"),
        ("CX", "AU"),
        ("EH", "MA"),
        ("VA", "IT"),
        ("TA", "SH"),
    ],
)
def test_numbers_of_another(region, owner):
    """Mobile numbers of a region without numbers of its own belong to the main region of its calling code."""
    assert owner == numbers_of(region)


def test_numbers_of_itself():
    """Every other region has mobile numbers of its own."""
    regions = supported_regions() - WITHOUT_NUMBERS

    assert regions == {numbers_of(region) for region in regions}


@pytest.mark.parametrize("text, region", [("+44 7624 123456", "IM"), ("0457 123 4567", "FI"), ("18 12345", "AX")])
def test_numbers_are_dialled_from_every_region(text, region):
    """A region without numbers of its own can still be the one that a number is dialled from."""
    number = PhoneNumber.parse(text, "AX" if region != "IM" else region)

    assert region == number.region


def test_to_dict():
    """A number becomes plain data for JSON, masked."""
    assert {"masked": "••••71", "region": "US", "type": "fixed_line_or_mobile"} == PhoneNumber.parse(
        "+14155552671"
    ).to_dict()
