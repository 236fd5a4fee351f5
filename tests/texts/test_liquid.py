"""The described system's Liquid templates work unchanged, and within limits."""

import re
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.exceptions import ConfigurationError
from smsmfa.texts import liquid
from smsmfa.texts.liquid import Liquid

CODE = "012345"
CONSTANTS = {"app_name": "Acme", "minutes": "5"}
#: As the described system's documentation has them: its two defaults, its branch by language, its two channels.
DEFAULT = "{{code}} is your verification code for {{tenant.friendly_name}}"
BRANCHES = """
{% if requestInfo.lang contains "fr" %}
  {{code}} est votre code de {{tenant.friendlyName}}
{% elsif locale == "es" %}
  {{ code }} es su código de {{ tenant.friendly_name }}
{% else %}
  {{code}} is your code for {{tenant.friendlyName}}
{% endif %}
"""
CHANNELS = """
{% if message_type == "voice" %}
  Hello, you requested a code to enroll in {{tenant.friendly_name}}. Your code is: {{pause}} {{code}}.
  I repeat: {{pause}} {{code}}.
{% else %}
  {{code}} is your verification code for {{tenant.friendly_name}}
{% endif %}
"""


@pytest.fixture(autouse=True)
def _forget():
    """Clear the cache, so that each test builds the environment."""
    liquid._environment.cache_clear()


def compiled(source, *, locale="en", voice=False):
    return Liquid(source).compiled(CONSTANTS, locale=locale, voice=voice)


def rendered(source, locale="", *, voice=False, **details):
    """Return the text of a template for a call."""
    values = {"code": CODE, "locale": locale} | {f"details.{key}": value for key, value in details.items()}
    return compiled(source, voice=voice).text(values)


def why(source, **details):
    """Return why a template gives no text, and fail if it gives one."""
    template = compiled(source)
    values = {"code": CODE, "locale": ""} | {f"details.{key}": value for key, value in details.items()}
    assert template.text(values) is None
    return template.problem(values)


def refused(source):
    """Return why a template is refused."""
    with pytest.raises(ConfigurationError) as caught:
        compiled(source)
    return str(caught.value)


@pytest.mark.parametrize(
    "source, locale, voice, expected",
    [
        (DEFAULT, "", False, "012345 is your verification code for Acme"),
        (BRANCHES, "", False, "012345 is your code for Acme"),
        (BRANCHES, "fr-CA", False, "012345 est votre code de Acme"),
        (BRANCHES, "es", False, "012345 es su código de Acme"),
        (CHANNELS, "", False, "012345 is your verification code for Acme"),
        (
            CHANNELS, "", True,
            "Hello, you requested a code to enroll in Acme. Your code is: ... 012345. I repeat: ... 012345.",
        ),
        ("{{code}} [{{pause}}]", "", False, "012345 []"),
        ("{{ code }} {{ app_name }} {{ minutes }} {{ locale }}", "fr", False, "012345 Acme 5 fr"),
        ("{% comment %}x{% endcomment %}{{ code }}", "", False, "012345"),
        ("{% assign x = app_name | upcase %}{{ code }} {{ x }}", "", False, "012345 ACME"),
        ("{% for i in (1..2) %}{{ code }}. {% endfor %}", "", False, "012345. 012345."),
        ("{% case locale %}{% when 'fr' %}a{% else %}b{% endcase %}{{ code }}", "fr", False, "a012345"),
        ("{% unless nothing %}{{ code }}{% endunless %} {{ nothing | default: 'x' }}", "", False, "012345 x"),
        ("{{ code }}\t\r\n {{ app_name }}\xa0!", "", False, "012345 Acme\xa0!"),
    ],
)  # fmt: skip
def test_text(source, locale, voice, expected):
    """A template gives the same text as in the described system, on one line."""
    assert expected == rendered(source, locale, voice=voice)


def test_default_locale():
    """Without a locale the default language is used."""
    assert "012345 de de" == compiled("{{ code }} {{ locale }} {{ requestInfo.lang }}", locale="de").text(
        {"code": CODE, "locale": ""}
    )


def test_shows():
    """``shows`` names everything that a template may show, always including the locale."""
    assert frozenset({"locale"}) == compiled(DEFAULT).shows
    assert (
        frozenset({"locale", "details.to", "details.amount", "details"})
        == compiled("{{ code }} {{ details.to }}{% if details.amount %}{{ details }}{% endif %}").shows
    )


