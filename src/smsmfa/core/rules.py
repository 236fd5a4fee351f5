"""The questions that decisions ask, and the two charges that they make.

Names tell what comes back: ``*_refusal`` an error or ``None``, ``*_or_refusal`` a value or an error, ``is_*`` a bool,
``find_*`` a record or ``None``. Only the functions named ``charge_*`` charge. The others change nothing, except that a
bucket that refuses is clamped: it is set to drained if a clock that jumped back left it deeper in debt.
"""

from hmac import compare_digest

from ..config import FactorConfig
from ..exceptions import (
    AlreadyEnrolled,
    CodeExpired,
    CodeRejected,
    Locked,
    NotEnrolled,
    PhoneInUse,
    ProofRequired,
    RateLimited,
)
from ..limiter import remaining, take, wait
from ..typing import VERIFICATION
from .book import DAY, Book
from .opaque import Opaque
from .outcomes import Refusal
from .proofs import Proof
from .records import Details, Issued, Phone, User

#: Clocks of hosts differ: a code or a proof is accepted from a minute before it was made (microseconds).
SKEW = 60_000_000
#: How old a proof may be (microseconds).
PROOF_LIFETIME = 600_000_000

_NOBODY = Phone("", 0, "", "")


# --- may the user do this?


def guesses_refusal(book: Book) -> Refusal | None:
    """Refuse while the user's guess budget is empty."""
    limit = book.config.limits.guesses
    bucket, short = take(limit, book.user.guesses, book.now)
    if not short:
        return None
    book.user.guesses = bucket
    return RateLimited("guesses", wait(limit, short))


def proof_refusal(book: Book, proof: Proof | None) -> Refusal | None:
    """Refuse to change the numbers of a user who has some, without a fresh proof given since they last changed."""
    if not book.user.phones:
        return None
    if proof is None or not proof.manages or proof.changes != book.user.changes:
        return ProofRequired()
    return None if -SKEW <= book.now - proof.at <= PROOF_LIFETIME else ProofRequired()


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
    if replace is not None:
        if find_phone(book.user, replace) is None:
            return NotEnrolled()
    elif same is not None and same.disabled:
        replace = same.id
    elif most == 1 and phones:
        replace = phones[0].id
    elif len(phones) >= most:
        return AlreadyEnrolled()
    if same is not None and not same.disabled and same.id != replace:
        return AlreadyEnrolled()
    return replace


# --- which number, which challenge?


def find_phone(user: User, phone_id: str) -> Phone | None:
    """Return the enrolled number with this id."""
    return next((phone for phone in user.phones if phone.id == phone_id), None)


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


def phone_or_refusal(user: User, phone_id: str | None) -> Phone | Refusal:
    """Return the number to send to: the one named, or the first that is not disabled."""
    locked = False
    for phone in user.phones:
        if phone_id is None or phone.id == phone_id:
            if not phone.disabled:
                return phone
            locked = True
    return Locked() if locked else NotEnrolled()


def locate_phone(user: User, phone_id: str | None) -> list[Phone]:
    """Find the number that a challenge will go to."""
    phone = phone_or_refusal(user, phone_id)
    return [phone] if isinstance(phone, Phone) else []


def locate_challenge(user: User, challenge_id: str) -> list[Phone]:
    """Find the number that a challenge went to."""
    issued = find_challenge(user, challenge_id)
    return locate_phone(user, issued.phone_id) if issued else []


def locate_pending(user: User) -> list[Phone]:
    """Find the pending number."""
    return [user.pending.phone] if user.pending else []


def locate_all(user: User) -> list[Phone]:
    """Find every number of the user, enrolled or pending."""
    return user.phones + locate_pending(user)


# --- how is a challenge?


def closed_refusal(book: Book, issued: Issued) -> Refusal | None:
    """Refuse to answer a challenge that is too old, from the future, under a retired secret, or out of attempts."""
    if not issued.created - SKEW <= book.now < issued.expires or book.config.keys.get(issued.key_id) is None:
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

    A message dated further ahead than clocks of hosts differ was sent before the clock was set back. It has no gap.
    """
    end = issued.sent + config.resend_gap_us
    return end if end - now <= config.resend_gap_us + SKEW else now


def is_within_gap(book: Book, issued: Issued) -> bool:
    """Tell whether the last message of a live challenge is too recent for another."""
    return is_alive(book, issued) and gap_end(book.config, issued, book.now) > book.now


# --- charges


def charge_message(book: Book, number: int) -> Refusal | None:
    """Charge one message to every bucket, or charge none and report the bucket with the longest wait."""
    now = book.now
    charged, refusals = [], []
    for scope, limit, record in book.send_buckets(number):
        bucket, short = take(limit, record.sends, now)
        if short:
            record.sends = bucket
            refusals.append((limit.refill is None, short, scope, wait(limit, short)))
        else:
            charged.append((record, bucket))
    if refusals:
        _, _, scope, retry_after = max(refusals)  # scopes differ, so nothing after them is compared
        return RateLimited(scope, retry_after)
    for record, bucket in charged:
        record.sends = bucket
    return None


def charge_and_compare(book: Book, kind: str, issued: Issued, phone: Phone, code: Opaque[str]) -> bool:
    """Charge an attempt and a guess, then compare. A right code gives the guess back."""
    user, before = book.user, book.user.guesses
    issued.attempts += 1
    user.guesses, _ = take(book.config.limits.guesses, user.guesses, book.now)
    if not is_code(book, kind, issued, phone.number, code):
        return False
    user.guesses = before
    return True


# --- comparing


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
    return CodeRejected(min(config.attempts - issued.attempts, guesses))


def unknown_challenge(book: Book, code: Opaque[str]) -> CodeRejected:
    """Return the refusal of a challenge that does not exist, after as much work as for one that does.

    So the time does not tell which challenges exist (OWASP ASVS 5.0, 11.2.4).
    """
    is_code(book, VERIFICATION, new_challenge(book, "", "", _NOBODY, (), None, ""), 0, code)
    return CodeRejected()
