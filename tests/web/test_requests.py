"""What a request and an answer hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsmfa.web import Page, Redirect, Request, wants_json


@pytest.mark.parametrize(
    "accept, expected",
    [
        ("application/json", True),
        ("application/problem+json, */*", True),
        ("Application/JSON;q=0.9", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/html, application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_wants_json(accept, expected):
    """A client wants JSON if it names JSON and no HTML."""
    assert expected is wants_json(accept)


@given(st.dictionaries(st.text(), st.text()))
def test_texts(fields):
    """The fields of a form and of a query can always be encoded, and are as they were sent if they could be before."""
    request = Request(method="POST", session={}, form=fields, query=fields)

    assert request.form == request.query
    for name, value in fields.items():
        assert value.encode("utf-8", "replace") == request.form[name].encode()


def test_surrogates():
    """A lone surrogate becomes a question mark."""
    assert {"code": "1?2"} == Request(method="POST", session={}, form={"code": "1\ud8002"}).form


def test_no_texts():
    """Fields that are no texts, such as uploaded files, are not there."""
    assert {"b": "1"} == Request(method="POST", session={}, form={"a": b"file", "b": "1", "c": None}).form


def test_repr():
    """Neither a request nor a page shows what a person typed, the session or a recovery code."""
    request = Request(method="POST", session={"a": "secret"}, form={"code": "secret"}, query={"b": "secret"})
    page = Page(template="smsmfa/code.html", context={"codes": ["secret"]})

    assert "secret" not in repr(request) + repr(page)


def test_redirect():
    """A redirect makes the browser ask with GET, and keeps the session's id unless told otherwise."""
    answer = Redirect(location="/")

    assert (303, {}, False) == (answer.status, answer.headers, answer.renew)
