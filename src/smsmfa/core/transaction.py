"""One decision on its way through the store."""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeAlias, TypeVar

from ..exceptions import StoreError
from ..typing import Entry
from .book import Book, Missing
from .operation import Operation
from .outcomes import Outcome, Refusal
from .records import Phone, User, decode, number_key, total_key

O = TypeVar("O", bound=Outcome)  # noqa: E741
Decide: TypeAlias = Callable[[Book], O | Refusal]
#: Finds the numbers of a user that a decision will ask for.
Locate: TypeAlias = Callable[[User], Iterable[Phone]]
#: What a change returns: done, refused, or run again with one more key.
Result: TypeAlias = O | Refusal | Missing

#: Sentinel: no change has run yet.
_NOTHING: object = object()


class Transaction(Generic[O]):
    """A decision, the keys that it may read and write, and what it returned.

    Args:
        operation: what the decision is about.
        decide: the decision.
        phones: numbers whose records it will ask for. If it asks for more, it is run again.
    """

    __slots__ = ("_decide", "_numbers", "_operation", "_outcome", "_planned", "keys")

    def __init__(self, operation: Operation, decide: Decide[O], phones: Iterable[Phone] = ()) -> None:
        self._operation, self._decide, self._outcome = operation, decide, _NOTHING
        self._planned: tuple[bytes | None, User] | None = None
        #: The numbers that are covered, each with its store key.
        self._numbers: dict[int, str] = {}
        self.keys = [operation.user_key]
        if operation.kind and operation.config.limits.total is not None:
            self.keys.append(total_key(operation.config.key_prefix))
        for phone in phones:
            self._cover(phone.number)

    def plan(self, locate: Locate, value: bytes | None) -> None:
        """Cover the numbers that the user's record names. It may change before the decision sees it."""
        try:
            user = decode(User, value)
        except StoreError:
            return  # the change will meet it too
        for phone in locate(user):
            self._cover(phone.number)
        self._planned = value, user

    def change(self, values: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], Result[O]]:
        """Run the decision on stored values, as a :data:`~smsmfa.typing.Change`."""
        operation = self._operation
        outcome: Result[O]
        writes: Mapping[str, Entry | None]
        try:
            book = Book(operation, self._numbers, values, self._user(values.get(operation.user_key)))
            outcome = self._decide(book)
            writes = book.writes()
            operation.phone = book.phone or operation.phone
        except (Missing, StoreError) as error:
            # Raised later: a traceback with locals must not show what is stored.
            outcome, writes = error.with_traceback(None), {}
        self._outcome = outcome
        return writes, outcome

    def result(self, outcome: Result[O]) -> O | None:
        """Return the outcome of an update, or ``None`` if it must run again with one more key.

        Raises:
            SmsMfaError: the decision refused.
            StoreError: the store returned something other than the outcome of the last change, or ran none.
        """
        expected, self._outcome = self._outcome, _NOTHING
        if outcome is not expected:
            raise StoreError("the store did not return the outcome of its last change; see smsmfa.typing.Store")
        if isinstance(outcome, Outcome):
            return outcome
        if isinstance(outcome, Refusal):
            raise outcome
        self._cover(outcome.number)
        return None

    def _cover(self, number: int) -> None:
        if number not in self._numbers:
            self._numbers[number] = key = number_key(number, self._operation.config.key_prefix)
            self.keys.append(key)

    def _user(self, value: bytes | None) -> User:
        """Return the decoded record. The planned one serves if nothing changed, but once: decisions change it."""
        planned, self._planned = self._planned, None
        return planned[1] if planned is not None and planned[0] == value else decode(User, value)
