"""One decision on its way through the store."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

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
#: What a change returns: done, or an error that is raised later: a refusal, a fault, or run again with one more key.
Result: TypeAlias = O | Exception

#: Sentinel: no change has run yet.
_NOTHING: object = object()


class Transaction(msgspec.Struct, Generic[O], eq=False):
    """A decision, the keys that it may read and write, and what it returned."""

    _operation: Operation
    _decide: Callable[[Book], Any]
    #: Numbers whose records the decision will ask for. If it asks for more, it is run again.
    _phones: Iterable[Phone] = ()
    keys: list[str] = []
    #: The numbers that are covered, each with its store key.
    _numbers: dict[int, str] = {}
    _planned: tuple[bytes | None, User] | None = None
    _phone: Phone | None = None
    _outcome: object = _NOTHING

    def __post_init__(self) -> None:
        operation = self._operation
        self._phone = operation.phone
        self.keys = [operation.user_key]
        if operation.kind and operation.config.limits.total is not None:
            self.keys.append(total_key(operation.config.key_prefix))
        for phone in self._phones:
            self._cover(phone.number)

    def __repr__(self) -> str:
        return "<Transaction>"

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
            key = operation.user_key
            user = self._user(values.get(key))
            book = Book(operation.config, operation.now, key, user, self._numbers, values)
            outcome = self._decide(book)
            writes = book.writes()
            operation.phone = book.phone or self._phone
        except Exception as error:
            # Raised later: a traceback with locals must not show what is stored.
            outcome, writes = without_frames(error), {}
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
        if not isinstance(outcome, Missing):
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


def without_frames(error: Exception) -> Exception:
    """Return an error without its traceback, whose frames know what is stored. A note says where it was raised."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is not None and not isinstance(error, Missing):
        error.add_note(f"raised in {last.tb_frame.f_code.co_qualname}, line {last.tb_lineno}")
    return error.with_traceback(None)
