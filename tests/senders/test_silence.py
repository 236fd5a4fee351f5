"""A package is silent in the thread that asks for it, and nowhere else."""

import logging
import threading

import pytest

from smsmfa.senders.silence import silenced


@pytest.fixture
def say(caplog):
    """Return a function that logs with loggers of these names, and returns the names that were heard."""
    caplog.set_level(logging.DEBUG)

    def say(*names):
        caplog.clear()
        for name in names:
            logging.getLogger(name).critical("code 314159")
        return [record.name for record in caplog.records]

    return say


NAMES = ["talkative", "talkative.http", "talkative.http.pool", "talkatives", "other"]


def test_silenced(say):
    """The package's loggers, and the loggers below them, are silent while the block runs."""
    assert NAMES == say(*NAMES)
    with silenced("talkative"):
        assert ["talkatives", "other"] == say(*NAMES)
    assert NAMES == say(*NAMES)


def test_several(say):
    """Several packages can be silenced together, and blocks can be nested."""
    say(*NAMES)
    with silenced("talkatives", "other"), silenced("talkative"):
        assert [] == say(*NAMES)
    with silenced("other"):
        with silenced("talkative"):
            pass
        assert [] == say("other")


def test_after_an_error(say):
    """An error ends the silence."""
    say(*NAMES)
    with pytest.raises(ZeroDivisionError), silenced("other"):
        raise ZeroDivisionError

    assert ["other"] == say("other")


def test_other_threads(say):
    """Other threads are heard meanwhile."""
    heard = []
    say("talkative")
    with silenced("talkative"):
        thread = threading.Thread(target=lambda: heard.extend(say("talkative")))
        thread.start()
        thread.join()

    assert ["talkative"] == heard


def test_placeholders(say):
    """A name without a logger, but with loggers below it, does no harm."""
    logging.getLogger("placeholder.below")

    with silenced("placeholder"):
        assert [] == say("placeholder.below")
