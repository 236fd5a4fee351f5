"""What pages of the documentation promise beside their own examples."""

from datetime import timedelta

import pytest
from support import a_config
from test_docs import rows

from smsmfa import profiles

DAY = timedelta(days=1)
RISKS = [row for row in rows("reference/configuration.md", below="## Profiles") if row[3]]


@pytest.mark.parametrize("name, sets, source, risks", RISKS, ids=[row[0] for row in RISKS])
def test_risks_of_profiles(name, sets, source, risks):
    """The configuration page tells the risk of each profile per day and per year."""
    config = a_config(**getattr(profiles, name.strip("`"), {}))
    computed = ", ".join(f"{config.guess_risk(period):.1e}".replace("e-0", "e-") for period in (DAY, 365 * DAY))

    assert computed == risks
