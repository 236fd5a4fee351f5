"""The second step of a login as pages. :mod:`smsmfa.web.flask` and its siblings mount it in a framework."""

from .explain import explain
from .requests import Answer, File, Page, Problem, Redirect, Request, wants_json
from .step import AsyncSecondStep, SecondStep

__all__ = [
    "Answer", "AsyncSecondStep", "File", "Page", "Problem", "Redirect", "Request", "SecondStep", "explain",
    "wants_json",
]  # fmt: skip
