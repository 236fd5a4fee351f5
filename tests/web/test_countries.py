"""The countries to choose from."""

import sys

import pytest

from smsmfa import ALL_REGIONS
from smsmfa.web.countries import Country, choices, preselected


@pytest.fixture(autouse=True)
def fresh():
    """No list of an earlier test is left."""
    choices.cache_clear()


def test_names():
    """Countries have their names in the visitor's language, and their order."""
    regions = frozenset({"US", "DE", "AT"})

    assert ["Austria (+43)", "Germany (+49)", "United States (+1)"] == [one.text for one in choices(regions, "en")]
    assert ["Deutschland (+49)", "Österreich (+43)", "Vereinigte Staaten (+1)"] == [
        one.text for one in choices(regions, "de-CH")
    ]


def test_example():
    """Each country has an example of a mobile number as people there write it."""
    assert (Country("US", "United States (+1)", "(201) 555-0123"),) == choices(frozenset({"US"}), "en")


def test_all():
    """Where every country is accepted, each is listed once, by its name, and accents do not change the order."""
    found = choices(ALL_REGIONS, "en")
    names = [one.text for one in found]

    assert len(found) > 200
    assert len(names) == len(set(names))
    assert names.index("San Marino (+378)") < names.index("São Tomé & Príncipe (+239)") < names.index("Serbia (+381)")
    assert all(one.text[:2] != one.region for one in found)


def test_no_example(monkeypatch):
    """A country without an example of a mobile number is listed without one."""
    monkeypatch.setattr("phonenumbers.example_number_for_type", lambda region, kind: None)

    assert [""] == [one.example for one in choices(frozenset({"US"}), "en")]


@pytest.mark.parametrize("language", ["tlh", "", "x" * 100, "de_", "..", "en-US-u-xx"])
def test_unknown_language(language):
    """In a language that CLDR does not know, countries are ISO codes or have a name all the same."""
    assert choices(frozenset({"DE"}), language)[0].text in {"DE (+49)", "Germany (+49)", "Deutschland (+49)"}


def test_without_babel(monkeypatch):
    """Without Babel countries are ISO codes."""
    monkeypatch.setitem(sys.modules, "babel", None)

    assert ["AT (+43)", "DE (+49)"] == [one.text for one in choices(frozenset({"DE", "AT"}), "en")]


@pytest.mark.parametrize(
    "regions, language, expected",
    [
        ({"DE"}, None, "DE"),
        ({"DE"}, "en-US", "DE"),
        ({"DE", "US"}, "en-US,en;q=0.9", "US"),
        ({"DE", "US"}, "de_de", "DE"),
        ({"TW", "US"}, "zh-Hant-TW;q=1", "TW"),
        ({"DE", "US"}, "en-GB", ""),
        ({"DE", "US"}, "en", ""),
        ({"DE", "US"}, "", ""),
        ({"DE", "US"}, None, ""),
        ({"DE", "US"}, ";,-_", ""),
    ],
)
def test_preselected(regions, language, expected):
    """The only country is chosen at first, or that of the browser's language if its numbers are accepted."""
    assert expected == preselected(frozenset(regions), language)
