"""Checks for decisions, and the functions that charge limits.

A name tells what is returned: ``*_refusal`` an error or ``None``, ``*_or_refusal`` a value or an error, ``is_*`` a
bool, ``find_*`` a record or ``None``, ``locate_*`` a list of numbers. Only the functions named ``charge_*`` charge. The
others change nothing, with one exception: if a clock was set back and a bucket looks more than empty, it is stored as
just empty.
"""

from datetime import timedelta
from hmac import compare_digest

from ..config import FactorConfig
from ..exceptions import (
    AlreadyEnrolled,
    CodeExpired,
    CodeRejected,
    Locked,
    NotEnrolled,
    PhoneInUse,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
)
from ..limiter import CLOCK_SKEW, remaining, take, wait
from ..typing import VERIFICATION
from .arguments import PROOF_AGE
from .book import DAY, Book, Bucket
from .opaque import Opaque
from .outcomes import Refusal
from .proofs import Proof
from .records import Details, Issued, Phone, User

#: How old a proof may be (microseconds).
PROOF_LIFETIME = PROOF_AGE // timedelta(microseconds=1)

_NOBODY = Phone("", 0, "", "")


# --- may the user do this?


def guesses_refusal(book: Book) -> Refusal | None:
    """Refuse while the user's guess budget is empty."""
    if not book.user.guesses:
        return None  # 0 means a full budget
    limit = book.config.limits.guesses
    bucket, short = take(limit, book.user.guesses, book.now)
    if not short:
        return None
    book.user.guesses = bucket
    return RateLimited("guesses", wait(limit, short))


def proof_refusal(book: Book, proof: Proof | None) -> Refusal | None:
    """Refuse to change the numbers of a user who has some, without a fresh proof given since they last changed."""
    return None if not book.user.phones or is_proof(book.user, proof, book.now) else ProofRequired()


def is_proof(user: User, proof: Proof | None, now: int, max_age: int = PROOF_LIFETIME) -> bool:
    """Tell whether a proof may change the user's numbers: of these numbers, and of at most ``max_age`` microseconds."""
    if proof is None or not proof.manages or proof.stamp != user.stamp:
        return False
    return -CLOCK_SKEW <= now - proof.at <= max_age


def in_use_refusal(book: Book, number: int) -> Refusal | None:
    """Refuse a number that ``max_users_per_number`` other users have (NIST SP 800-63B-4, 3.1)."""
    most = book.config.max_users_per_number
    if most and sum(holder != book.holder for holder in book.number(number).holders) >= most:
        return PhoneInUse()
    return None


def replaced_or_refusal(book: Book, number: int, replace: str | None) -> str | Refusal | None:
    """Return the id of the number that ``number`` will replace, or ``None`` if it is one more."""
    phones, most = book.user.phones, book.config.max_phones
    same = next((phone for phone in phones if phone.number == number), None)
    named = None if replace is None else find_phone(book.user, replace)
    if replace is not None and named is None:
        return NotEnrolled()
    if same is not None and not same.disabled and same is not named:
        return AlreadyEnrolled()
    if replaced := named or same:
        return replaced.id
    if len(phones) < most:
        return None
    return phones[0].id if most == 1 else AlreadyEnrolled()


# --- find numbers and challenges


def find_phone(user: User, phone_id: str) -> Phone | None:
    """Return the enrolled number with this id."""
    for phone in user.phones:
        if phone.id == phone_id:
            return phone
    return None


def is_confirmed(user: User, number: int) -> bool:
    """Tell whether the user has this number, disabled or not."""
    return any(phone.number == number for phone in user.phones)


def find_challenge(user: User, challenge_id: str) -> Issued | None:
    """Return the challenge with this id, of any purpose except enrolment."""
    for issued in user.issued:
        if issued.id == challenge_id:
            return issued
    return None


def find_by_purpose(user: User, purpose: str) -> Issued | None:
    """Return the one challenge for a purpose."""
    for issued in user.issued:
        if issued.purpose == purpose:
            return issued
    return None


def recipient_or_refusal(config: FactorConfig, user: User, phone_id: str | None) -> Phone | Refusal:
    """Return the number to send to: the one named, or the first that may get messages."""
    refusal: Refusal | None = None
    for phone in user.phones:
        if phone_id is None or phone.id == phone_id:
            if phone.disabled:
                refusal = Locked()
            elif config.allows(phone.region):
                return phone
            else:
                refusal = PhoneNumberError("region")
    return refusal or NotEnrolled()


def phone_or_refusal(user: User, phone_id: str) -> Phone | Refusal:
    """Return the number to which a code was sent, unless it is disabled."""
    for phone in user.phones:
        if phone.id == phone_id:
            return Locked() if phone.disabled else phone
    return NotEnrolled()


def locate_phone(user: User, phone_id: str | None, config: FactorConfig) -> list[Phone]:
    """Find the number that a challenge will go to."""
    phone = recipient_or_refusal(config, user, phone_id)
    return [phone] if isinstance(phone, Phone) else []


