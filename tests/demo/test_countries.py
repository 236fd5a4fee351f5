"""The demo's countries and their example numbers are valid."""

import pytest

from smsmfa import PhoneNumber
from smsmfa.demo.countries import COUNTRIES
from smsmfa.phone import SMS_TYPES


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.region)
def test_example(country):
    """The example is a number of the country that can receive SMS."""
    number = PhoneNumber.parse(country.example, country.region)

    assert country.region == number.region
    assert number.type in SMS_TYPES


def test_no_country_twice():
    """Every country is listed once."""
    assert len(COUNTRIES) == len({country.region for country in COUNTRIES})
