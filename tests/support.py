"""What the tests share: a clock that stands still, a sender that keeps what it was given, a ready factor."""

import traceback
from pathlib import Path

import pytest

from smsmfa import (
    AsyncEnroller,
    AsyncVerifier,
    CodeRejected,
    Enroller,
    FactorConfig,
    MemoryStore,
    RateLimited,
    Verifier,
)
from smsmfa.core.operation import Operation
from smsmfa.core.records import Phone, User, decode, encode, user_key
from smsmfa.core.transaction import Transaction
from smsmfa.testing import FakeClock as Clock
from smsmfa.testing import RecordingSender
from smsmfa.typing import Message, Receipt

SECRET = "a secret of the tests, long enough to be one"
NUMBER = "+14155552671"
OTHER_NUMBER = "+14155552672"
THIRD_NUMBER = "+14155552673"
START = Clock().now


class Outbox(RecordingSender):
    """A sender that keeps every message; ``outcomes`` are raised, one a message, before it takes any."""

    def __init__(self, *outcomes: BaseException) -> None:
        super().__init__()
        self.calls = 0
        self.outcomes = list(outcomes)

    def send(self, message: Message) -> Receipt:
        self.calls += 1
        if self.outcomes:
            raise self.outcomes.pop(0)
        return super().send(message)

    @property
    def code(self) -> str:
        """The code of the last message."""
        return self.last_code


class AsyncOutbox(Outbox):
    """:class:`Outbox` for asyncio."""

    async def send(self, message: Message) -> Receipt:  # type: ignore[override]
        return super().send(message)


def a_config(**arguments: object) -> FactorConfig:
    """Return a configuration with the defaults, for what the arguments leave open."""
    return FactorConfig(**{"app_name": "Acme", "secret": SECRET, "regions": {"US"}, **arguments})  # type: ignore[arg-type]


def wrong(code: str) -> str:
    """Return another code of the same length."""
    return f"{(int(code) + 1) % 10 ** len(code):0{len(code)}d}"


class Factor:
    """An enroller and a verifier over one store, one outbox, one clock and one list of events."""

    def __init__(self, config: FactorConfig | None = None, *, store: object = None, clock: Clock | None = None) -> None:
        self.config = config or a_config()
        self.store = MemoryStore() if store is None else store
        self.clock = clock or Clock()
        self.outbox = Outbox()
        self.events: list[object] = []
        shared = (self.config, self.store, self.outbox)
        self.enroller = Enroller(*shared, on_event=self.events.append, clock=self.clock)  # type: ignore[arg-type]
        self.verifier = Verifier(*shared, on_event=self.events.append, clock=self.clock)  # type: ignore[arg-type]

    def enrol(self, user_id: object = "alice", number: str = NUMBER, **arguments: object):
        """Enrol a number, and return the Enrollment."""
        pending = self.enroller.start(user_id, number, **arguments)  # type: ignore[arg-type]
        return self.enroller.confirm(user_id, pending.id, self.outbox.code)

    def log_in(self, user_id: object = "alice", **arguments: object):
        """Challenge a user and answer right; return the Verification."""
        challenge = self.verifier.challenge(user_id, **arguments)  # type: ignore[arg-type]
        arguments.pop("phone_id", None)
        return self.verifier.verify(user_id, challenge.id, self.outbox.code, **arguments)  # type: ignore[arg-type]


class Coroutines:
    """A store or a sender of plain methods, as one of coroutines."""

    def __init__(self, plain: object) -> None:
        self._plain = plain

    async def read(self, key):
        return self._plain.read(key)

    async def update(self, keys, change):
        return self._plain.update(keys, change)

    async def send(self, message):
        return self._plain.send(message)


class Awaited:
    """An async twin, called like its sibling: over :class:`Coroutines` each call ends without waiting."""

    def __init__(self, twin: object) -> None:
        self._twin = twin

    def __getattr__(self, name: str):
        method = getattr(self._twin, name)

        def call(*arguments, **named):
            try:
                method(*arguments, **named).send(None)
            except StopIteration as done:
                return done.value
            raise AssertionError(f"{name} waited for something")

        return call


class AsyncFactor(Factor):
    """:class:`Factor` through the async twins."""

    def __init__(self, config: FactorConfig | None = None, *, store: object = None, clock: Clock | None = None) -> None:
        super().__init__(config, store=store, clock=clock)
        shared = (self.config, Coroutines(self.store), Coroutines(self.outbox))
        self.enroller = Awaited(AsyncEnroller(*shared, on_event=self.events.append, clock=self.clock))
        self.verifier = Awaited(AsyncVerifier(*shared, on_event=self.events.append, clock=self.clock))


def shown(error: BaseException) -> str:
    """Return what an error and those behind it show with every frame's locals, but for the tests' own frames."""
    tests = str(Path(__file__).parent)
    parts, waiting = [], [error]
    while waiting:
        one = waiting.pop()
        frames = traceback.TracebackException.from_exception(one, capture_locals=True).stack
        parts += [repr(one), str(one), str(vars(one))]
        parts += [f"{frame.name} {frame.locals}" for frame in frames if not frame.filename.startswith(tests)]
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "\n".join(parts)


class Records:
    """Stored values, and decisions that are run on them without a store."""

    def __init__(self, config: FactorConfig | None = None) -> None:
        self.config = config or a_config()
        self.now = START // 1000
        self.values: dict[str, bytes] = {}
        #: The number that the last decision was about.
        self.about: Phone | None = None

    def run(self, decide, *, user_id: str = "alice"):
        """Run a decision that may be about any number of the tests, store what it writes, return what came of it."""
        operation = Operation("challenge", self.config, user_id, self.now, "verification")
        phones = [Phone("", int(number[1:]), "", "") for number in (NUMBER, OTHER_NUMBER, THIRD_NUMBER)]
        writes, outcome = Transaction(operation, decide, phones).change(dict(self.values))
        self.about = operation.phone
        self.values |= {key: entry.value for key, entry in writes.items() if entry is not None}
        for key in [key for key, entry in writes.items() if entry is None]:
            del self.values[key]
        return outcome

    def user(self, user_id: str = "alice") -> User:
        """Return what is stored about a user."""
        return decode(User, self.values.get(user_key(user_id)))

    def put(self, user: User, user_id: str = "alice") -> None:
        """Store a user."""
        self.values[user_key(user_id)] = encode(user)


def rejected(call, *arguments, error=CodeRejected, **named):
    """Call what has to raise exactly this error, and return the error."""
    with pytest.raises(error) as raised:
        call(*arguments, **named)
    assert error is raised.type
    return raised.value


def limited(call, *arguments, **named):
    """Return the scope and the wait of the limit that refuses a call."""
    error = rejected(call, *arguments, error=RateLimited, **named)
    return error.scope, error.retry_after
