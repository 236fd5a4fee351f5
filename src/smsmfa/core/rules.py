"""The checks and the charges that decisions are made of. Each refusal changes nothing but a clamp."""

from datetime import timedelta
from hmac import compare_digest

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
from .opaque import Opaque
from .operation import DAY, Book, Outcome, Refusal
from .proofs import Proof
from .records import Issued, Pending, Phone, User

#: Hosts' clocks differ: a code or a proof is taken from a minute before it was made (microseconds).
SKEW = 60_000_000
#: How old a proof may be (microseconds).
PROOF_LIFETIME = 600_000_000
#: How many challenges a user's record holds, dead ones that can be asked for again included.
_MOST_ISSUED = 32


_NOBODY = Phone("", 0, "", "")


class Reply(Outcome):
    """A challenge, and whether its message has to go out."""

    issued: Issued
    phone: Phone
    sent: bool
    #: What the new challenge took the place of, to be put back if the message does not go out.
    displaced: Issued | Pending | None = None
    #: When and how the message before this one went out, where this one repeats it.
    before: tuple[int, str] | None = None


def spent(book: Book) -> Refusal | None:
    """Refuse while the user's guess budget is empty."""
    limit = book.config.limits.guesses
    bucket, short = take(limit, book.user.guesses, book.now)
    if not short:
        return None
    book.user.guesses = bucket
    return RateLimited("guesses", wait(limit, short))


def unproven(book: Book, proof: Proof | None) -> Refusal | None:
    """Refuse a change of the numbers a user has without a proof that is fresh and younger than they are."""
    if not book.user.phones:
        return None
    if proof is None or not proof.manages or proof.changes != book.user.changes:
        return ProofRequired()
    return None if -SKEW <= book.now - proof.at <= PROOF_LIFETIME else ProofRequired()


def to_replace(book: Book, number: int, replace: str | None) -> str | Refusal | None:
    """Return the id of the number that a new one takes the place of, if any."""
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


def in_use(book: Book, number: int) -> Refusal | None:
    """Refuse a number that as many other users as allowed have (NIST SP 800-63B-4, 3.1)."""
    most = book.config.max_users_per_number
    if most and sum(holder != book.holder for holder in book.number(number).holders) >= most:
        return PhoneInUse()
    return None


def let_go(book: Book, gone: list[Phone]) -> None:
    """Drop numbers, the challenges sent to them, and the user from those numbers' records."""
    user = book.user
    ids = {phone.id for phone in gone}
    for phone in gone:
        number = book.number(phone.number)
        number.holders = [holder for holder in number.holders if holder != book.holder]
    user.phones = [phone for phone in user.phones if phone.id not in ids]
    user.issued = [issued for issued in user.issued if issued.phone_id not in ids]


def find_phone(user: User, phone_id: str) -> Phone | None:
    """Return the user's number of that id."""
    for phone in user.phones:
        if phone.id == phone_id:
            return phone
    return None


def find_issued(user: User, challenge_id: str) -> Issued | None:
    """Return the challenge of that id, of whatever purpose, but for one of an enrolment."""
    for issued in user.issued:
        if issued.id == challenge_id:
            return issued
    return None


def find_purpose(user: User, purpose: str) -> Issued | None:
    """Return the one challenge for a purpose."""
    for issued in user.issued:
        if issued.purpose == purpose:
            return issued
    return None


def usable(user: User, phone_id: str | None) -> Phone | Refusal:
    """Return the number to send to: the one named, or the first that is not disabled."""
    locked = False
    for phone in user.phones:
        if phone_id is None or phone.id == phone_id:
            if not phone.disabled:
                return phone
            locked = True
    return Locked() if locked else NotEnrolled()


def about_phone(user: User, phone_id: str | None) -> list[Phone]:
    """Locate the number that a challenge will go to."""
    phone = usable(user, phone_id)
    return [phone] if isinstance(phone, Phone) else []


def about_challenge(user: User, challenge_id: str) -> list[Phone]:
    """Locate the number that a challenge went to."""
    issued = find_issued(user, challenge_id)
    return about_phone(user, issued.phone_id) if issued else []


def about_pending(user: User) -> list[Phone]:
    """Locate the number that waits."""
    return [user.pending.phone] if user.pending else []


def about_all(user: User) -> list[Phone]:
    """Locate every number of the user's, waiting or not."""
    return user.phones + about_pending(user)


