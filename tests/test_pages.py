"""Facts on pages of the documentation that no example shows."""

import re
from datetime import timedelta
from unicodedata import normalize

import pytest
from support import a_config
from test_docs import rows

from smsmfa import profiles
from smsmfa.texts.content import value_problem

DAY = timedelta(days=1)
RISKS = [row for row in rows("reference/configuration.md", below="## Profiles") if row[3]]


@pytest.mark.parametrize("name, sets, source, risks", RISKS, ids=[row[0] for row in RISKS])
def test_risks_of_profiles(name, sets, source, risks):
    """The configuration page tells the risk of each profile per day and per year."""
    config = a_config(**getattr(profiles, name.strip("`"), {}))
    computed = ", ".join(f"{config.guess_risk(period):.1e}".replace("e-0", "e-") for period in (DAY, 365 * DAY))

    assert computed == risks


@pytest.mark.parametrize("refused, passes", rows("how-to/texts.md", below="Values are read"))
def test_values_of_details(refused, passes):
    """The page about texts tells which values are refused and which pass."""
    problems = [value_problem(normalize("NFKC", value), 6) for value in re.findall("`([^`]+)`", refused)]

    assert all(problems)
    assert not any(value_problem(normalize("NFKC", value), 6) for value in re.findall("`([^`]+)`", passes))
