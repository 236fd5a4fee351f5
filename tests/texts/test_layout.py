"""The frame around a text, and its size."""

import pytest
from wicg import autofill

from smsmfa.texts.layout import Frame, as_shown, spoken
from smsmfa.texts.templates import compiled

HASH = "FA+9qCX9VSu"


def frame(host=None, android_hash=None, digits=6):
    return Frame(digits, host, android_hash)


def problem(source, channel="sms", **arguments):
    """Return the problem of a template."""
    return frame(**arguments).problem(compiled(source, {}), channel, "en", "0")


def test_spoken():
    """A code is spoken digit by digit, including leading zeros. Elsewhere it is one word, so that phones find it."""
    assert "0, 1, 2, 3, 4, 5" == spoken("012345") == as_shown("012345", "voice")
    assert "012345" == as_shown("012345", "sms") == as_shown("012345", "whatsapp")


@pytest.mark.parametrize(
    "host, android_hash, ending",
    [
        (None, None, ""),
        ("example.com", None, "\n@example.com #012345"),
        ("example.com", HASH, f"\n@example.com #012345 {HASH}"),
        (None, HASH, f"\n{HASH}"),
    ],
)
def test_last_line(host, android_hash, ending):
    """An SMS ends with the origin, the app's hash or both on one line, and other channels do not."""
    made = frame(host, android_hash)

    assert f"text{ending}" == made.finished("text", "012345", "sms")
    assert "text" == made.finished("text", "012345", "whatsapp")
    assert (host and (host, "012345", None)) == autofill(f"text{ending}")


@pytest.mark.parametrize(
    "body, expected",
    [
        ("Code: 0, 1, 2, 3, 4, 5.", "Code: 0, 1, 2, 3, 4, 5. Code: 0, 1, 2, 3, 4, 5."),
        ("0, 1, 2, 3, 4, 5 for Acme", "0, 1, 2, 3, 4, 5 for Acme. 0, 1, 2, 3, 4, 5 for Acme."),
        ("कोड 0, 1, 2, 3, 4, 5।", "कोड 0, 1, 2, 3, 4, 5। कोड 0, 1, 2, 3, 4, 5।"),
        ("0, 1, 2, 3, 4, 5. Again: 0, 1, 2, 3, 4, 5", "0, 1, 2, 3, 4, 5. Again: 0, 1, 2, 3, 4, 5"),
    ],
)
def test_said_twice(body, expected):
    """A spoken text says the code twice, by itself or by repeating everything, and has no last line."""
    assert expected == frame("example.com", HASH).finished(body, "012345", "voice")


@pytest.mark.parametrize("channel", ["sms", "voice", "whatsapp"])
def test_no_problem(channel):
    """A plain template with details has no problem on any channel."""
    assert problem("{{ code }} to {{ details.to }} {{ locale }}", channel) is None


class Broken:
    """A template that gives no text, or the same text for every code."""

    shows = frozenset({"locale"})

    def __init__(self, *texts):
        self.texts = list(texts)

    def text(self, values):
        return self.texts.pop(0)

    def problem(self, values):
        return f"breaks in {values['locale']}"


def test_broken():
    """A template that gives no text for some code has a problem."""
    assert "breaks in fr" == frame().problem(Broken(None), "sms", "fr", "de")
    for channel, code in [("sms", "000000"), ("voice", "0, 0, 0, 0, 0, 0")]:
        for texts in (["none"], [code, code], [code, None]):
            assert "it does not show the code as it is" == frame().problem(Broken(*texts), channel, "fr", "de")


@pytest.mark.parametrize("source", ["{{ code }}1", "{{ code }} 123456", "000000 {{ code }}", "999999 {{ code }}"])
def test_digits(source):
    """Digits that a phone could read as the code are a problem, except in a spoken text."""
    assert "digits touch the code, or 6 in a row" in problem(source)
    assert problem(source, "voice") is None


@pytest.mark.parametrize(
    "room, character, arguments, size",
    [
        (306 - 6, "a", {}, "3 segments of GSM-7"),
        (134 - 6, "я", {}, "3 segments of UCS-2"),
        (306 - 6 - 21, "a", {"host": "example.com"}, "3 segments of GSM-7"),
        (140 - 6 - 12, "a", {"android_hash": HASH}, "141 bytes of GSM-7, and with android_hash 140"),
        (70 - 6 - 12, "я", {"android_hash": HASH}, "142 bytes of UCS-2, and with android_hash 140"),
        (140 - 6 - 33, "a", {"android_hash": HASH, "host": "example.com"}, "141 bytes of GSM-7"),
    ],
)
def test_size(room, character, arguments, size):
    """A text may fill two segments, or the 140 bytes of Android's SMS Retriever, and one unit more is a problem."""
    assert problem(character * (room - 1) + " {{ code }}", **arguments) is None
    told = problem(character * room + " {{ code }}", **arguments)
    assert size in told
    assert ("U+044F, forces UCS-2" in told) is (character == "я")


@pytest.mark.parametrize("channel, room", [("whatsapp", 1000 - 6), ("voice", 498 - 16)])
def test_size_of_others(channel, room):
    """A text for another channel has at most 1,000 characters, including everything that is spoken."""
    assert problem("я" * (room - 1) + " {{ code }}", channel) is None
    assert "characters, and 1000 are allowed" in problem("я" * room + " {{ code }}", channel)


@pytest.mark.parametrize(
    "source", ["ABC{{ code }}", "{{ code }}x", "é{{ code }}", "{{ code }}я", "{{ code }} {{ code }}b"]
)
def test_letters_that_touch(source):
    """T33: a phone fills in letters that touch the code, so they are a problem; a listener hears them apart."""
    assert "letters touch the code" in problem(source)
    assert problem(source, "voice") is None


@pytest.mark.parametrize("source", ["コードは{{ code }}です", "{{ code }}입니다", "[{{ code }}]", "{{ code }}."])
def test_letters_without_spaces_between(source):
    """Scripts that are written without spaces may touch the code, as may signs."""
    assert problem(source) is None


@pytest.mark.parametrize("channel", ["sms", "voice", "whatsapp"])
def test_text_with_details(channel):
    """A text with the details of a call has a problem if they could be taken for the code."""
    shown = as_shown("000000", channel)

    assert frame().text_problem(f"{shown} is your code for Acme. Payee: Bob", channel) is None
    assert frame().text_problem(f"{shown} is your code for Acme. Payee: 123456", channel)
