"""Codes and recovery codes: how they are made and read, and that they do not show the secret."""

import copy
import hashlib
import hmac
import itertools
import math
import pickle
import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import SECRET, shown

from smsmfa import codes
from smsmfa.codes import (
    STAMP_BYTES,
    CodeGenerator,
    KeyRing,
    new_id,
    new_recovery_code,
    new_stamp,
    read_code,
    read_recovery_code,
)
from smsmfa.core.typed import compact
from smsmfa.exceptions import ConfigurationError

OTHER_SECRET = "another secret of the tests, long enough too"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RECOVERY_CODE = "0123-4567-89AB-CDEF-GHJK-MNPQ"
MEGABYTE = 1_000_000
#: The characters that are dropped from a code: white space, hyphens, dashes and format characters.
NOISE = st.text(st.sampled_from(" \t\n\xa0\u3000-\u2010\u2011–—\u200b\u200e\ufeff\xad"), max_size=3)
DIGITS = st.characters(categories=["Nd"])


def reference(secret, digits, *parts):
    """Derive a code independently: MessagePack by hand, all 256 bits of one HMAC, one reduction."""
    encoded = [part.encode() for part in parts]
    packed = bytes([0x90 + len(parts)]) + b"".join(bytes([0xA0 + len(part)]) + part for part in encoded)
    number = int.from_bytes(hmac.digest(secret, packed, "sha256"), "big")
    return str(number % 10**digits).zfill(digits)


def chi_squared(counts, bins):
    """Return Pearson's statistic for even counts over a number of bins."""
    even = sum(counts.values()) / bins
    assert len(counts) <= bins
    return sum((count - even) ** 2 for count in counts.values()) / even + (bins - len(counts)) * even


class TestCodeGenerator:
    @pytest.mark.parametrize("digits", range(6, 11))
    @pytest.mark.parametrize("context", [(), ("login",), ("login", "+14155552671", "é", "")])
    def test_derivation(self, digits, context):
        """R1, T13: a code is a whole HMAC-SHA-256 reduced once, so all codes are equally likely to within 2^-220."""
        generator = CodeGenerator(SECRET, digits)

        for number in range(200):
            expected = reference(SECRET.encode(), digits, f"code of {digits}", str(number), *context)
            assert expected == generator.code(str(number), *context)

    def test_distribution(self):
        """R1: first digits, last digits and leading zeros of 200,000 codes are evenly spread."""
        generator = CodeGenerator(SECRET)
        made = [generator.code(str(number)) for number in range(200_000)]

        for places in (slice(0, 1), slice(0, 3), slice(3, 6)):
            bins = 10 ** (places.stop - places.start)
            spread = chi_squared(Counter(code[places] for code in made), bins)
            assert abs(spread - (bins - 1)) < 4 * (2 * (bins - 1)) ** 0.5
        assert all(any(code.startswith("0" * zeros) for code in made) for zeros in range(1, 4))

    def test_lengths_are_independent(self):
        """R5, T36: a code of another length for the same challenge shares no digits with it, except by chance."""
        made = [[CodeGenerator(SECRET, digits).code(str(number)) for number in range(200)] for digits in range(6, 11)]

        for one, other in itertools.combinations(made, 2):
            assert sum(long.endswith(short) for short, long in zip(one, other, strict=True)) <= 2

    @pytest.mark.parametrize("digits", range(6, 11))
    def test_length(self, digits):
        """R1: a code has the configured number of digits, including leading zeros."""
        generator = CodeGenerator(SECRET, digits)

        assert {digits} == {len(generator.code(str(number))) for number in range(500)}
        assert digits == generator.digits

    def test_default_length(self):
        """R1: a code has six digits by default."""
        assert 6 == len(CodeGenerator(SECRET).code("id"))

    @pytest.mark.parametrize("digits", [5, 11, 0, -6, 6.0, "6", True, None])
    def test_wrong_length(self, digits):
        """R1: a length outside 6 to 10 is a ConfigurationError."""
        with pytest.raises(ConfigurationError, match=r"^digits: from 6 to 10"):
            CodeGenerator(SECRET, digits)

    def test_repeatable(self):
        """R12: another process with the same secret derives the same code."""
        assert CodeGenerator(SECRET).code("id", "a", "b") == CodeGenerator(SECRET.encode()).code("id", "a", "b")

    def test_every_difference_counts(self):
        """R5: another id, context, split of the context or secret gives another code."""
        contexts = [("id",), ("di",), ("id", ""), ("id", "a"), ("id", "a", ""), ("id", "", "a"), ("i", "da")]
        contexts += [("id", "ab", "c"), ("id", "a", "bc"), ("id", "abc"), ("ida", "bc"), ("id", "A"), ("id", "a ")]
        generators = [CodeGenerator(secret, 10) for secret in (SECRET, OTHER_SECRET, SECRET + "x")]
        made = [generator.code(*context) for generator in generators for context in contexts]

        assert len(made) == len(set(made))

    def test_sign(self):
        """A signature has 16 bytes and covers every part."""
        generator = CodeGenerator(SECRET)
        parts = [("a", b"b"), ("a", "b"), ("ab",), ("a",), (), ("a", b"b", b"")]
        made = [generator.sign(*part) for part in parts]

        assert len(parts) == len(set(made))
        assert {16} == set(map(len, made))

    def test_sign_is_no_code(self):
        """A signature includes a word that no code includes, and is the same in every release."""
        expected = hmac.digest(SECRET.encode(), b"\x93\xa5proof\xa1a\xc4\x01b", "sha256")[:16]

        assert expected == CodeGenerator(SECRET).sign("a", b"b")

    def test_key_id(self):
        """A secret has a short id that is the same in every process and does not reveal it."""
        generator = CodeGenerator(SECRET)
        expected = int.from_bytes(hmac.digest(SECRET.encode(), b"\x91\xa6key id", "sha256")[:4], "big")

        assert expected == generator.key_id
        assert expected != CodeGenerator(OTHER_SECRET).key_id


