"""A request as the pages see it, and what answers it. An adapter turns a framework's objects into these and back."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import attrs


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that are texts, without lone surrogates: those of a browser have none."""
    return {name: value.encode("utf-8", "replace").decode() for name, value in fields.items() if isinstance(value, str)}


@attrs.frozen(kw_only=True)
class Request:
    """What the pages need to know of a request.

    Args:
        method: ``"GET"``, ``"POST"`` and so on.
        session: the framework's session. The pages use one entry of it, ``"smsmfa"``.
        root: the path under which the application is mounted, as the browser sees it: ``""``, ``"/shop"``. It is put
            before the ``login`` and the ``home`` of :class:`smsmfa.web.SecondStep`.
        prefix: the path under which our pages are mounted, as the browser sees it: ``"/mfa"``.
        page: which of our pages is asked for, without the prefix: ``"code"``; ``""`` for a page of the application.
        url: path and query as the browser sees them: ``"/account?tab=2"``.
        origin: scheme and host as the browser sees them: ``"https://example.com"``.
        form: the fields of a form that was posted.
        query: the fields of the query.
        referer: the header of this name.
        language: the user's language, as a tag or a whole ``Accept-Language`` header.
        wants_json: whether the client asks for JSON and not for a page: see :func:`wants_json`.
    """

    method: str
    session: MutableMapping[str, Any] = attrs.field(repr=False)
    root: str = ""
    prefix: str = "/mfa"
    page: str = ""
    url: str = "/"
    origin: str = ""
    form: Mapping[str, str] = attrs.field(factory=dict, converter=_texts, repr=False)
    query: Mapping[str, str] = attrs.field(factory=dict, converter=_texts, repr=False)
    referer: str = attrs.field(default="", repr=False)
    language: str | None = None
    wants_json: bool = False


@attrs.frozen(kw_only=True)
class Answer:
    """What every answer has.

    Args:
        status: the HTTP status.
        headers: the headers, without the type and the length of the body.
        renew: whether the session gets a new id. The session of the old id stays as it was before this request.
    """

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    renew: bool = False


@attrs.frozen(kw_only=True)
class Page(Answer):
    """A template to render with its context, which may hold recovery codes."""

    template: str
    context: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Redirect(Answer):
    """A redirect to a page of the same site."""

    location: str
    status: int = 303


@attrs.frozen(kw_only=True)
class Problem(Answer):
    """An error for a client that wants JSON (RFC 9457), of the type ``application/problem+json``."""

    body: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class File(Answer):
    """A style sheet or a script of the pages, or a body of JSON."""

    body: bytes = attrs.field(repr=False)
    content_type: str


def wants_json(accept: str) -> bool:
    """Tell whether an ``Accept`` header names JSON and no HTML."""
    accept = accept.lower()
    return ("application/json" in accept or "application/problem+json" in accept) and "text/html" not in accept
