"""Anything that an error or a log record reveals is found."""

import logging

import pytest

from smsmfa.testing.senders.leaks import logged, told_by


def raised(call):
    with pytest.raises(RuntimeError) as caught:
        call()
    return caught.value


def test_words():
    """The message, notes and attributes of an error are found."""
    error = RuntimeError("in the words")
    error.add_note("in a note")
    error.hidden = "in an attribute"

    assert all(part in told_by(error) for part in ("in the words", "in a note", "in an attribute"))


def test_arguments():
    """The arguments of an error are found even if its message leaves them out."""

    class Brief(Exception):
        def __str__(self):
            return "brief"

    assert "in an argument" in told_by(Brief("in an argument"))


def test_locals():
    """The local variables of the frames in its traceback are found."""

    def fail():
        hidden = "in a " + "local"
        raise RuntimeError(len(hidden))

    assert "in a local" in told_by(raised(fail))


@pytest.mark.parametrize("cause", [True, False])
def test_behind(cause):
    """The same is found for the error's cause and for its context."""

    def fail():
        try:
            hidden = "in a " + "local"
            raise KeyError(len(hidden), "behind")
        except KeyError as error:
            error.hidden = "in an " + "attribute"
            if cause:
                raise RuntimeError from error
            raise RuntimeError  # noqa: B904

    told = told_by(raised(fail))

    assert all(part in told for part in ("in a local", "in an attribute", "'behind'"))


def test_suppressed():
    """A context that ``from None`` hides is not reported."""

    def fail():
        try:
            raise KeyError("behind " + "it")
        except KeyError:
            raise RuntimeError from None

    assert "behind it" not in told_by(raised(fail))


def test_no_error():
    """A value that is not an error reveals nothing."""
    assert not told_by("a receipt")


def test_log():
    """Every record of every logger is collected with its extra data, and the level is restored."""
    level = logging.getLogger().level
    with logged() as lines:
        logging.getLogger("any.logger").debug("at %s", "debug", extra={"more": "for structured logs"})
        try:
            raise RuntimeError("in the log")
        except RuntimeError:
            logging.getLogger().exception("failed")
    logging.getLogger("any.logger").error("too late")

    assert 2 == len(lines)
    assert lines[0].startswith("at debug")
    assert "for structured logs" in lines[0]
    assert "RuntimeError: in the log" in lines[1]
    assert logging.getLogger().level == level