@pytest.mark.parametrize(
    "secret",
    [
        bytes(range(32)),
        "abcdefghijklmnopqrstuvwxyz012345",
        "0123456789abcdef0123456789abcdeg",
        "éàîõüçñø" + "01234567" + "øñçüõîàé",
        "\ud800" * 32 + "secrets",
        bytes(range(256)),
        "x" * 10_000 + "abcdefg",
        "0" * 25 + "1234567",
    ],
)
def test_secret(secret):
    """A secret is any ``bytes`` or ``str`` of at least 32 bytes that does not repeat itself."""
    assert 6 == len(CodeGenerator(secret).code("id"))
    assert 6 == len(KeyRing(secret, 6).newest.code("id"))


BAD_SECRETS = [
    pytest.param("nearly a secret but too short..", id="too short"),
    pytest.param(b"nearly a secret but too short..", id="too short bytes"),
    pytest.param("", id="empty"),
    pytest.param(codes.EXAMPLE_SECRET, id="public"),
    pytest.param(codes.EXAMPLE_SECRET.encode(), id="public bytes"),
    pytest.param(None, id="None"),
    pytest.param(0x736563726574, id="int"),
    pytest.param(bytearray(SECRET.encode()), id="bytearray"),
    pytest.param(memoryview(SECRET.encode()), id="memoryview"),
]
BAD_SECRETS += [
    pytest.param("a" * 32, id="one character"),
    pytest.param("é" * 16, id="one character of two bytes"),
    pytest.param(b"\0" * 32, id="zeros"),
    pytest.param("\ud800" * 32, id="one surrogate"),
    pytest.param("1234567" * 10 + "1", id="seven characters"),
    pytest.param("0123456789abcdef" * 2, id="twice the same"),
    pytest.param(bytes(range(11)) * 3, id="three times the same"),
    pytest.param("changeme" * 100, id="a word"),
]
BAD_LISTS = [
    pytest.param([], id="none"),
    pytest.param((), id="none in a tuple"),
    pytest.param([SECRET, "too short"], id="one too short"),
    pytest.param(["too short", SECRET], id="first too short"),
    pytest.param([SECRET, codes.EXAMPLE_SECRET], id="one public"),
    pytest.param([SECRET, None], id="one None"),
    pytest.param([SECRET, OTHER_SECRET, SECRET], id="twice"),
    pytest.param([SECRET, SECRET.encode()], id="twice, as str and as bytes"),
    pytest.param({SECRET: OTHER_SECRET, "short": SECRET}, id="mapping"),
]
LEAKS = (SECRET, OTHER_SECRET, codes.EXAMPLE_SECRET, "nearly a secret", "too short.", "126879297332596")