@given(
    st.lists(st.sampled_from(["{{ code }}", "{{", "}}", "{%", "%}", "{% if %}", " ", "x", "\\1"]), max_size=9).map(
        "".join
    )
)
def test_values_are_not_templates(value):
    """T16: a value is shown unchanged except for white space, even if it looks like a template."""
    assert f"012345 to [{re.sub(' +', ' ', value)}]" == rendered("{{ code }} to [{{ details.payee }}]", payee=value)


@pytest.mark.parametrize(
    "source, hint",
    [
        ("{{ code", "Liquid: expected '}}', found end of file"),
        ("{% if %}{% endif %}", "Liquid: missing expression"),
        ("{% include 'x' %}", "Liquid: unexpected tag 'include'"),
        ("{% render 'x' %}", "Liquid: unexpected tag 'render'"),
        ("{% tablerow i in (1..2) %}{% endtablerow %}", "Liquid: unexpected tag 'tablerow'"),
        ("{% increment x %}", "Liquid: unexpected tag 'increment'"),
        ("x" * 2001, "Liquid takes a str of at most 2000 characters"),
        (b"x", "Liquid takes a str of at most 2000 characters"),
        ("{{ (1..101) | join }}", "a range has at most 100 numbers"),
        ("{% if code %}{% for i in (1..1000000000) %}{% endfor %}{% endif %}", "a range has at most 100 numbers"),
        ("{{ (1..code) | join }}", "the ends of a range must be whole numbers"),
        ("{{ (code..1) | join }}", "the ends of a range must be whole numbers"),
        ("{% assign x = (1..details.n) %}{{ x }}", "the ends of a range must be whole numbers"),
    ],
)
def test_refused(source, hint):
    """T16: a template with wrong syntax, an include or a broken limit is refused at once."""
    assert hint in refused(source)


@pytest.mark.parametrize(
    "source, hint",
    [
        ("{{ nothing }}", "'nothing' is undefined"),
        ("{{ tenant.secret }}", "secret"),
        ("{{ code.__class__ }}", "__class__"),
        ("{{ tenant }}", "TypeError"),
        ("{{ details }}", "TypeError"),
        ("{{ code | nothing }}", "unknown filter 'nothing'"),
        ("{{ 'now' | date: '%Y' }}", "unknown filter 'date'"),
        ("{{ 'a' " + "| replace: 'a', 'aaaaaaaaaa' " * 9 + "}}", "OverflowError"),
        ("{{ '" + "a," * 900 + "' | split: ',' | concat: x }}", ""),
        ("{% for i in (1..90) %}{% for j in (1..90) %}x{% endfor %}{% endfor %}", "LoopIterationLimitError"),
        ("{% for i in (1..90) %}" + "x" * 100 + "{% endfor %}", "OutputStreamLimitError"),
        ("{% assign x = '" + "a" * 1200 + "' %}{% assign y = x %}{{ y }}", "LocalNamespaceLimitError"),
    ],
)
def test_no_text(source, hint):
    """T16: undefined names, attributes, groups of values, the clock and output that grows too large give no text."""
    assert why(source).startswith("cannot be rendered: ")
    assert hint in why(source)


def test_list_is_bounded():
    """A list made by a filter is at most as long as a text."""
    assert "OverflowError" in why(
        "{% assign y = 'a,b' | split: ',' %}{{ details.x | split: '' | concat: y | join }}", x="a" * 1999
    )


def test_no_value_is_told():
    """T12: the reason for a missing text shows neither details nor the code, and leaves no traceback."""
    template = compiled("{{ code | slice: details.secret }}")
    values = {"code": CODE, "locale": "", "details.secret": "hush"}

    assert template.text(values) is None
    assert "hush" not in template.problem(values)
    assert sys.exc_info() == (None, None, None)
    assert CODE not in traceback.format_exc()


def test_depends_on_code():
    """If a template fails only for some codes, the reason says so without showing a code."""
    template = compiled("{% if code == '012345' %}{{ nothing }}{% endif %}{{ code }}")

    assert template.text({"code": CODE, "locale": ""}) is None
    assert "cannot be rendered with every code" == template.problem({"code": "000000", "locale": ""})


def test_not_installed(monkeypatch):
    """Without python-liquid a template raises and says what to install, and importing the module works."""
    monkeypatch.setitem(sys.modules, "liquid", None)

    assert "Liquid needs python-liquid: pip install 'smsmfa[liquid]'" == refused(DEFAULT)
