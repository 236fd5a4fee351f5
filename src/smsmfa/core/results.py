"""Turns stored records into the values and the message that leave the engine."""

from datetime import datetime
from functools import partial

import msgspec

from ..exceptions import ProofRequired, SenderMisconfigured
from ..limiter import remaining
from ..texts.messages import shown_details
from ..typing import VOICE, Message
from ..values import Challenge, EnrolledPhone, Enrollment, Status, Verification, instant
from . import proofs
from .book import Book
from .opaque import Opaque
from .operation import Operation
from .outcomes import Accepted, Enrolled, Reply
from .proofs import Proof
from .records import Issued, Phone, User
from .rules import gap_end, is_alive, is_proof

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
    purpose, details, locale = issued.purpose, issued.details, issued.locale
    try:
        text = config.texts.render(kind, purpose, code.reveal(), details, locale, channel=issued.channel)
    except ValueError as error:
        raise SenderMisconfigured(str(error)) from None
    return Message(
        to=challenge.phone,
        text=text,
        code=code,
        kind=kind,
        purpose=purpose,
        challenge_id=issued.id,
        expires_at=challenge.expires_at,
        channel=issued.channel,
        locale=locale,
        language=config.texts.language(purpose, locale),
        english=config.texts.english(purpose, code.reveal(), details, locale) if issued.channel == VOICE else None,
        details=shown_details(details) if details else (),
    )


def challenge_of(
    operation: Operation, issued: Issued, phone: Phone, *, sent: bool = False, attempts_left: int | None = None
) -> Challenge:
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
        attempts_left=attempts_left,
    )


def verification_of(
    operation: Operation, accepted: Accepted, purpose: str, *, plain: bool = True,
    recovery_codes: Opaque[tuple[str, ...]] = NO_CODES,
) -> Verification:  # fmt: skip
    """Return the proof that a user passed; ``plain``: no details were bound, so it may prove a change of numbers."""
    keys, answer = operation.config.keys, accepted.answer
    proof = proofs.Proof(answer.at, accepted.stamp, plain and purpose in _MANAGING)
    generator = (accepted.repeated and keys.get(answer.key_id)) or keys.newest
    return Verification(
        user_id=operation.user_id,
        method=answer.method,
        at=instant(answer.at),
        purpose=purpose,
        _recovery_codes=recovery_codes,
        _token=partial(proofs.give, generator, operation.user_key, proof),
        repeated=accepted.repeated,
    )


def proven_at(operation: Operation, user: User, proof: Proof | None, max_age: int) -> datetime:
    """Return when a proof was given that could change the user's numbers now.

    Args:
        operation: the call.
        user: the record of the user.
        proof: the proof, or ``None``.
        max_age: how old it may be (microseconds).

    Raises:
        ProofRequired: there is no such proof, or the user has no numbers.
    """
    if proof is None or not user.phones or not is_proof(user, proof, operation.now, max_age):
        raise ProofRequired
    return instant(proof.at)


def enrollment_of(
    operation: Operation, enrolled: Enrolled, codes: Opaque[tuple[str, ...]], verification: Verification | None = None
) -> Enrollment:
    """Return an enrolment as the application sees it; ``codes`` are shown if they are the user's."""
    return Enrollment(
        user_id=operation.user_id,
        phone=enrolled_phone(enrolled.phone, new=enrolled.repeated),
        verification=verification,
        repeated=enrolled.repeated,
        _recovery_codes=codes if enrolled.shows_codes else NO_CODES,
    )


def uncertain(challenge: Challenge) -> Challenge:
    """Return a challenge whose message may not have gone out."""
    return msgspec.structs.replace(challenge, uncertain=True)


def enrolled_phone(phone: Phone, *, new: bool = False) -> EnrolledPhone:
    """Return an enrolled number as the application sees it, or saw it when it was new."""
    return EnrolledPhone(
        id=phone.id,
        phone=phone.phone,
        enrolled_at=instant(phone.enrolled_at),
        last_used_at=instant(phone.last_used_at) if phone.last_used_at and not new else None,
        disabled=phone.disabled and not new,
    )


def status_of(operation: Operation, user: User) -> Status:
    """Return how things stand, from the record of the user."""
    config = operation.config
    book = Book(operation.config, operation.now, operation.user_key, user, {}, {})
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
            challenge_of(operation, issued, phone, attempts_left=min(config.attempts - issued.attempts, guesses))
            for issued, phone in waiting
            if guesses and is_alive(book, issued) and not phone.disabled
        ),
        sends_left=remaining(config.limits.user, user.sends, book.now),
        guesses_left=guesses,
        locked=not guesses or (bool(phones) and all(phone.disabled for phone in user.phones)),
        recovery_codes_left=len(user.recovery),
    )
