"""Times, languages and translations."""

import ast
import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.web import words
from smsmfa.web.words import DOMAIN, Texts, catalogues, english


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (0, "in 0 seconds"),
        (1, "in 1 second"),
        (59, "in 59 seconds"),
        (60, "in about 1 minute"),
        (61, "in about 2 minutes"),
        (2400, "in about 40 minutes"),
        (5400, "in about 90 minutes"),
        (5401, "in about 2 hours"),
        (36000, "in about 10 hours"),
        (48 * 3600, "in about 48 hours"),
        (48 * 3600 + 1, "in about 3 days"),
        (3 * 86400, "in about 3 days"),
    ],
)
def test_wait(seconds, expected):
    """A time to wait is said in the unit that a person would use, rounded up."""
    assert expected == Texts().wait(seconds)


@given(st.integers(0, 10**9))
def test_wait_is_never_short(seconds):
    """The time that is said is never shorter than the time to wait, and its number stays small below three months."""
    number, unit = re.fullmatch(r"in (?:about )?(\d+) (second|minute|hour|day)s?", Texts().wait(seconds)).groups()
    said = int(number) * {"second": 1, "minute": 60, "hour": 3600, "day": 86400}[unit]

    assert seconds <= said
    assert said - seconds < {"second": 1, "minute": 60, "hour": 3660, "day": 90060}[unit]
    assert int(number) <= 90 or unit == "day"


@pytest.mark.parametrize(
    "language, expected", [("ar", "rtl"), ("he-IL", "rtl"), ("FA", "rtl"), ("en", "ltr"), ("arn", "ltr")]
)
def test_direction(language, expected):
    """Arabic, Hebrew and their like are written from right to left."""
    assert expected == Texts(language).direction


def test_english():
    """Without catalogues every language gets English."""
    texts = english("de-DE")

    assert ("en", "Continue", "in 1 second") == (texts.language, texts("Continue"), texts.wait(1))


def put(root, name, **messages):
    """Write a catalogue into the folder of a language."""
    catalogue = Catalog(locale="de")
    for message, text in messages.items():
        catalogue.add(message, text)
    catalogue.add(("in %(number)s second", "in %(number)s seconds"), ("jetzt", "bald: %(number)s"))
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    folder = root / name / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / f"{DOMAIN}.mo").write_bytes(compiled.getvalue())


@pytest.mark.parametrize(
    "language, expected",
    [
        ("de-CH,fr;q=0.8", ("de", "Weiter", "jetzt", "bald: 2")),
        ("pt-BR", ("pt-BR", "Continuar", "jetzt", "bald: 2")),
        ("zh-Hant", ("zh-Hant", "繼續", "jetzt", "bald: 2")),
        ("en-GB,de;q=0.8", ("en", "Continue", "in 1 second", "in 2 seconds")),
        ("fr", ("en", "Continue", "in 1 second", "in 2 seconds")),
        ("\x00;q=x", ("en", "Continue", "in 1 second", "in 2 seconds")),
        (None, ("en", "Continue", "in 1 second", "in 2 seconds")),
    ],
)
def test_catalogues(tmp_path, language, expected):
    """A visitor gets the catalogue that suits the header best, and English where none does."""
    put(tmp_path, "de", Continue="Weiter")
    put(tmp_path, "pt_BR", Continue="Continuar")
    put(tmp_path, "zh-Hant", Continue="繼續")
    texts = catalogues(tmp_path)(language)

    assert expected == (texts.language, texts("Continue"), texts.wait(1), texts.wait(2))


def test_own_english(tmp_path):
    """An English catalogue of one's own replaces the texts that ship; what it lacks stays."""
    put(tmp_path, "en", Continue="Go on")
    texts = catalogues(str(tmp_path))("en-GB")

    assert ("en", "Go on", "Cancel") == (texts.language, texts("Continue"), texts("Cancel"))


def test_no_catalogues(tmp_path):
    """A folder without catalogues gives English."""
    assert "en" == catalogues(tmp_path)("de").language


def marked():
    """Return the texts that the modules and the templates mark for translation, found without Babel's extraction."""
    root = Path(words.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"_", "ngettext"}:
                yield from (one.value for one in node.args if isinstance(one, ast.Constant))
    for path in root.rglob("*.html"):
        yield from re.findall(r"""\b_\("([^"]*)"\)""", path.read_text(encoding="utf-8"))


def test_catalogue():
    """The texts for translators are all that are marked, with plural forms where there is a number to count."""
    with (Path(words.__file__).parent / "locale" / f"{DOMAIN}.pot").open("rb") as file:
        ids = [message.id for message in read_po(file) if message.id]
    texts = {text for one in ids for text in (one if isinstance(one, tuple) else (one,))}

    assert set(marked()) == texts
    assert 6 == sum(isinstance(one, tuple) for one in ids)
    assert all(one[0].replace("%(number)s", "") != one[1].replace("%(number)s", "") for one in ids if len(one) == 2)
