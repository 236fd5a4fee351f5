"""What an error or a log shows is found, wherever it stands."""

import logging

import pytest

from smsmfa.testing.senders.leaks import logged, told_by


def raised(call):
    with pytest.raises(RuntimeError) as caught:
        call()
    return caught.value


def test_words():
    """The words of an error are found, its notes and its attributes."""
    error = RuntimeError("in the words")
    error.add_note("in a note")
    error.hidden = "in an attribute"

    assert all(part in told_by(error) for part in ("in the words", "in a note", "in an attribute"))


def test_arguments():
    """What an error was made with is found, where its words leave it out."""

    class Brief(Exception):
        def __str__(self):
            return "brief"

    assert "in an argument" in told_by(Brief("in an argument"))


def test_locals():
    """So is what the frames of its traceback have in their locals."""

    def fail():
        hidden = "in a " + "local"
        raise RuntimeError(len(hidden))

    assert "in a local" in told_by(raised(fail))


@pytest.mark.parametrize("cause", [True, False])
def test_behind(cause):
    """So is the same of the error behind it, be it the cause or what was being handled."""

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
    """What ``from None`` keeps back from those who read the error is not there."""

    def fail():
        try:
            raise KeyError("behind " + "it")
        except KeyError:
            raise RuntimeError from None

    assert "behind it" not in told_by(raised(fail))


def test_no_error():
    """What is no error says nothing."""
    assert not told_by("a receipt")


def test_log():
    """Every line of every logger is collected with what goes beside it, and the level is restored."""
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
