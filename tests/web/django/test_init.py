"""What the package offers."""

import pytest

import smsmfa.web.django as package


def test_names():
    """Every public name can be imported."""
    assert package.__all__ == [getattr(package, name).__name__ for name in package.__all__]


def test_unknown_name():
    """An unknown name is an AttributeError, although names load lazily."""
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018
