"""The ids that texts need in India."""

import attrs
import pytest

from smsmfa.exceptions import ConfigurationError, SenderMisconfigured
from smsmfa.phone import PhoneNumber
from smsmfa.senders.india import India, checked_india
from smsmfa.testing import SenderConformance

MESSAGE = attrs.evolve(SenderConformance.message, to=PhoneNumber("+919876543210", "IN", "mobile"))
IDS = {"enrollment": "7", "verification": {"en": "8", "hi": "9"}, "payment": "10"}


@pytest.mark.parametrize(
    "purpose, language, expected",
    [
        ("enrollment", "en", "7"),
        ("enrollment", None, "7"),
        ("login", "en", "8"),
        ("login", "hi", "9"),
        ("payment", "hi", "10"),
    ],
)
def test_ids(purpose, language, expected):
    """An id is chosen by the purpose and the language of the text, and a purpose without one uses "verification"."""
    message = attrs.evolve(MESSAGE, purpose=purpose, language=language)

    assert ("1101", expected) == checked_india("1101", IDS).ids(message)


@pytest.mark.parametrize(
    "ids, purpose, language, words",
    [
        (IDS, "login", "ta", r"template_ids\['login'\]\['ta'\]: this text has no id for India"),
        (IDS, "login", None, r"template_ids\['login'\]: this text has no id"),
        ({"verification": "8"}, "enrollment", "en", r"template_ids\['enrollment'\]\['en'\]"),
        ({"enrollment": "8"}, "login", "en", r"template_ids\['login'\]\['en'\]"),
    ],
)
def test_no_id(ids, purpose, language, words):
    """A text without an id is not sent, since no carrier there would deliver it."""
    with pytest.raises(SenderMisconfigured, match=words):
        India("1101", ids).ids(attrs.evolve(MESSAGE, purpose=purpose, language=language))


def test_elsewhere():
    """A text to another country needs no ids."""
    assert India("1101", {"login": "7"}).ids(SenderConformance.message) is None
    assert checked_india(None, None) is None


@pytest.mark.parametrize(
    "entity_id, template_ids, words",
    [
        (None, IDS, "entity_id: the id of your company"),
        ("", IDS, "entity_id: "),
        ("11 01", IDS, "entity_id: "),
        (1101, IDS, "entity_id: "),
        ("1101", None, "template_ids: a mapping of purposes to ids"),
        ("1101", {}, "template_ids: "),
        ("1101", "7", "template_ids: "),
        ("1101", {1: "7"}, "template_ids: "),
        ("1101", {"login": 7}, "template_ids: "),
        ("1101", {"login": {}}, "template_ids: "),
        ("1101", {"login": {"e": "7"}}, "template_ids: "),
        ("1101", {"login": {"en": "x" * 65}}, "template_ids: "),
    ],
)
def test_wrong(entity_id, template_ids, words):
    """Ids that are missing or malformed are found when the sender is made."""
    with pytest.raises(ConfigurationError) as caught:
        checked_india(entity_id, template_ids)

    assert str(caught.value).startswith(words)
