"""Every state transition of the factor, and nothing else. What they are made of stands in ``rules.py``.

The rules, in force for every function below:

1. A decision is pure: stored values, input and now go in; new values and an outcome come out. It draws
   nothing, reads no clock and raises nothing; a refusal is an outcome that is returned.
2. An empty guess budget is reported before all else and alone, and nothing is compared.
3. A refusal charges nothing. When several send limits refuse, the longest wait is reported, and each
   bucket that was looked at is clamped, so that a clock that jumped back locks nobody out.
4. Only time refills a bucket: not success, not a resend, not removal, not ``reset``. A message that
   certainly was not sent is given back; ``unlock`` is the operator's.
5. The attempt is reserved before the code is compared, in the same atomic step, and a right code
   consumes its challenge in that step. An expired, exhausted or unknown challenge costs no guess.
6. One live challenge per purpose; a new one takes the place of the old. A number waits as ``pending``
   beside those that are enrolled, and changes nothing about them, until its code is confirmed.
7. Once a user has a number, changing anything takes a proof given since the numbers last changed.

Sources: NIST SP 800-63B-4, 3.1.3.2 and 3.2.2; OWASP ASVS 5.0, 2.3.4, 6.5, 6.6.2 and 15.4;
RTS (EU) 2018/389, Art. 4 and 5.
"""

from hmac import compare_digest

from ..exceptions import AlreadyEnrolled, CodeRejected, NotEnrolled, RateLimited
from ..limiter import give_back, remaining, take, wait
from .opaque import Opaque
from .operation import Book, Outcome, Refusal
from .proofs import Proof
from .records import Issued, Pending, Phone
from .rules import (
    Reply,
    closed,
    find_issued,
    find_phone,
    find_purpose,
    in_use,
    issue,
    let_go,
    matches,
    put_in_place,
    renewable,
    repeat,
    reserve,
    spent,
    to_replace,
    unknown,
    unproven,
    usable,
    within_gap,
    wrong,
)


class Accepted(Outcome):
    """The code was right."""

    #: How often the user's numbers have changed, for the proof.
    changes: int
    #: How the code got to the user: a channel, or ``"recovery"``.
    method: str


class Enrolled(Accepted):
    """The code was right, and the number is the user's."""

    phone: Phone
    #: Whether the recovery codes that were drawn are the user's from now on, and are to be shown.
    recovery: bool


class Done(Outcome):
    """What was asked for is so."""


# --- enrolment


def start(
    book: Book, *, new_id: str, phone: Phone, replace: str | None, proof: Proof | None, locale: str | None,
    channel: str,
) -> Reply | Refusal:  # fmt: skip
    """Put a number beside the enrolled ones, waiting for its first code."""
    user = book.user
    if refusal := spent(book) or unproven(book, proof):
        return refusal
    replaces = to_replace(book, phone.number, replace)
    if isinstance(replaces, Refusal):
        return replaces
    pending = user.pending
    if pending and pending.phone.number == phone.number and within_gap(book, pending.issued):
        pending.replaces = replaces
        return Reply(pending.issued, pending.phone, sent=False)
    if refusal := in_use(book, phone.number) or reserve(book, phone.number):
        return refusal
    issued = issue(book, new_id, "enrollment", phone, (), locale, channel)
    user.pending = Pending(issued, phone, replaces)
    return Reply(issued, phone, sent=True, displaced=pending)


def resend_pending(book: Book, *, new_id: str, challenge_id: str, channel: str | None) -> Reply | Refusal:
    """Repeat the message of the number that waits; renew a dead one only while the user has no number."""
    pending = book.user.pending
    if refusal := spent(book):
        return refusal
    if pending is None or pending.issued.id != challenge_id:
        return CodeRejected()
    book.phone = pending.phone
    dead = closed(book, pending.issued)
    if dead is None:
        return repeat(book, pending.issued, pending.phone, channel)
    if book.user.phones or not renewable(book, pending.issued):
        return dead
    if refusal := in_use(book, pending.phone.number) or reserve(book, pending.phone.number):
        return refusal
    old = pending.issued
    issued = issue(book, new_id, "enrollment", pending.phone, (), old.locale, channel or old.channel)
    book.user.pending = Pending(issued, pending.phone, pending.replaces)
    return Reply(issued, pending.phone, sent=True, displaced=pending)


def confirm(book: Book, *, challenge_id: str, code: Opaque[str], recovery: list[bytes]) -> Enrolled | Refusal:
    """Enrol the number that waits, if the code is the one it was sent."""
    user, pending = book.user, book.user.pending
    if refusal := spent(book):
        return refusal
    if pending is None or pending.issued.id != challenge_id:
        return unknown(book, code)
    book.phone = phone = pending.phone
    if refusal := closed(book, pending.issued):
        return refusal
    if not matches(book, "enrollment", pending.issued, phone, code):
        return wrong(book, pending.issued)
    user.pending = None  # the code is used, whatever comes next
    gone = [old for old in user.phones if old.id == pending.replaces or old.number == phone.number]
    if not gone and len(user.phones) >= book.config.max_phones:
        return AlreadyEnrolled()
    if refusal := in_use(book, phone.number):
        return refusal
    place = user.phones.index(gone[0]) if gone else len(user.phones)
    let_go(book, gone)
    if book.config.max_users_per_number:
        book.number(phone.number).holders.append(book.holder)
    phone.enrolled_at = book.now
    user.phones.insert(place, phone)
    user.changes += 1
    drawn = bool(recovery) and not user.recovery
    user.recovery = recovery if drawn else user.recovery
    return Enrolled(user.changes, pending.issued.channel, phone, drawn)


