"""Turns stored records into the values and the message that leave the engine."""

from functools import partial

from ..exceptions import SenderMisconfigured
from ..limiter import remaining
from ..typing import Message
from ..values import Challenge, EnrolledPhone, Status, Verification, instant
from . import proofs
from .book import Book
from .opaque import Opaque
from .operation import Operation
from .outcomes import Accepted, Reply
from .records import Issued, Phone, User, decode
from .rules import gap_end, is_alive

#: The purposes whose verification may change an enrolment.
_MANAGING = frozenset({"login", "manage"})
NO_CODES: Opaque[tuple[str, ...]] = Opaque(())


def message_of(operation: Operation, reply: Reply, challenge: Challenge) -> Message:
    """Render the message of a challenge.

    Raises:
        SenderMisconfigured: the templates changed, and do not fit the details of this challenge any more.
    """
    config, issued, kind = operation.config, reply.issued, operation.kind
    code = Opaque(config.code(operation.user_key, kind, issued, reply.phone.number))
    try:
        text = config.texts.render(
            kind, issued.purpose, code.reveal(), issued.details, issued.locale, channel=issued.channel
        )
    except ValueError as error:
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
        language=config.texts.language(issued.purpose, issued.locale),
    )


def challenge_of(operation: Operation, issued: Issued, phone: Phone, *, sent: bool = False) -> Challenge:
    """Return a challenge as the application sees it."""
    return Challenge(
        id=issued.id,
        user_id=operation.user_id,
        phone=phone.phone,
        purpose=issued.purpose,
        expires_at=instant(issued.expires),
        resend_at=instant(gap_end(operation.config, issued, operation.now)),
        sent=sent,
        channel=issued.channel,
    )


def verification_of(
    operation: Operation, accepted: Accepted, purpose: str, *, plain: bool = True,
    recovery_codes: Opaque[tuple[str, ...]] = NO_CODES,
) -> Verification:  # fmt: skip
    """Return the proof that a user passed; ``plain``: no details were bound, so it may prove a change of numbers."""
    keys, user_key = operation.config.keys, operation.user_key
    proof = proofs.Proof(operation.now, accepted.changes, plain and purpose in _MANAGING)
    return Verification(
        user_id=operation.user_id,
        method=accepted.method,
        at=instant(operation.now),
        purpose=purpose,
        recovery_codes=recovery_codes,
        token=partial(proofs.give, keys, user_key, proof),
    )


def enrolled_phone(phone: Phone) -> EnrolledPhone:
    """Return an enrolled number as the application sees it."""
    return EnrolledPhone(
        id=phone.id,
        phone=phone.phone,
        enrolled_at=instant(phone.enrolled_at),
        last_used_at=instant(phone.last_used_at) if phone.last_used_at else None,
        disabled=phone.disabled,
    )


def status_of(operation: Operation, value: bytes | None) -> Status:
    """Return how things stand, from the stored record of the user."""
    user, config = decode(User, value), operation.config
    book = Book(operation, {}, {}, user)
    guesses = remaining(config.limits.guesses, user.guesses, book.now)
    phones = {phone.id: phone for phone in user.phones}
    waiting = [(issued, phones[issued.phone_id]) for issued in user.issued]
    if user.pending:
        waiting.append((user.pending.issued, user.pending.phone))
    return Status(
        enabled=config.enabled,
        enrolled=bool(phones),
        phones=tuple(map(enrolled_phone, user.phones)),
        challenges=tuple(
            challenge_of(operation, issued, phone)
            for issued, phone in waiting
            if guesses and is_alive(book, issued) and not phone.disabled
        ),
        sends_left=remaining(config.limits.user, user.sends, book.now),
        guesses_left=guesses,
        locked=not guesses or (bool(phones) and all(phone.disabled for phone in user.phones)),
        recovery_codes_left=len(user.recovery),
    )
