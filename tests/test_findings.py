"""What was found is a value that cannot be changed, of one of four levels."""

import attrs
import pytest

from smsmfa.findings import LEVELS, Finding


def test_frozen():
    """A finding cannot be changed, and equals another that says the same."""
    finding = Finding("account", "ok", "active")

    assert Finding("account", "ok", "active", "") == finding
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        finding.level = "error"


def test_levels():
    """There are four levels and no other."""
    assert ["ok", "not checked", "warning", "error"] == [Finding("x", level, "").level for level in LEVELS]
    with pytest.raises(ValueError, match="level"):
        Finding("x", "fine", "")
