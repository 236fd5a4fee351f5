"""The second step of a Django login: middleware, pages, decorators and mixins. It needs the extra ``django``.

Django imports this package before settings and models exist, so its parts are loaded at their first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .decorators import fresh_second_step, second_step_exempt, second_step_required
    from .middleware import SecondStepMiddleware
    from .mixins import FreshSecondStepMixin, SecondStepExemptMixin, SecondStepRequiredMixin

__all__ = [
    "FreshSecondStepMixin", "SecondStepExemptMixin", "SecondStepMiddleware", "SecondStepRequiredMixin",
    "fresh_second_step", "second_step_exempt", "second_step_required",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "middleware" if name.endswith("Middleware") else "mixins" if name.endswith("Mixin") else "decorators"
    return getattr(import_module(f"{__name__}.{module}"), name)