class TestSecret:
    @pytest.mark.parametrize("secret", BAD_SECRETS)
    def test_bad_secret(self, secret):
        """R1: a secret that is short, public or of another type is refused with instructions to make one."""
        with pytest.raises(ConfigurationError, match=r"^secret: .*token_urlsafe"):
            CodeGenerator(secret)

    @pytest.mark.parametrize("secrets", BAD_SECRETS + BAD_LISTS)
    def test_bad_list(self, secrets):
        """A list that is empty, or contains a bad secret or a duplicate, is a ConfigurationError."""
        with pytest.raises(ConfigurationError, match=r"^secret: "):
            KeyRing(secrets, 6)

    @pytest.mark.parametrize("secret", BAD_SECRETS)
    def test_bad_secret_is_not_shown(self, secret):
        """T12: no frame of the package shows a refused secret."""
        with pytest.raises(ConfigurationError) as caught:
            CodeGenerator(secret)

        report = shown(caught.value)
        assert [] == [leak for leak in LEAKS if leak in report]

    @pytest.mark.parametrize("secrets", BAD_SECRETS + BAD_LISTS)
    def test_bad_list_is_not_shown(self, secrets):
        """T12: no frame of the package shows the other secrets of a refused list."""
        with pytest.raises(ConfigurationError) as caught:
            KeyRing(secrets, 6)

        report = shown(caught.value)
        assert [] == [leak for leak in LEAKS if leak in report]

    @pytest.mark.parametrize("build", [CodeGenerator, KeyRing])
    def test_good_secret_is_not_shown(self, build):
        """T12: no frame of the package shows a good secret if something else is wrong."""
        with pytest.raises(ConfigurationError) as caught:
            build(SECRET, 5)

        assert SECRET not in shown(caught.value)


HOLDERS = [pytest.param(CodeGenerator(SECRET), id="CodeGenerator"), pytest.param(KeyRing(SECRET, 6), id="KeyRing")]


@pytest.mark.parametrize("holder", HOLDERS)
class TestHolder:
    def test_repr(self, holder):
        """T12: neither the repr of a holder nor its attributes show the secret."""
        assert SECRET not in repr(holder) + str(holder) + repr(vars(holder))

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_pickle(self, holder, protocol):
        """T12: a holder of a secret cannot be pickled."""
        with pytest.raises(TypeError, match=rf"^a {type(holder).__name__} .* cannot be pickled or copied"):
            pickle.dumps(holder, protocol)

    @pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
    def test_copy(self, holder, duplicate):
        """T12: a holder of a secret cannot be copied."""
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            duplicate(holder)


class TestKeyRing:
    @pytest.mark.parametrize("collect", [list, tuple, iter, dict.fromkeys])
    def test_newest_first(self, collect):
        """The first secret makes the codes, and each secret is found by its id."""
        ring = KeyRing(collect([SECRET, OTHER_SECRET]), 8)

        assert CodeGenerator(SECRET, 8).code("id") == ring.newest.code("id")
        for secret in (SECRET, OTHER_SECRET):
            generator = CodeGenerator(secret, 8)
            assert generator.code("id") == ring.get(generator.key_id).code("id")

    def test_retired(self):
        """A secret that is no longer listed is not found."""
        assert KeyRing(SECRET, 6).get(CodeGenerator(OTHER_SECRET).key_id) is None

    def test_repr(self):
        """T12: the repr of a holder is its type, even while it is half built."""
        assert "<KeyRing>" == repr(KeyRing([SECRET, OTHER_SECRET], 6)) == repr(KeyRing.__new__(KeyRing))
        assert "<CodeGenerator>" == repr(CodeGenerator(SECRET, 8)) == repr(CodeGenerator.__new__(CodeGenerator))


class TestNewId:
    def test_bits(self):
        """R10: an id has 128 random bits. A UUID has fewer."""
        places = zip(*(new_id() for _ in range(2000)), strict=True)

        assert 128 == sum(math.log2(len(set(place))) for place in places)

    def test_form(self):
        """R10: an id is unique, and valid in a URL and in a cookie."""
        ids = [new_id() for _ in range(10_000)]

        assert len(ids) == len(set(ids))
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in ids)