def issue(
    book: Book, new_id: str, purpose: str, phone: Phone, details: tuple[tuple[str, str], ...], locale: str | None,
    channel: str = "sms",
) -> Issued:  # fmt: skip
    """Make a challenge that begins now."""
    config, now = book.config, book.now
    key_id = config.keys.newest.key_id
    return Issued(new_id, key_id, purpose, phone.id, details, locale, now, now + config.lifetime_us, now, 0, channel)


def closed(book: Book, issued: Issued) -> Refusal | None:
    """Say why a challenge cannot be answered: too old, from the future, under a retired secret, or worn out."""
    if not issued.created - SKEW <= book.now < issued.expires or book.config.keys.get(issued.key_id) is None:
        return CodeExpired()
    return CodeRejected() if issued.attempts >= book.config.attempts else None


def alive(book: Book, issued: Issued) -> bool:
    """Say whether a challenge can be answered."""
    return closed(book, issued) is None


def within_gap(book: Book, issued: Issued) -> bool:
    """Say whether the last message of a live challenge is too recent for another."""
    return alive(book, issued) and gap_left(book, issued) > 0


def gap_left(book: Book, issued: Issued) -> int:
    """Return for how long the last message is too recent for another (microseconds).

    A message from further ahead than hosts' clocks differ is one from before the clock was set back: it has no gap.
    """
    gap = book.config.resend_gap_us
    left = issued.sent + gap - book.now
    return left if 0 < left <= gap + SKEW else 0


def renewable(book: Book, issued: Issued) -> bool:
    """A dead challenge can be asked for again for a day."""
    return book.now < issued.expires + DAY


def put_in_place(book: Book, old: Issued | None, issued: Issued, phone: Phone) -> Reply:
    """Put a new challenge in place of the old one."""
    others = [other for other in book.user.issued if other is not old and renewable(book, other)]
    book.user.issued = [*others[1 - _MOST_ISSUED :], issued]
    return Reply(issued, phone, sent=True, displaced=old)


def repeat(book: Book, issued: Issued, phone: Phone, channel: str | None) -> Reply | Refusal:
    """Reserve one more message with the same code, expiry and attempts, by the same channel or another."""
    if early := gap_left(book, issued):
        return RateLimited("resend", timedelta(microseconds=early))
    if refusal := reserve(book, phone.number):
        return refusal
    before = issued.sent, issued.channel
    issued.sent, issued.channel = book.now, channel or issued.channel
    return Reply(issued, phone, sent=True, before=before)


def reserve(book: Book, number: int) -> Refusal | None:
    """Charge one message to every bucket, or say which one makes the user wait longest and charge none."""
    now = book.now
    taken, refusals = [], []
    for scope, limit, record in book.send_buckets(number):
        bucket, short = take(limit, record.sends, now)
        if short:
            record.sends = bucket
            refusals.append((limit.refill is None, short, scope, wait(limit, short)))
        else:
            taken.append((record, bucket))
    if refusals:
        _, _, scope, retry_after = max(refusals)  # scopes differ, so nothing after them is compared
        return RateLimited(scope, retry_after)
    for record, bucket in taken:
        record.sends = bucket
    return None


def matches(book: Book, kind: str, issued: Issued, phone: Phone, code: Opaque[str]) -> bool:
    """Reserve an attempt and a guess, then compare; a right code gives its guess back."""
    user, before = book.user, book.user.guesses
    issued.attempts += 1
    user.guesses, _ = take(book.config.limits.guesses, user.guesses, book.now)
    if not equal(book, kind, issued, phone.number, code):
        return False
    user.guesses = before
    return True


def equal(book: Book, kind: str, issued: Issued, number: int, code: Opaque[str]) -> bool:
    """Derive the code and compare, in constant time (OWASP ASVS 5.0, 11.2.4)."""
    return compare_digest(book.config.code(book.user_key, kind, issued, number), code.reveal())


def wrong(book: Book, issued: Issued) -> CodeRejected:
    """Refuse a wrong code, with what the challenge and the budget still allow."""
    config = book.config
    guesses = remaining(config.limits.guesses, book.user.guesses, book.now)
    return CodeRejected(min(config.attempts - issued.attempts, guesses))


def unknown(book: Book, code: Opaque[str]) -> CodeRejected:
    """Refuse for a challenge that is not there, after the work of one that is (OWASP ASVS 5.0, 11.2.4)."""
    equal(book, "verification", issue(book, "", "", _NOBODY, (), None), 0, code)
    return CodeRejected()
