"""What a table on MariaDB or MySQL has to be."""

import pytest

from smsmfa import ConfigurationError
from smsmfa.stores.mysql_table import check_table


def test_good():
    """A table with transactions whose keys are bytes is good; one that is not there is not known to be."""
    assert check_table("t", [("InnoDB", "varbinary")])
    assert not check_table("t", [])


@pytest.mark.parametrize("seen, said", [(("MyISAM", "varbinary"), "InnoDB"), (("InnoDB", "varchar"), "VARBINARY")])
def test_not_fit(seen, said):
    """One without transactions, or whose keys have a collation, is refused with what it has to be."""
    with pytest.raises(ConfigurationError, match=said):
        check_table("t", [seen])
