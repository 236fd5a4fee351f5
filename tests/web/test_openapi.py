"""The OpenAPI document of the JSON face."""

import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from smsmfa.web.openapi import components, document, paths
from smsmfa.web.shapes import CALLS


@pytest.mark.parametrize("prefix", ["/mfa", ""])
def test_valid(prefix):
    """The document is OpenAPI 3.1, and plain JSON."""
    read = json.loads(json.dumps(document(prefix)))

    validate(read, cls=OpenAPIV31SpecValidator)
    assert [{"url": prefix or "/"}] == read["servers"]


def test_every_call():
    """Each call is in the document under its method, with a success and with what can go wrong."""
    described = document()["paths"]

    for call in CALLS:
        operation = described[f"/{call.path}"][call.method.lower()]
        assert call.name == operation["operationId"]
        assert {"200" if call.answer else "204", *map(str, call.all_errors())} == {*operation["responses"]}
        assert (call.body is not None) == ("requestBody" in operation)


def test_names_of_errors():
    """A status tells by which names its errors go, and a limit has the header that says when to try again."""
    answers = paths()["/verify"]["post"]["responses"]

    assert "Conflict: code_used, already_enrolled, enrollment_conflict, not_enrolled" == answers["409"]["description"]
    assert ["Retry-After"] == [*answers["429"]["headers"]]
    assert "headers" not in answers["409"]


def test_prefix():
    """An application's own document has the paths with their prefix."""
    assert {f"/mfa{path}" for path in paths()} == {*paths("/mfa")}


def test_references():
    """Every reference leads to a schema, and no schema has a name that an application would use itself."""
    schemas = components()["schemas"]
    text = json.dumps(document())
    referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert referred <= {*schemas}
    assert [] == [name for name in schemas if not name.startswith("Mfa")]


def test_descriptions():
    """Each success is described by a sentence."""
    answers = [operation["responses"] for methods in paths().values() for operation in methods.values()]
    described = {(one.get("200") or one["204"])["description"] for one in answers}

    assert "A code was sent now, or a little earlier." in described
    assert {"A list", "It is done"} <= described
