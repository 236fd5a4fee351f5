"""The templates, as Jinja2 renders them."""

import re

import pytest
from jinja2 import DictLoader, UndefinedError
from web.visitor import TEMPLATES, Reader, Site, Visitor

from smsmfa.web.jinja import default, environment, render

CONTEXT = {
    "_": str, "app_name": "Acme <&>", "language": "en", "direction": "ltr", "title": 'A "title"', "problem": "<b>",
    "css_url": "/a.css", "js_url": "/a.js", "token": "t", "nonce": "n", "go_on": '"><script>',
}  # fmt: skip


def test_render():
    """A page is rendered with the shipped templates, and every value is escaped."""
    html = render("smsmfa/expired.html", CONTEXT)

    assert html.startswith("<!doctype html>")
    assert "Acme &lt;&amp;&gt;" in html
    assert "<script>" not in html
    assert default() is default()


def test_csrf_field():
    """The framework's own field is put into a form as it is."""
    site = Site()
    answer = Visitor(site).log_in().answers[-1]
    html = render(answer.template, answer.context, '<input type="hidden" name="csrf" value="1">')

    assert "1" == Reader(html).forms[0].fields["csrf"]


def test_own():
    """A template of the application replaces the shipped one of the same name; the others stay."""
    own = DictLoader({"smsmfa/base.html": "<title>Ours</title>{% block content %}{% endblock %}"})
    html = render("smsmfa/expired.html", CONTEXT, using=environment(own))

    assert html.startswith("<title>Ours</title>")
    assert "Nothing was done." in html


def test_undefined():
    """A template that needs a variable that nobody sets fails in these tests."""
    with pytest.raises(UndefinedError):
        render("smsmfa/expired.html", {"_": str}, using=TEMPLATES)


@pytest.mark.parametrize("name", sorted(TEMPLATES.list_templates(extensions=["html"])))
def test_no_inline(name):
    """No template has a script, a style or a handler inline, so that a strict Content-Security-Policy works."""
    source = TEMPLATES.loader.get_source(TEMPLATES, name)[0]

    assert "<style" not in source
    assert " style=" not in source
    assert "<script>" not in source
    assert not re.search(r"\son[a-z]+=", source)


@pytest.mark.parametrize("name", sorted(TEMPLATES.list_templates(extensions=["html"])))
def test_shared_language(name):
    """The templates use only what Jinja2 and Django's engine share: no filter, no call but of ``_``, no test."""
    tree = TEMPLATES.parse(TEMPLATES.loader.get_source(TEMPLATES, name)[0])
    from jinja2 import nodes

    assert [] == list(
        tree.find_all((nodes.Filter, nodes.Test, nodes.Getitem, nodes.CondExpr, nodes.Assign, nodes.Macro))
    )
    assert {"_"} >= {call.node.name for call in tree.find_all(nodes.Call)}
    assert all(isinstance(call.args[0], nodes.Const) for call in tree.find_all(nodes.Call))
