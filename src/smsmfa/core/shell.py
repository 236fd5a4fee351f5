"""What the enroller and the verifier share: run a decision, and reserve, send, settle."""

from __future__ import annotations

import time
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING

import attrs

from ..codes import new_recovery_code, read_code, read_recovery_code
from ..config import FactorConfig
from ..events import Listener
from ..exceptions import (
    CodeMalformed,
    ConfigurationError,
    DeliveryRejected,
    DeliveryUncertain,
    FactorDisabled,
    RateLimited,
    SenderMisconfigured,
    SmsMfaError,
    StoreContention,
)
from ..typing import AsyncSender, AsyncStore, Clock, Message, Receipt, Sender, Store
from ..values import Challenge, EnrolledPhone, Verification, instant
from .arguments import check_methods, checked_clock, checked_user_id
from .lazy import lazy
from .opaque import Opaque

if TYPE_CHECKING:
    from . import decisions, proofs
    from . import operation as operations
    from .decisions import Accepted
    from .operation import Decide, Locate, O, Operation, Result
    from .proofs import Proof
    from .records import Issued, Phone
    from .rules import Reply
else:
    decisions, operations, proofs = lazy("decisions"), lazy("operation"), lazy("proofs")

#: How often an operation looks again because the user's numbers changed under it.
_ROUNDS = 8
#: An event holds no more of what an attacker may have typed as a challenge's id.
_ID_LENGTH = 32
#: The purposes whose verification may change an enrolment.
_MANAGING = frozenset({"login", "manage"})


