"""The described system's Liquid templates: taken unchanged, and bounded."""

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
    """Let each test build the environment, and not find what an earlier one left in a cache."""
    liquid._environment.cache_clear()


def compiled(source, *, locale="en", voice=False):
    return Liquid(source).compiled(CONSTANTS, locale=locale, voice=voice)


def rendered(source, locale="", *, voice=False, **details):
    """Return the text of a template for a call."""
    values = {"code": CODE, "locale": locale} | {f"details.{key}": value for key, value in details.items()}
    return compiled(source, voice=voice).text(values)


def why(source, **details):
    """Return why a template has no text, which it has to have none of."""
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
    """A template of the described system becomes what it becomes there, on one line."""
    assert expected == rendered(source, locale, voice=voice)


def test_default_locale():
    """A call without a locale gets the default language."""
    assert "012345 de de" == compiled("{{ code }} {{ locale }} {{ requestInfo.lang }}", locale="de").text(
        {"code": CODE, "locale": ""}
    )


def test_shows():
    """What a template may show of a call is known; the locale always may decide its text."""
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
    """T16: what a value says is shown as it is, whatever it looks like, but for white space."""
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
    """T16: what is no Liquid, includes another template, or is beyond a limit, is refused at once."""
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
    """T16: what is not defined, an attribute, a group of values, the clock, and what grows too large, make no text."""
    assert why(source).startswith("cannot be rendered: ")
    assert hint in why(source)


def test_list_is_bounded():
    """A list that a filter makes is no longer than a text."""
    assert "OverflowError" in why(
        "{% assign y = 'a,b' | split: ',' %}{{ details.x | split: '' | concat: y | join }}", x="a" * 1999
    )


def test_no_value_is_told():
    """T12: why there is no text shows no value, of a detail or a code, not even to who reads the traceback."""
    template = compiled("{{ code | slice: details.secret }}")
    values = {"code": CODE, "locale": "", "details.secret": "hush"}

    assert template.text(values) is None
    assert "hush" not in template.problem(values)
    assert sys.exc_info() == (None, None, None)
    assert CODE not in traceback.format_exc()


def test_depends_on_code():
    """A template that fails for some codes only says so, without the code."""
    template = compiled("{% if code == '012345' %}{{ nothing }}{% endif %}{{ code }}")

    assert template.text({"code": CODE, "locale": ""}) is None
    assert "cannot be rendered with every code" == template.problem({"code": "000000", "locale": ""})


def test_not_installed(monkeypatch):
    """Without python-liquid a template raises, and says what to install; an import of this module needs none."""
    monkeypatch.setitem(sys.modules, "liquid", None)

    assert "Liquid needs python-liquid: pip install 'smsmfa[liquid]'" == refused(DEFAULT)