class TestReadCode:
    @pytest.mark.parametrize(
        "submitted",
        [
            "123456",
            " 123456\n",
            "123 456",
            "123-456",
            "12\xa034\u201156",
            "\ufeff12\u200b34\xad56\u200f",
            "١٢٣٤٥٦",
            "۱۲۳۴۵۶",
            "１２３４５６",
            "𝟏𝟐𝟑𝟒𝟓𝟔",
            "1２٣４۵६",
        ],
    )
    def test_code(self, submitted):
        """T14: white space, hyphens and format characters are dropped, and digits of any script are read."""
        assert "123456" == read_code(submitted, 6).reveal()

    @pytest.mark.parametrize(
        "submitted",
        [
            "",
            "12345",
            "1234567",
            "12_34_56",
            "+123456",
            "+12345",
            "-",
            "1e5000",
            "0x1234",
            "1234.5",
            "12345²",
            "²³¹²³¹",
            "12345½",
            "一二三四五六",
            "ⅠⅡⅢⅣⅤⅥ",
            "①②③④⑤⑥",
            "12345O",
            "l23456",
            "12345\0",
            "123456\0",
            "12345\ud800",
            "𝟏𝟐𝟑𝟒𝟓",
            "123456;DROP TABLE",
            "１２３４５６７",
            None,
            123456,
            123456.0,
            b"123456",
            ["123456"],
            True,
        ],
    )
    def test_no_code(self, submitted):
        """T14: anything but the digits of a code gives ``None`` and no exception."""
        assert read_code(submitted, 6) is None

    @pytest.mark.parametrize("digits", range(6, 11))
    def test_every_length(self, digits):
        """A code has exactly the configured length."""
        assert "0" * digits == read_code("0" * digits, digits).reveal()
        assert read_code("0" * (digits - 1), digits) is None
        assert read_code("0" * (digits + 1), digits) is None

    @pytest.mark.parametrize(
        "submitted", ["1" * MEGABYTE, " " * 251 + "123456", "١" * MEGABYTE], ids=["digits", "spaces", "Arabic digits"]
    )
    def test_huge(self, submitted, monkeypatch):
        """T26: input that is much longer than a code is refused without being read."""
        monkeypatch.delattr(codes, "compact")

        assert read_code(submitted, 6) is None

    def test_longest(self):
        """A code of up to 256 characters is read, if most of them are dropped."""
        assert "123456" == read_code(" " * 250 + "123456", 6).reveal()

    def test_hidden(self):
        """T12: a submitted code is hidden as soon as it is read."""
        assert "<hidden>" == repr(read_code("123456", 6))

    @given(st.lists(st.tuples(NOISE, DIGITS), min_size=6, max_size=6), NOISE)
    def test_any_writing(self, written, rest):
        """T14: six digits of any scripts, with any noise between them, are read as the code."""
        submitted = "".join(noise + digit for noise, digit in written) + rest

        assert "".join(str(unicodedata.digit(digit)) for _, digit in written) == read_code(submitted, 6).reveal()

    @given(st.text() | st.text("0123456789 ٣²_+-") | st.binary() | st.integers() | st.none(), st.integers(6, 10))
    def test_any_input(self, submitted, digits):
        """T14: any input gives exactly the ASCII digits of a code, or ``None``."""
        code = read_code(submitted, digits)

        assert code is None or re.fullmatch(f"[0-9]{{{digits}}}", code.reveal())


class TestNewRecoveryCode:
    def test_form(self):
        """R20: a recovery code is unique, and has six groups of four symbols without I, L, O and U."""
        drawn = [new_recovery_code().reveal() for _ in range(2000)]

        assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){5}", code) for code in drawn)
        assert len(drawn) == len(set(drawn))

    def test_symbols(self):
        """R20: each of the 24 places takes each of the 32 symbols, which makes 120 bits."""
        places = zip(*(new_recovery_code().reveal().replace("-", "") for _ in range(2000)), strict=True)

        assert [set(ALPHABET)] * 24 == [set(place) for place in places]

    def test_hidden(self):
        """T12: a new recovery code is hidden."""
        assert "<hidden>" == repr(new_recovery_code())

    def test_read(self):
        """R20: new recovery codes are read, and have different hashes."""
        drawn = [new_recovery_code().reveal() for _ in range(100)]

        assert 100 == len({read_recovery_code(code) for code in drawn} - {None})


