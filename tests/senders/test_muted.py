"""A package is silent in the thread that asks for it, and nowhere else."""

import logging
import threading

import pytest

from smsmfa.senders.muted import muted


@pytest.fixture
def say(caplog):
    """Return a function that logs with loggers of these names, and returns which of them were heard."""
    caplog.set_level(logging.DEBUG)

    def say(*names):
        caplog.clear()
        for name in names:
            logging.getLogger(name).critical("code 314159")
        return [record.name for record in caplog.records]

    return say


NAMES = ["talkative", "talkative.http", "talkative.http.pool", "talkatives", "other"]


def test_muted(say):
    """The loggers of the package and those below it say nothing for as long as the block runs."""
    assert NAMES == say(*NAMES)
    with muted("talkative"):
        assert ["talkatives", "other"] == say(*NAMES)
    assert NAMES == say(*NAMES)


def test_several(say):
    """Several packages can be muted at once, one inside the other too."""
    say(*NAMES)
    with muted("talkatives", "other"), muted("talkative"):
        assert [] == say(*NAMES)
    with muted("other"):
        with muted("talkative"):
            pass
        assert [] == say("other")


def test_after_an_error(say):
    """An error ends the silence."""
    say(*NAMES)
    with pytest.raises(ZeroDivisionError), muted("other"):
        raise ZeroDivisionError

    assert ["other"] == say("other")


def test_other_threads(say):
    """Other threads are heard meanwhile."""
    heard = []
    say("talkative")
    with muted("talkative"):
        thread = threading.Thread(target=lambda: heard.extend(say("talkative")))
        thread.start()
        thread.join()

    assert ["talkative"] == heard


def test_placeholders(say):
    """A name that no logger has, but one below it, does no harm."""
    logging.getLogger("placeholder.below")

    with muted("placeholder"):
        assert [] == say("placeholder.below")