def locate_challenge(user: User, challenge_id: str, config: FactorConfig) -> list[Phone]:
    """Find the number that a challenge went to."""
    issued = find_challenge(user, challenge_id)
    return locate_phone(user, issued.phone_id, config) if issued else []


def locate_pending(user: User) -> list[Phone]:
    """Find the pending number."""
    return [user.pending.phone] if user.pending else []


def locate_all(user: User) -> list[Phone]:
    """Find every number of the user, enrolled or pending."""
    return user.phones + locate_pending(user)


# --- the state of a challenge


def closed_refusal(book: Book, issued: Issued) -> Refusal | None:
    """Refuse to answer a challenge that is too old, from the future, under a retired secret, or out of attempts."""
    if not issued.created - CLOCK_SKEW <= book.now < issued.expires or book.config.keys.get(issued.key_id) is None:
        return CodeExpired()
    return CodeRejected() if issued.attempts >= book.config.attempts else None


def is_alive(book: Book, issued: Issued) -> bool:
    """Tell whether a challenge can be answered."""
    return closed_refusal(book, issued) is None


def is_renewable(book: Book, issued: Issued) -> bool:
    """Tell whether a dead challenge can still be asked for again: for a day after it expired."""
    return book.now < issued.expires + DAY


def gap_end(config: FactorConfig, issued: Issued, now: int) -> int:
    """Return the instant from which the next message about the same thing may follow (microseconds).

    If a message seems to come from the future, by more than clocks of hosts differ, the clock was set back: it has
    no gap then.
    """
    end = issued.sent + config.resend_gap_us
    return end if end - now <= config.resend_gap_us + CLOCK_SKEW else now


def is_within_gap(book: Book, issued: Issued) -> bool:
    """Tell whether the last message of a live challenge is too recent for another."""
    return is_alive(book, issued) and gap_end(book.config, issued, book.now) > book.now


# --- charges


def charge_message(book: Book, number: int, *, confirmed: bool, in_use: bool = False) -> Refusal | None:
    """Charge one message to every bucket, or charge none and report the bucket with the longest wait.

    Args:
        book: the records.
        number: where the message goes.
        confirmed: whether the user has confirmed the number.
        in_use: other users have the number, so nothing will be sent. Charge only the user: each time that a user
            learns this costs one message.
    """
    now = book.now
    charged: list[tuple[Bucket, int]] = []
    refusals = []
    for one in book.send_buckets(number, confirmed=confirmed):
        bucket, short = take(one.limit, getattr(one.record, one.field), now)
        if short:
            setattr(one.record, one.field, bucket)
            refusals.append((one.limit.refill is None, short, one.scope, wait(one.limit, short)))
        else:
            charged.append((one, bucket))
    if refusals:
        _, _, scope, retry_after = max(refusals)  # scopes differ, so nothing after them is compared
        return RateLimited(scope, retry_after)
    for one, bucket in charged[:1] if in_use else charged:
        setattr(one.record, one.field, bucket)
    return None


def charge_refund(book: Book) -> bool:
    """Count one refund. Return ``False`` if the user had too many."""
    bucket, short = take(book.config.limits.refunds, book.user.refunds, book.now)
    book.user.refunds = bucket
    return not short


def charge_and_compare(book: Book, kind: str, issued: Issued, phone: Phone, code: Opaque[str]) -> bool:
    """Charge an attempt and a guess, then compare. A right code gives the guess back."""
    user, before = book.user, book.user.guesses
    issued.attempts += 1
    user.guesses, _ = take(book.config.limits.guesses, user.guesses, book.now)
    if not is_code(book, kind, issued, phone.number, code):
        return False
    user.guesses = before
    return True


# --- making and comparing challenges


def new_challenge(
    book: Book, new_id: str, purpose: str, phone: Phone, details: Details, locale: str | None, channel: str
) -> Issued:
    """Return a challenge that begins now, under the newest secret."""
    config, now = book.config, book.now
    return Issued(
        id=new_id, key_id=config.keys.newest.key_id, purpose=purpose, phone_id=phone.id, details=details, locale=locale,
        created=now, expires=now + config.lifetime_us, sent=now, channel=channel,
    )  # fmt: skip


def is_code(book: Book, kind: str, issued: Issued, number: int, code: Opaque[str]) -> bool:
    """Derive the code and compare it in constant time (OWASP ASVS 5.0, 11.2.4)."""
    return compare_digest(book.config.code(book.user_key, kind, issued, number), code.reveal())


def wrong_code(book: Book, issued: Issued) -> CodeRejected:
    """Return the refusal of a wrong code, with what the challenge and the guess budget still allow."""
    config = book.config
    guesses = remaining(config.limits.guesses, book.user.guesses, book.now)
    return CodeRejected(max(min(config.attempts - issued.attempts, guesses), 0))


def unknown_challenge(book: Book, code: Opaque[str]) -> CodeRejected:
    """Return the refusal of a challenge that does not exist, after as much work as for one that does.

    So the time does not tell which challenges exist (OWASP ASVS 5.0, 11.2.4).
    """
    is_code(book, VERIFICATION, new_challenge(book, "", "", _NOBODY, (), None, ""), 0, code)
    return CodeRejected()
