"""What the enroller and the verifier share: they run a decision, and they reserve, send and settle a message."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction
from os import urandom
from typing import TYPE_CHECKING

from .. import core
from ..codes import is_id, read_code, read_recovery_code
from ..config import FactorConfig
from ..events import Listener
from ..exceptions import (
    CodeMalformed,
    ConfigurationError,
    DeliveryRejected,
    FactorDisabled,
    RateLimited,
    SenderMisconfigured,
    StoreContention,
)
from ..typing import AsyncSender, AsyncStore, Clock, Receipt, Sender, Store
from .arguments import check_methods, checked_clock, checked_user_id
from .opaque import Opaque

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..typing import Message
    from ..values import Challenge
    from .audit import Audit
    from .operation import Operation
    from .outcomes import Accepted, Renewed, Reply
    from .proofs import Proof
    from .records import Details, Phone
    from .request import Request
    from .transaction import Decide, Locate, O, Result, Transaction

#: How often a call looks again because the user's numbers changed meanwhile.
_ROUNDS = 8
#: The random bytes from which the recovery codes of a repeatable answer are derived.
_SEED_BYTES = 16


class Base:
    """The half of a shell that does not wait: it checks arguments and notes results."""

    def __init__(
        self, config: FactorConfig, store: object, sender: object, on_event: Listener | None, clock: Clock | None, *,
        asynchronous: bool,
    ) -> None:  # fmt: skip
        if not isinstance(config, FactorConfig):
            raise ConfigurationError("config: a FactorConfig")
        check_methods(store, "store", ("read", "update"), asynchronous=asynchronous)
        check_methods(sender, "sender", ("send",), asynchronous=asynchronous)
        if on_event is not None and (not callable(on_event) or iscoroutinefunction(on_event)):
            raise ConfigurationError("on_event: a plain function of one Event, or None")
        self._config = config
        self._on_event = on_event
        self._clock = checked_clock(clock)

    def _operation(
        self, name: str, user_id: object, kind: str = "", *, challenge_id: object = None, purpose: str | None = None
    ) -> Audit:
        known = challenge_id if is_id(challenge_id) else None
        user = checked_user_id(user_id)
        operation = core.operation.Operation(name, self._config, user, self._now(), kind, known, purpose)
        return core.audit.Audit(operation, self._on_event)

    def _now(self) -> int:
        """Return the instant in microseconds since the epoch."""
        return max(self._clock() // 1000, 0)

    def _check_enabled(self) -> None:
        if not self._config.enabled:
            raise FactorDisabled

    def _read_code(self, submitted: Opaque[str]) -> Opaque[str]:
        self._check_enabled()
        if read := read_code(submitted.reveal(), self._config.digits):
            return read
        raise CodeMalformed

    def _read_recovery_code(self, submitted: Opaque[str]) -> bytes:
        self._check_enabled()
        if read := read_recovery_code(submitted.reveal()):
            return read
        raise CodeMalformed

    def _read_proof(self, operation: Operation, token: Opaque[str | None]) -> Proof | None:
        return core.proofs.read(self._config.keys, operation.user_key, token.reveal())

    def _asked(
        self, operation: Operation, code: Opaque[str], kind: str, of: str, key: Opaque[str] | None, purpose: str = "",
        details: Details = (),
    ) -> Request:  # fmt: skip
        """Return the request of this call, which may come again with its retry key."""
        seed = urandom(_SEED_BYTES) if key else b""
        return core.request.Request(self._config.keys, operation.user_key, code, kind, of, key, seed, purpose, details)

    def _shown(
        self, operation: Operation, request: Request, outcome: Accepted | Renewed, new: Opaque[tuple[str, ...]]
    ) -> Opaque[tuple[str, ...]]:
        """Return the recovery codes that an answer shows: the new ones, or the same as before."""
        operation.repeated = outcome.repeated
        return request.shown_before(outcome.answer) if outcome.repeated else new

    def _reserved(self, operation: Operation, reply: Reply) -> Challenge:
        operation.challenge_id, operation.purpose = reply.issued.id, reply.issued.purpose
        operation.sent = reply.sent
        return core.results.challenge_of(operation, reply.issued, reply.phone, sent=reply.sent)

    def _message(self, operation: Operation, reply: Reply, challenge: Challenge) -> Message:
        operation.message = message = core.results.message_of(operation, reply, challenge)
        return message

    def _sent(self, operation: Operation, receipt: object) -> None:
        """Note what the sender returned. Anything but a receipt is an error, but the message may have gone out."""
        if not isinstance(receipt, Receipt):
            raise SenderMisconfigured(f"the sender returned {type(receipt).__name__}, not a smsmfa.typing.Receipt")
        operation.message_id, operation.carrier = receipt.message_id, receipt.sender or None

    def _uncertain(self, operation: Operation, sender: object, error: Exception) -> None:
        """Note that the message may have gone out, or raise our own error from before any sender had it."""
        if operation.message is None:
            raise error
        operation.uncertain = True
        operation.carrier, operation.carrier_code = core.audit.carrier_of(error)
        core.audit.report_uncertain(sender, error)


class Shell(Base):
    """The half that waits, for threads."""

    def __init__(
        self, config: FactorConfig, store: Store, sender: Sender, *, on_event: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, store, sender, on_event, clock, asynchronous=iscoroutinefunction(self._run))
        self._store = store
        self._sender = sender

    def _run(
        self, operation: Operation, decide: Decide[O], locate: Locate | None = None, phones: Iterable[Phone] = ()
    ) -> O:
        """Have the store run a decision. Return its outcome, or raise its refusal."""
        transaction: Transaction[O] = core.transaction.Transaction(operation, decide, phones)
        if locate is not None:
            transaction.plan(locate, self._store.read(operation.user_key))
        for _ in range(_ROUNDS):
            outcome: Result[O] = self._store.update(transaction.keys, transaction.change)
            result = transaction.result(outcome)
            if result is not None:
                return result
        raise StoreContention("the user's numbers kept changing; try again")

    def _request(
        self, operation: Operation, decide: Decide[Reply], locate: Locate | None = None, phones: Iterable[Phone] = ()
    ) -> Challenge:
        """Reserve a message and send it."""
        reply = self._run(operation, decide, locate, phones)
        challenge = self._reserved(operation, reply)
        if reply.sent:
            self._deliver(operation, reply, challenge)
        return core.results.uncertain(challenge) if operation.uncertain else challenge

    def _deliver(self, operation: Operation, reply: Reply, challenge: Challenge) -> None:
        """Send a message, and settle if it certainly did not go out."""
        try:
            receipt = self._sender.send(self._message(operation, reply, challenge))
        except (DeliveryRejected, RateLimited) as error:
            rejected: DeliveryRejected | RateLimited = error
        except Exception as error:
            return self._uncertain(operation, self._sender, error)
        else:
            return self._sent(operation, receipt)
        try:
            operation.now = self._now()  # sending took time, in which buckets were refilled and used
            decide = partial(core.decisions.settle, reply=reply, excused=is_excused(rejected))
            self._run(operation, decide, phones=(reply.phone,))
        except Exception as error:
            rejected.add_note(f"the charge for it could not be given back: {type(error).__name__}")
        raise rejected


class AsyncShell(Base):
    """The half that waits, for asyncio."""

    def __init__(
        self, config: FactorConfig, store: AsyncStore, sender: AsyncSender, *, on_event: Listener | None = None,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, store, sender, on_event, clock, asynchronous=iscoroutinefunction(self._run))
        self._store = store
        self._sender = sender

    async def _run(
        self, operation: Operation, decide: Decide[O], locate: Locate | None = None, phones: Iterable[Phone] = ()
    ) -> O:
        """Have the store run a decision. Return its outcome, or raise its refusal."""
        transaction: Transaction[O] = core.transaction.Transaction(operation, decide, phones)
        if locate is not None:
            transaction.plan(locate, await self._store.read(operation.user_key))
        for _ in range(_ROUNDS):
            outcome: Result[O] = await self._store.update(transaction.keys, transaction.change)
            result = transaction.result(outcome)
            if result is not None:
                return result
        raise StoreContention("the user's numbers kept changing; try again")

    async def _request(
        self, operation: Operation, decide: Decide[Reply], locate: Locate | None = None, phones: Iterable[Phone] = ()
    ) -> Challenge:
        """Reserve a message and send it."""
        reply = await self._run(operation, decide, locate, phones)
        challenge = self._reserved(operation, reply)
        if reply.sent:
            await self._deliver(operation, reply, challenge)
        return core.results.uncertain(challenge) if operation.uncertain else challenge

    async def _deliver(self, operation: Operation, reply: Reply, challenge: Challenge) -> None:
        """Send a message, and settle if it certainly did not go out."""
        try:
            receipt = await self._sender.send(self._message(operation, reply, challenge))
        except (DeliveryRejected, RateLimited) as error:
            rejected: DeliveryRejected | RateLimited = error
        except Exception as error:
            return self._uncertain(operation, self._sender, error)
        else:
            return self._sent(operation, receipt)
        try:
            operation.now = self._now()  # sending took time, in which buckets were refilled and used
            decide = partial(core.decisions.settle, reply=reply, excused=is_excused(rejected))
            await self._run(operation, decide, phones=(reply.phone,))
        except Exception as error:
            rejected.add_note(f"the charge for it could not be given back: {type(error).__name__}")
        raise rejected


def is_excused(error: DeliveryRejected | RateLimited) -> bool:
    """Tell whether the carrier or the operator is at fault for a message that was not sent, and not its recipient."""
    return error.outage or isinstance(error, SenderMisconfigured | RateLimited)