class Base:
    """The pure half of a shell: checks what it is given, and turns records into values."""

    def __init__(
        self,
        config: FactorConfig,
        store: object,
        sender: object,
        on_event: Listener | None,
        clock: Clock,
        *,
        asynchronous: bool,
    ) -> None:
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
    ) -> Operation:
        return operations.Operation(
            name,
            self._config,
            checked_user_id(user_id),
            self._now(),
            kind,
            challenge_id=challenge_id if isinstance(challenge_id, str) and _is_id(challenge_id) else None,
            purpose=purpose,
            listener=self._on_event,
        )

    def _now(self) -> int:
        """Return the instant in microseconds since the epoch."""
        return max(self._clock() // 1000, 0)

    def _check_enabled(self) -> None:
        if not self._config.enabled:
            raise FactorDisabled

    def _read_code(self, submitted: Opaque[str]) -> Opaque[str]:
        self._check_enabled()
        code = read_code(submitted.reveal(), self._config.digits)
        if code is None:
            raise CodeMalformed
        return code

    def _read_recovery_code(self, submitted: Opaque[str]) -> bytes:
        self._check_enabled()
        hashed = read_recovery_code(submitted.reveal())
        if hashed is None:
            raise CodeMalformed
        return hashed

    def _new_recovery_codes(self, count: int) -> tuple[Opaque[tuple[str, ...]], list[bytes]]:
        """Draw recovery codes: what to show, and what to store."""
        codes = [new_recovery_code() for _ in range(count)]
        hashes = [read_recovery_code(code.reveal()) or b"" for code in codes]
        return Opaque(tuple(map(Opaque.reveal, codes))), hashes

    def _read_proof(self, operation: Operation, token: Opaque[str | None]) -> Proof | None:
        return proofs.read(self._config.keys, operation.user_key, token.reveal())

    def _message(self, reply: Reply, operation: Operation, challenge: Challenge) -> Message:
        issued, kind = reply.issued, operation.kind
        code = Opaque(self._config.code(operation.user_key, kind, issued, reply.phone.number))
        try:
            text = self._config.texts.render(
                kind, issued.purpose, code.reveal(), issued.details, issued.locale, channel=issued.channel
            )
        except ValueError as error:  # a challenge from before the templates changed
            raise SenderMisconfigured(str(error)) from None
        return Message(
            to=challenge.phone,
            text=text,
            code=code,
            kind=kind,
            challenge_id=issued.id,
            expires_at=challenge.expires_at,
            channel=issued.channel,
            locale=issued.locale,
            language=self._config.texts.language(issued.purpose, issued.locale),
        )

    def _challenge(self, operation: Operation, issued: Issued, phone: Phone, *, sent: bool = False) -> Challenge:
        return Challenge(
            id=issued.id,
            user_id=operation.user_id,
            phone=phone.phone,
            purpose=issued.purpose,
            expires_at=instant(issued.expires),
            resend_at=instant(issued.sent + self._config.resend_gap_us),
            sent=sent,
            channel=issued.channel,
        )

    def _verification(
        self, operation: Operation, accepted: Accepted, purpose: str, *, plain: bool = True,
        recovery_codes: Opaque[tuple[str, ...]] | None = None,
    ) -> Verification:  # fmt: skip
        proof = proofs.Proof(operation.now, accepted.changes, plain and purpose in _MANAGING)
        return Verification(
            user_id=operation.user_id,
            method=accepted.method,
            at=instant(operation.now),
            purpose=purpose,
            recovery_codes=recovery_codes or _NO_CODES,
            token=partial(proofs.give, self._config.keys, operation.user_key, proof),
        )


_NO_CODES: Opaque[tuple[str, ...]] = Opaque(())


class Shell(Base):
    """The other half, for threads."""

    def __init__(
        self, config: FactorConfig, store: Store, sender: Sender, *, on_event: Listener | None = None,
        clock: Clock = time.time_ns,
    ) -> None:  # fmt: skip
        super().__init__(config, store, sender, on_event, clock, asynchronous=iscoroutinefunction(self._run))
        self._store = store
        self._sender = sender

    def _run(self, operation: Operation, decide: Decide[O], locate: Locate | None = None) -> O:
        """Have the store run a decision: return what came of it, or raise what it refused with."""
        if locate is not None:
            operation.plan(locate, self._store.read(operation.user_key))
        change = partial(operation.change, decide)
        for _ in range(_ROUNDS):
            outcome: Result[O] = self._store.update(operation.keys, change)
            result = operation.result(outcome)
            if result is not None:
                return result
        raise StoreContention("the user's numbers kept changing; try again")

    def _request(self, operation: Operation, decide: Decide[Reply], locate: Locate | None = None) -> Challenge:
        """Reserve a message, send it, and settle what certainly did not go out."""
        reply = self._run(operation, decide, locate)
        operation.challenge_id, operation.purpose = reply.issued.id, reply.issued.purpose
        operation.sent = reply.sent
        challenge = self._challenge(operation, reply.issued, reply.phone, sent=reply.sent)
        if reply.sent:
            self._deliver(operation, reply, challenge)
        return attrs.evolve(challenge, uncertain=True) if operation.uncertain else challenge

    def _deliver(self, operation: Operation, reply: Reply, challenge: Challenge) -> None:
        message = None
        try:
            message = self._message(reply, operation, challenge)
            operation.weigh(message)
            receipt = self._sender.send(message)
        except (DeliveryRejected, RateLimited) as error:
            rejected: SmsMfaError = error
        except Exception as error:
            if message is None:
                raise  # a fault of ours, before any sender had it
            operation.uncertain = True
            complain(self._sender, error)
            return
        else:
            operation.message_id = check_receipt(receipt).message_id
            return
        try:
            operation.now = self._now()  # the carrier took its time, in which buckets were filled and used
            self._run(operation, partial(decisions.settle, reply=reply))
        except Exception as error:
            rejected.add_note(f"the charge for it could not be given back: {type(error).__name__}")
        raise rejected


class AsyncShell(Base):
    """The other half, for asyncio."""

    def __init__(
        self, config: FactorConfig, store: AsyncStore, sender: AsyncSender, *, on_event: Listener | None = None,
        clock: Clock = time.time_ns,
    ) -> None:  # fmt: skip
        super().__init__(config, store, sender, on_event, clock, asynchronous=iscoroutinefunction(self._run))
        self._store = store
        self._sender = sender

    async def _run(self, operation: Operation, decide: Decide[O], locate: Locate | None = None) -> O:
        """Have the store run a decision: return what came of it, or raise what it refused with."""
        if locate is not None:
            operation.plan(locate, await self._store.read(operation.user_key))
        change = partial(operation.change, decide)
        for _ in range(_ROUNDS):
            outcome: Result[O] = await self._store.update(operation.keys, change)
            result = operation.result(outcome)
            if result is not None:
                return result
        raise StoreContention("the user's numbers kept changing; try again")

    async def _request(self, operation: Operation, decide: Decide[Reply], locate: Locate | None = None) -> Challenge:
        """Reserve a message, send it, and settle what certainly did not go out."""
        reply = await self._run(operation, decide, locate)
        operation.challenge_id, operation.purpose = reply.issued.id, reply.issued.purpose
        operation.sent = reply.sent
        challenge = self._challenge(operation, reply.issued, reply.phone, sent=reply.sent)
        if reply.sent:
            await self._deliver(operation, reply, challenge)
        return attrs.evolve(challenge, uncertain=True) if operation.uncertain else challenge

    async def _deliver(self, operation: Operation, reply: Reply, challenge: Challenge) -> None:
        message = None
        try:
            message = self._message(reply, operation, challenge)
            operation.weigh(message)
            receipt = await self._sender.send(message)
        except (DeliveryRejected, RateLimited) as error:
            rejected: SmsMfaError = error
        except Exception as error:
            if message is None:
                raise  # a fault of ours, before any sender had it
            operation.uncertain = True
            complain(self._sender, error)
            return
        else:
            operation.message_id = check_receipt(receipt).message_id
            return
        try:
            operation.now = self._now()  # the carrier took its time, in which buckets were filled and used
            await self._run(operation, partial(decisions.settle, reply=reply))
        except Exception as error:
            rejected.add_note(f"the charge for it could not be given back: {type(error).__name__}")
        raise rejected


def _is_id(text: str) -> bool:
    return len(text) == _ID_LENGTH and text.isascii() and text.isalnum()


def check_receipt(receipt: object) -> Receipt:
    """Refuse what is no receipt; the message may have gone out, so nothing is given back."""
    if not isinstance(receipt, Receipt):
        raise SenderMisconfigured(f"the sender returned {type(receipt).__name__} and not a smsmfa.typing.Receipt")
    return receipt


def complain(sender: object, error: Exception) -> None:
    """Log that a sender left the fate of a message open; never what it said, which may hold the number or the code."""
    import logging  # see events.py

    report = logging.getLogger("smsmfa").warning
    if isinstance(error, DeliveryUncertain):
        report("%s does not know whether a message went out", type(sender).__name__)
    else:
        report("%s raised %s; a message may have gone out", type(sender).__name__, type(error).__name__)


def enrolled_phone(phone: Phone) -> EnrolledPhone:
    """Return a stored number as the outside sees it."""
    return EnrolledPhone(
        id=phone.id,
        phone=phone.phone,
        enrolled_at=instant(phone.enrolled_at),
        last_used_at=instant(phone.last_used_at) if phone.last_used_at else None,
        disabled=phone.disabled,
    )
