"""A hidden value is hidden until ``reveal`` is called."""

import copy
import pickle

import pytest

from smsmfa.core.opaque import Opaque

VALUE = "what nobody may see"


def test_reveal():
    """Only ``reveal`` returns the value, unchanged."""
    value = object()

    assert value is Opaque(value).reveal()


@pytest.mark.parametrize("show", [repr, str, format, ascii, "{}".format, "{0!r:s}".format, "%s".__mod__])
def test_no_text_shows_value(show):
    """T12: no conversion to text shows the value."""
    assert "<hidden>" == show(Opaque(VALUE))


def test_containers_show_nothing():
    """T12: a container's ``repr`` does not show the value either."""
    hidden = Opaque(VALUE)

    assert "[<hidden>, (<hidden>,), {'key': <hidden>}]" == repr([hidden, (hidden,), {"key": hidden}])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle(protocol):
    """T12: a value cannot be pickled, alone or inside another object, and the error does not show it."""
    with pytest.raises(TypeError, match="cannot be pickled") as caught:
        pickle.dumps([Opaque(VALUE)], protocol)

    assert VALUE not in str(caught.value)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_no_copy(duplicate):
    """T12: a value cannot be copied."""
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        duplicate(Opaque(VALUE))


def test_no_dictionary():
    """T12: an instance has no ``__dict__``, which debuggers and error reporters would show."""
    assert not hasattr(Opaque(VALUE), "__dict__")
