"""The template language."""

import re

import pytest

from smsmfa.exceptions import ConfigurationError
from smsmfa.texts.templates import compiled, has_syntax


def test_text():
    """Constants are filled in once, and the other names in each message."""
    template = compiled("{{ code }} {{app_name}} {{ details.to }}{{ locale }}", {"app_name": "Acme", "minutes": "5"})

    assert frozenset({"details.to", "locale"}) == template.shows
    assert "012345 Acme Bobfr" == template.text({"code": "012345", "details.to": "Bob", "locale": "fr"})


def test_missing():
    """If a value is missing there is no text, and the reason shows no values."""
    template = compiled("{{ code }} {{ details.to }} {{ details.amount }}", {})
    values = {"code": "012345", "details.to": "Bob"}

    assert template.text(values) is None
    assert "shows details.amount, which this call does not give" == template.problem(values)
    assert "012345" == compiled("{{ code }}", {}).text(values)


@pytest.mark.parametrize(
    "source, hint",
    [
        ("{{ code }} {{ nope }}", "unknown name 'nope'"),
        ("{{ code }} {% if x %}", "for Liquid: smsmfa.texts.liquid.Liquid"),
        ("{{ code", "a brace too many"),
        ("hello", "does not show the code"),
    ],
)
def test_refused(source, hint):
    """A malformed template raises, and the error names the problem."""
    with pytest.raises(ConfigurationError, match=re.escape(hint)):
        compiled(source, {})


@pytest.mark.parametrize("text, expected", [("{{", True), ("}}", True), ("{%", True), ("%}", True), ("{x} %", False)])
def test_has_syntax(text, expected):
    """Double braces and tags are syntax."""
    assert expected is has_syntax(text)
