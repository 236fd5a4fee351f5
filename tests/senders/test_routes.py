"""Routes say which carriers are tried for a country, in which order, and on which channel."""

import attrs
import pytest

from smsmfa.exceptions import ConfigurationError
from smsmfa.senders.routes import Step, called, checked_steps
from smsmfa.testing import RecordingSender, SenderConformance
from smsmfa.typing import SMS, VOICE, WHATSAPP

ONE, TWO = RecordingSender(), RecordingSender()
MESSAGE = attrs.evolve(SenderConformance.message, code="123456", text="123456 is your code for Acme")


@pytest.mark.parametrize(
    "senders, routes, expected",
    [
        ([ONE, TWO], None, {"*": [Step(ONE), Step(TWO)]}),
        ((ONE,), None, {"*": [Step(ONE)]}),
        ({"US": ONE, "001": [TWO, ONE]}, None, {"US": [Step(ONE)], "001": [Step(TWO), Step(ONE)]}),
        (
            None,
            {"FR": [(VOICE, ONE), (SMS, ONE)], "*": ((WHATSAPP, TWO),)},
            {"FR": [Step(ONE, VOICE), Step(ONE, SMS)], "*": [Step(TWO, WHATSAPP)]},
        ),
    ],
)
def test_steps(senders, routes, expected):
    """A list serves every country. A mapping has a sender, a list of senders, or a list of steps for each."""
    assert expected == checked_steps(senders, routes)


@pytest.mark.parametrize(
    "senders, routes, words",
    [
        (None, None, "senders: give a list of senders or a mapping, or else give routes"),
        ([ONE], {"*": [(SMS, ONE)]}, "senders: give a list"),
        ([], None, "senders: give a list of senders"),
        ("ab", None, "senders: give a list of senders"),
        ({"US": []}, None, "senders: give a list of senders"),
        ({}, None, "senders: give at least one route"),
        ({"USA": ONE}, None, "senders: 'USA' is neither an ISO country code"),
        ([ONE, TWO, ONE], None, "senders: the same sender is twice"),
        (None, {}, "routes: give at least one route"),
        (None, [(SMS, ONE)], "routes: give at least one route"),
        (None, {"us": [(SMS, ONE)]}, "routes: 'us' is neither an ISO country code"),
        (None, {"US": []}, "routes: give each country a list of pairs"),
        (None, {"US": ONE}, "routes: give each country a list of pairs"),
        (None, {"US": (SMS, ONE)}, "routes: give each country a list of pairs"),
        (None, {"US": [ONE]}, "routes: give each country a list of pairs"),
        (None, {"US": [(SMS, ONE, TWO)]}, "routes: give each country a list of pairs"),
        (None, {"US": [("pigeon", ONE)]}, "routes: give each country a list of pairs"),
        (None, {"US": [(SMS, ONE), (VOICE, ONE), (SMS, ONE)]}, "routes: the same step is twice"),
    ],
)
def test_wrong(senders, routes, words):
    """A wrong argument is refused, and the error says how to fix it."""
    with pytest.raises(ConfigurationError) as caught:
        checked_steps(senders, routes)

    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("asked", [SMS, VOICE, WHATSAPP])
@pytest.mark.parametrize("channel", [None, SMS, VOICE, WHATSAPP])
def test_message(channel, asked):
    """A step serves its own channel, and calls for an SMS. A step without a channel serves all."""
    message = attrs.evolve(MESSAGE, channel=asked)
    sent = Step(ONE, channel).message(message)

    if channel in {None, asked}:
        assert message is sent
    elif (asked, channel) == (SMS, VOICE):
        assert called(message) == sent
    else:
        assert None is sent


@pytest.mark.parametrize(
    "text, expected",
    [
        ("123456 is your code", "1, 2, 3, 4, 5, 6 is your code. 1, 2, 3, 4, 5, 6 is your code."),
        ("Your code: 123456.", "Your code: 1, 2, 3, 4, 5, 6. Your code: 1, 2, 3, 4, 5, 6."),
        ("Your code: 123456.\n@acme.example #123456", "Your code: 1, 2, 3, 4, 5, 6. Your code: 1, 2, 3, 4, 5, 6."),
        ("Code 123456!\n@acme.example #123456 FA+9qCX9VSu", "Code 1, 2, 3, 4, 5, 6! Code 1, 2, 3, 4, 5, 6!"),
        ("Code 123456!\nFA+9qCX9VSu", "Code 1, 2, 3, 4, 5, 6! Code 1, 2, 3, 4, 5, 6!"),
        ("123456\nis your code", "1, 2, 3, 4, 5, 6\nis your code. 1, 2, 3, 4, 5, 6\nis your code."),
        ("123456, I say 123456!", "1, 2, 3, 4, 5, 6, I say 1, 2, 3, 4, 5, 6!"),
    ],
)
def test_called(text, expected):
    """A call says the text without the line for machines, the digits apart, and the code twice."""
    message = attrs.evolve(MESSAGE, text=text, locale="fr", language="en")

    assert attrs.evolve(message, text=expected, channel=VOICE) == called(message)
