"""Keep records in a Django project's own database: ``INSTALLED_APPS += ["smsmfa.stores.django"]``, and migrate.

Django imports this package before settings and models exist, so the stores are loaded at their first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .store import AsyncDjangoStore, DjangoStore

__all__ = ["AsyncDjangoStore", "DjangoStore"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import store

    return getattr(store, name)