def remove(book: Book, *, phone_id: str, proof: Proof | None) -> Done | Refusal:
    """Drop a number; with the last one the recovery codes go too."""
    user = book.user
    if refusal := unproven(book, proof):
        return refusal
    phone = find_phone(user, phone_id)
    if phone is None:
        return NotEnrolled()
    book.phone = phone
    let_go(book, [phone])
    user.pending = None  # it was started under a proof from before
    user.recovery = user.recovery if user.phones else []
    user.changes += 1
    return Done()


def new_recovery_codes(book: Book, *, recovery: list[bytes], proof: Proof | None) -> Done | Refusal:
    """Put new recovery codes in place of the old ones."""
    if not book.user.phones:
        return NotEnrolled()
    if refusal := unproven(book, proof):
        return refusal
    book.user.recovery = recovery
    return Done()


def reset(book: Book) -> Done:
    """Forget the user's numbers, challenges and recovery codes, and keep every bucket."""
    user = book.user
    if user.phones or user.pending:
        let_go(book, user.phones)
        user.pending, user.recovery = None, []
        user.changes += 1
    return Done()


# --- challenge and check


def challenge(
    book: Book, *, new_id: str, phone_id: str | None, purpose: str, details: tuple[tuple[str, str], ...],
    locale: str | None, channel: str,
) -> Reply | Refusal:  # fmt: skip
    """Make a new code for a purpose, unless the last message about the same thing is recent."""
    user = book.user
    if refusal := spent(book):
        return refusal
    phone = usable(user, phone_id)
    if isinstance(phone, Refusal):
        return phone
    book.phone = phone
    old = find_purpose(user, purpose)
    if old and old.phone_id == phone.id and old.details == details and within_gap(book, old):
        return Reply(old, phone, sent=False)
    if refusal := reserve(book, phone.number):
        return refusal
    return put_in_place(book, old, issue(book, new_id, purpose, phone, details, locale, channel), phone)


def resend(book: Book, *, new_id: str, challenge_id: str, channel: str | None) -> Reply | Refusal:
    """Repeat the message of a challenge; for a day, renew one that is dead."""
    if refusal := spent(book):
        return refusal
    issued = find_issued(book.user, challenge_id)
    if issued is None:
        return CodeRejected()
    phone = usable(book.user, issued.phone_id)
    if isinstance(phone, Refusal):
        return phone
    book.phone = phone
    dead = closed(book, issued)
    if dead is None:
        return repeat(book, issued, phone, channel)
    if not renewable(book, issued):
        return dead
    if refusal := reserve(book, phone.number):
        return refusal
    purpose, details, locale, channel = issued.purpose, issued.details, issued.locale, channel or issued.channel
    return put_in_place(book, issued, issue(book, new_id, purpose, phone, details, locale, channel), phone)


def settle(book: Book, *, reply: Reply) -> Done:
    """A message certainly did not go out: give back what it was charged, the gap, and what it displaced."""
    user, pending = book.user, book.user.pending
    for _, limit, record in book.send_buckets(reply.phone.number):
        record.sends = give_back(limit, record.sends, book.now)
    waits = pending is not None and pending.issued.id == reply.issued.id
    kept = pending.issued if pending and waits else find_issued(user, reply.issued.id)
    if kept is None:
        return Done()  # used or replaced meanwhile
    if kept.sent != reply.issued.sent:
        return Done()  # another message with this code has gone out
    if reply.before is not None:
        kept.sent, kept.channel = reply.before
    elif waits:
        user.pending = reply.displaced if isinstance(reply.displaced, Pending) else None
    else:
        user.issued = [other for other in user.issued if other is not kept]
        if isinstance(reply.displaced, Issued) and find_phone(user, reply.displaced.phone_id):
            user.issued.append(reply.displaced)
    return Done()


def verify(
    book: Book, *, challenge_id: str, code: Opaque[str], purpose: str, details: tuple[tuple[str, str], ...]
) -> Accepted | Refusal:
    """Let the user in, once, if the code is that of this challenge for this purpose and these details."""
    user = book.user
    if refusal := spent(book):
        return refusal
    issued = find_issued(user, challenge_id)
    if issued is None or issued.purpose != purpose or issued.details != details:
        return unknown(book, code)
    phone = usable(user, issued.phone_id)
    if isinstance(phone, Refusal):
        return phone
    book.phone = phone
    if refusal := closed(book, issued):
        return refusal
    if matches(book, "verification", issued, phone, code):
        user.issued.remove(issued)
        phone.failures, phone.last_used_at = 0, book.now
        return Accepted(user.changes, issued.channel)
    phone.failures += 1
    phone.disabled = phone.failures >= book.config.limits.consecutive
    return CodeRejected() if phone.disabled else wrong(book, issued)


def recover(book: Book, *, hashed: bytes, replacement: bytes) -> Accepted | Refusal:
    """Let the user in with a recovery code, and put another in its place. Only a wrong one is charged."""
    user, limit = book.user, book.config.limits.recovery
    bucket, short = take(limit, user.recoveries, book.now)
    if short:
        user.recoveries = bucket
        return RateLimited("recovery", wait(limit, short))
    if not user.phones:
        return NotEnrolled()
    matches = [compare_digest(hashed, kept) for kept in user.recovery]  # all of them, so that time tells nothing
    if True not in matches:
        user.recoveries = bucket
        return CodeRejected(remaining(limit, user.recoveries, book.now))
    user.recovery[matches.index(True)] = replacement
    return Accepted(user.changes, "recovery")


def unlock(book: Book) -> Done:
    """The operator's: fill the guess and recovery buckets. A disabled number stays disabled."""
    book.user.guesses = book.user.recoveries = 0
    return Done()