class TestReadRecoveryCode:
    def test_hash(self):
        """R20: the stored form is a plain SHA-256 of the 120 bits, independent of the secrets."""
        expected = hashlib.sha256(b"smsmfa recovery code\0" + RECOVERY_CODE.replace("-", "").encode()).digest()

        assert expected == read_recovery_code(RECOVERY_CODE)

    @pytest.mark.parametrize(
        "submitted",
        [
            RECOVERY_CODE.replace("-", ""),
            RECOVERY_CODE.lower(),
            RECOVERY_CODE.replace("-", " "),
            RECOVERY_CODE.replace("-", " – "),
            RECOVERY_CODE.replace("-", "\u2011"),
            f"\t{RECOVERY_CODE}\r\n",
            f"\ufeff{RECOVERY_CODE}\u200b",
            "-".join(RECOVERY_CODE.replace("-", "")),
            RECOVERY_CODE.replace("0", "O").replace("1", "I"),
            RECOVERY_CODE.replace("0", "o").replace("1", "i"),
            RECOVERY_CODE.replace("1", "L"),
            RECOVERY_CODE.replace("1", "l"),
            RECOVERY_CODE.replace("1", "１").replace("2", "２"),
            RECOVERY_CODE.translate({ord(digit): ord("٠") + int(digit) for digit in "0123456789"}),
        ],
    )
    def test_writing(self, submitted):
        """Case, spaces and hyphens do not matter, O is read as 0, I and L as 1, and digits may be of any script."""
        assert read_recovery_code(RECOVERY_CODE) == read_recovery_code(submitted)

    def test_every_symbol_counts(self):
        """R20: a code that differs in any one symbol is another code."""
        for place in (place for place, symbol in enumerate(RECOVERY_CODE) if symbol != "-"):
            others = [RECOVERY_CODE[:place] + symbol + RECOVERY_CODE[place + 1 :] for symbol in ALPHABET]
            assert 32 == len({read_recovery_code(other) for other in others} - {None}), place

    @pytest.mark.parametrize(
        "submitted",
        [
            "",
            RECOVERY_CODE[:-1],
            RECOVERY_CODE + "0",
            RECOVERY_CODE + "-0123",
            RECOVERY_CODE.replace("0", "U"),
            RECOVERY_CODE.replace("0", "u"),
            RECOVERY_CODE.replace("-", "_"),
            RECOVERY_CODE.replace("-", "."),
            RECOVERY_CODE.replace("K", "\u212a"),  # the Kelvin sign, a k in lower case
            RECOVERY_CODE.replace("1", "ı"),  # dotless, an I in upper case
            RECOVERY_CODE.replace("A", "Ａ"),
            RECOVERY_CODE.replace("A", "А"),  # Cyrillic
            RECOVERY_CODE.replace("2", "²"),
            RECOVERY_CODE.replace("0", "\0"),
            RECOVERY_CODE.replace("0", "\ud800"),
            "ſ" * 24,
            "ß" * 12,
            None,
            0,
            RECOVERY_CODE.encode(),
            [RECOVERY_CODE],
        ],
    )
    def test_no_recovery_code(self, submitted):
        """T14: a wrong length, the letter U or any other symbol gives ``None`` and no exception."""
        assert read_recovery_code(submitted) is None

    @pytest.mark.parametrize(
        "submitted", ["A" * MEGABYTE, " " * 228 + RECOVERY_CODE, "١" * MEGABYTE], ids=["letters", "spaces", "digits"]
    )
    def test_huge(self, submitted, monkeypatch):
        """T26: input that is much longer than a recovery code is refused without being read or hashed."""
        monkeypatch.delattr(codes, "compact")
        monkeypatch.delattr(codes, "sha256")

        assert read_recovery_code(submitted) is None

    def test_longest(self):
        """A recovery code of up to 256 characters is read, if most of them are dropped."""
        assert read_recovery_code(RECOVERY_CODE) == read_recovery_code(" " * 227 + RECOVERY_CODE)

    @given(st.text() | st.text(ALPHABET + ALPHABET.lower() + "OILoil -", min_size=20, max_size=40))
    def test_any_input(self, submitted):
        """Input gives a hash of 32 bytes if its compact form has 24 valid symbols, and ``None`` otherwise."""
        hashed = read_recovery_code(submitted)
        symbols = compact(submitted)

        is_code = len(symbols) == 24 and set(symbols) <= set(ALPHABET + ALPHABET.lower() + "OILoil")
        assert (32 if is_code else None) == (hashed and len(hashed))


def test_constants():
    """A secret is at least as long as the hash, and so is the example secret of the documentation."""
    assert hashlib.sha256().digest_size == codes.SECRET_BYTES
    assert len(codes.EXAMPLE_SECRET.encode()) >= codes.SECRET_BYTES
    assert len(list(itertools.takewhile(str.isalnum, ALPHABET))) == 32


@pytest.mark.parametrize("draw, size", [(new_id, 32), (new_stamp, STAMP_BYTES)])
def test_random(draw, size):
    """Ids and stamps are random, and of one length."""
    drawn = {draw() for _ in range(100)}

    assert 100 == len(drawn)
    assert {size} == set(map(len, drawn))


@pytest.mark.parametrize("text", [None, 7, b"0" * 32, "", "0" * 31, "0" * 33, "0" * 31 + "-", "0" * 31 + "٠"])
def test_no_id(text):
    """A value that does not have the form of an id is refused."""
    assert codes.is_id(new_id())
    assert not codes.is_id(text)
