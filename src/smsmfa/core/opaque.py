"""A wrapper that keeps a secret value from being printed."""

from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")


class Opaque(Generic[T]):
    """Holds a secret value, so that no ``repr``, log line, traceback with locals or pickle shows it.

    Args:
        value: the secret value. :meth:`reveal` returns it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value. Use it at once, and do not bind it to a name."""
        return self._value

    def __repr__(self) -> str:
        return "<hidden>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a hidden value cannot be pickled or copied; reveal() it where it is used")
