"""The subject of one call."""

from support import START, a_config

from smsmfa.core.operation import Operation
from smsmfa.core.records import user_key


def test_user_key():
    """An operation knows the store key of its user's record."""
    assert user_key("alice") == Operation("verify", a_config(), "alice", START // 1000).user_key


def test_before_anything_happens():
    """A new operation has no number, no message and no uncertain delivery."""
    new = Operation("verify", a_config(), "alice", START // 1000)

    assert (None, None, None, False) == (new.phone, new.message, new.message_id, new.uncertain)


def test_repr():
    """T12: the repr of an operation shows nothing."""
    assert "alice" not in repr(Operation("verify", a_config(), "alice", START // 1000))
