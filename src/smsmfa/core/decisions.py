"""Every state transition of the factor. What they check and charge is in ``rules.py``.

These rules hold below:

1. A decision reads and changes the records in ``book``, and returns an outcome. It draws nothing at random and reads no
   clock. It returns a refusal; it does not raise it.
2. ``start``, ``resend``, ``challenge``, ``confirm`` and ``verify`` check the guess budget first. If it is empty,
   they refuse and compare nothing.
3. A refusal charges nothing, with two exceptions: a wrong code costs an attempt and a guess, and ``PhoneInUse``
   costs the user one message. If several send limits refuse, the longest wait is reported. If the clock was set back,
   a bucket can look more than empty; it is stored as just empty.
4. Only time refills a bucket: not success, not a resend, not removal, not ``reset``. There are two exceptions:
   ``settle`` gives back a message that certainly was not sent, and operators have ``unlock``.
5. The attempt is charged before the code is compared, in the same atomic step, and a right code consumes its
   challenge in that step. An expired, exhausted or unknown challenge costs no guess.
6. There is one live challenge per purpose, and a new one replaces the old. A new number is pending beside the
   enrolled ones, and changes nothing about them, until its code is confirmed.
7. If a user has a number, the user's own changes need a proof that is newer than the last change of the numbers.
   Operators need none for ``adopt`` and ``reset``.
8. If a request comes again with the same ``retry_key``, it gets the earlier answer, before any other check. This does
   not let a code work twice: without the key a used code is refused.

Sources: NIST SP 800-63B-4, 3.1.3.2 and 3.2.2; OWASP ASVS 5.0, 2.3.4, 6.5, 6.6.2 and 15.4;
RTS (EU) 2018/389, Art. 4 and 5.
"""

from datetime import timedelta
from hmac import compare_digest

from ..codes import STAMP_BYTES
from ..exceptions import AlreadyEnrolled, CodeRejected, CodeUsed, NotEnrolled, PhoneNumberError, RateLimited
from ..limiter import give_back, remaining, take, wait
from ..typing import ENROLLMENT, VERIFICATION
from . import answers, rules
from .book import Book
from .outcomes import Accepted, Done, Enrolled, Refusal, Renewed, Reply
from .proofs import Proof
from .records import Answer, Details, Issued, Pending, Phone
from .request import Request

#: How many challenges a user's record holds, including dead ones that can be renewed.
_MOST_ISSUED = 32


# --- enrolment


def start(
    book: Book, *, new_id: str, phone: Phone, replace: str | None, proof: Proof | None, locale: str | None,
    channel: str,
) -> Reply | Refusal:  # fmt: skip
    """Put a pending number beside the enrolled ones."""
    user = book.user
    if refusal := rules.guesses_refusal(book) or rules.proof_refusal(book, proof):
        return refusal
    replaces = rules.replaced_or_refusal(book, phone.number, replace)
    if isinstance(replaces, Refusal):
        return replaces
    pending = user.pending
    if pending and pending.phone.number == phone.number and rules.is_within_gap(book, pending.issued):
        pending.replaces = replaces
        return Reply(pending.issued, pending.phone, sent=False)
    return _send_pending(book, pending, phone, replaces, new_id, locale, channel)


def resend_pending(book: Book, *, new_id: str, challenge_id: str, channel: str | None) -> Reply | Refusal:
    """Repeat the message to a pending number. Renew a dead challenge only while the user has no number."""
    user, pending = book.user, book.user.pending
    if refusal := rules.guesses_refusal(book):
        return refusal
    if pending is None or pending.issued.id != challenge_id:
        return CodeRejected()
    old, phone = pending.issued, pending.phone
    book.phone = phone
    if not book.config.allows(phone.region):
        return PhoneNumberError("region")
    dead = rules.closed_refusal(book, old)
    if dead is None:
        return _repeat(book, old, phone, channel, confirmed=rules.is_confirmed(user, phone.number))
    if user.phones or not rules.is_renewable(book, old):
        return dead
    return _send_pending(book, pending, phone, pending.replaces, new_id, old.locale, channel or old.channel)


def confirm(book: Book, *, request: Request, recovery: list[bytes], stamp: bytes) -> Enrolled | Refusal:
    """Enrol the pending number if the code is right."""
    user, pending = book.user, book.user.pending
    if answer := answers.find(book, request):
        return answers.enrolled_again(book, request, answer)
    if refusal := rules.guesses_refusal(book):
        return refusal
    if pending is None or pending.issued.id != request.id:
        return answers.used_refusal(book, request) or rules.unknown_challenge(book, request.code)
    book.phone = phone = pending.phone
    if refusal := rules.closed_refusal(book, pending.issued):
        return refusal
    if not rules.charge_and_compare(book, ENROLLMENT, pending.issued, phone, request.code):
        return answers.refuse(book, request, rules.wrong_code(book, pending.issued))
    user.pending = None  # the code is used, even if the number is refused below
    gone = [old for old in user.phones if old.id == pending.replaces or old.number == phone.number]
    if not gone and len(user.phones) >= book.config.max_phones:
        return answers.refuse(book, request, AlreadyEnrolled())
    if refusal := rules.in_use_refusal(book, phone.number):
        return answers.refuse(book, request, refusal)
    shows_codes = _enrol(book, phone, gone, recovery, stamp)
    answer = answers.accept(
        book, request, pending.issued.channel, phone_id=phone.id, codes=len(recovery) if shows_codes else 0
    )
    return Enrolled(stamp, answer, phone=phone, shows_codes=shows_codes)


def adopt(book: Book, *, phone: Phone, replace: str | None, recovery: list[bytes], stamp: bytes) -> Enrolled | Refusal:
    """For operators: enrol a number that was verified elsewhere. Again, it changes nothing."""
    user = book.user
    same = next((old for old in user.phones if old.number == phone.number and not old.disabled), None)
    if same is not None and (replace in {None, same.id} or rules.find_phone(user, replace or "") is None):
        book.phone = same
        return Enrolled(b"", _NO_ANSWER, phone=same, shows_codes=False)
    replaces = rules.replaced_or_refusal(book, phone.number, replace)
    if isinstance(replaces, Refusal):
        return replaces
    if refusal := rules.in_use_refusal(book, phone.number):
        return refusal
    user.pending = None  # it was started without a proof, or under an earlier one
    gone = [old for old in user.phones if old.id == replaces or old.number == phone.number]
    return Enrolled(stamp, _NO_ANSWER, phone=phone, shows_codes=_enrol(book, phone, gone, recovery, stamp))


def remove(book: Book, *, phone_id: str, proof: Proof | None, stamp: bytes) -> Done | Refusal:
    """Remove a number. The recovery codes go with the last one."""
    user = book.user
    if refusal := rules.proof_refusal(book, proof):
        return refusal
    phone = rules.find_phone(user, phone_id)
    if phone is None:
        return NotEnrolled()
    book.phone = phone
    _release(book, [phone])
    user.pending = None  # it was started under an earlier proof
    user.recovery = user.recovery if user.phones else []
    _renew_stamp(book, stamp)
    return Done()


def prefer(book: Book, *, phone_id: str, proof: Proof | None) -> Done | Refusal:
    """Make a number the first, to which codes go unless another is named."""
    user = book.user
    if refusal := rules.proof_refusal(book, proof):
        return refusal
    phone = rules.find_phone(user, phone_id)
    if phone is None:
        return NotEnrolled()
    book.phone = phone
    user.phones = [phone, *(other for other in user.phones if other is not phone)]
    return Done()


def new_recovery_codes(
    book: Book, *, request: Request, recovery: list[bytes], proof: Proof | None
) -> Renewed | Refusal:
    """Replace the recovery codes."""
    if answer := answers.find(book, request):
        return Renewed(answer, repeated=True) if answers.is_live(book, request, answer) else CodeUsed()
    if not book.user.phones:
        return NotEnrolled()
    if refusal := rules.proof_refusal(book, proof):
        return refusal
    book.user.recovery = recovery
    return Renewed(answers.accept(book, request, codes=len(recovery)))


def reset(book: Book) -> Done:
    """Forget the user's numbers, challenges and recovery codes, and keep every bucket."""
    user = book.user
    _release(book, user.phones)
    user.pending, user.recovery, user.accepted = None, [], []
    _renew_stamp(book, 0)
    return Done()


# --- challenge and check


def challenge(
    book: Book, *, new_id: str, phone_id: str | None, purpose: str, details: Details, locale: str | None, channel: str
) -> Reply | Refusal:
    """Make a new code for a purpose, unless the last message about the same thing is recent."""
    user = book.user
    if refusal := rules.guesses_refusal(book):
        return refusal
    phone = rules.recipient_or_refusal(book.config, user, phone_id)
    if isinstance(phone, Refusal):
        return phone
    book.phone = phone
    old = rules.find_by_purpose(user, purpose)
    if old and old.phone_id == phone.id and old.details == details and rules.is_within_gap(book, old):
        return Reply(old, phone, sent=False)
    if refusal := rules.charge_message(book, phone.number, confirmed=True):
        return refusal
    return _replace(book, old, rules.new_challenge(book, new_id, purpose, phone, details, locale, channel), phone)


def resend(book: Book, *, new_id: str, challenge_id: str, channel: str | None) -> Reply | Refusal:
    """Repeat the message of a challenge. Renew a dead one, for a day."""
    if refusal := rules.guesses_refusal(book):
        return refusal
    old = rules.find_challenge(book.user, challenge_id)
    if old is None:
        return CodeRejected()
    phone = rules.recipient_or_refusal(book.config, book.user, old.phone_id)
    if isinstance(phone, Refusal):
        return phone
    book.phone = phone
    dead = rules.closed_refusal(book, old)
    if dead is None:
        return _repeat(book, old, phone, channel, confirmed=True)
    if not rules.is_renewable(book, old):
        return dead
    if refusal := rules.charge_message(book, phone.number, confirmed=True):
        return refusal
    details, locale, channel = old.details, old.locale, channel or old.channel
    return _replace(book, old, rules.new_challenge(book, new_id, old.purpose, phone, details, locale, channel), phone)


def settle(book: Book, *, reply: Reply, excused: bool) -> Done:
    """Undo a request whose message certainly was not sent: give back its charges, the gap, and what it displaced.

    ``excused``: the carrier or the operator is at fault. Otherwise the user's own charge is given back only as far as
    ``limits.refunds`` goes.
    """
    user, pending = book.user, book.user.pending
    for one in book.send_buckets(reply.phone.number, confirmed=reply.confirmed):
        if one.scope != "user" or excused or rules.charge_refund(book):
            setattr(one.record, one.field, give_back(one.limit, getattr(one.record, one.field), book.now))
    is_pending = pending is not None and pending.issued.id == reply.issued.id
    kept = pending.issued if pending and is_pending else rules.find_challenge(user, reply.issued.id)
    if kept is None:
        return Done()  # used or replaced meanwhile
    if kept.sent != reply.issued.sent:
        return Done()  # another message with this code has gone out
    if reply.before is not None:
        kept.sent, kept.channel = reply.before
    elif is_pending:
        user.pending = reply.displaced if isinstance(reply.displaced, Pending) else None
    else:
        user.issued = [other for other in user.issued if other is not kept]
        if isinstance(reply.displaced, Issued) and rules.find_phone(user, reply.displaced.phone_id):
            user.issued.append(reply.displaced)
    return Done()


def verify(book: Book, *, request: Request) -> Accepted | Refusal:
    """Let the user in, once, if the code is the one for this challenge, purpose and details."""
    user = book.user
    if answer := answers.find(book, request):
        return answers.accepted_again(book, request, answer)
    if refusal := rules.guesses_refusal(book):
        return refusal
    issued = rules.find_challenge(user, request.id)
    if issued is None or issued.purpose != request.purpose or issued.details != request.details:
        return answers.used_refusal(book, request) or rules.unknown_challenge(book, request.code)
    phone = rules.phone_or_refusal(user, issued.phone_id)
    if isinstance(phone, Refusal):
        return phone
    book.phone = phone
    if refusal := rules.closed_refusal(book, issued):
        return refusal
    if rules.charge_and_compare(book, VERIFICATION, issued, phone, request.code):
        user.issued.remove(issued)
        phone.failures, phone.last_used_at = 0, book.now
        return Accepted(_stamp_for(book, request), answers.accept(book, request, issued.channel))
    phone.failures += 1
    phone.disabled = phone.failures >= book.config.limits.consecutive
    return answers.refuse(book, request, CodeRejected() if phone.disabled else rules.wrong_code(book, issued))


def recover(book: Book, *, request: Request, hashed: bytes, replacement: bytes) -> Accepted | Refusal:
    """Let the user in with a recovery code, and replace it. Only a wrong one is charged."""
    user, limit = book.user, book.config.limits.recovery
    if answer := answers.find(book, request):
        return answers.accepted_again(book, request, answer)
    bucket, short = take(limit, user.recoveries, book.now)
    if short:
        user.recoveries = bucket
        return RateLimited("recovery", wait(limit, short))
    if not user.phones:
        return NotEnrolled()
    matches = [compare_digest(hashed, kept) for kept in user.recovery]  # all, so that the time taken tells nothing
    if True in matches:
        user.recovery[matches.index(True)] = replacement
        return Accepted(_stamp_for(book, request), answers.accept(book, request, "recovery", codes=1))
    if refusal := answers.used_refusal(book, request):
        return refusal
    user.recoveries = bucket
    return answers.refuse(book, request, CodeRejected(remaining(limit, bucket, book.now)))


def unlock(book: Book) -> Done:
    """For operators: refill the guess and recovery buckets. A disabled number stays disabled."""
    book.user.guesses = book.user.recoveries = 0
    return Done()


# --- parts of several transitions


def _send_pending(
    book: Book, old: Pending | None, phone: Phone, replaces: str | None, new_id: str, locale: str | None, channel: str
) -> Reply | Refusal:
    """Charge a message that confirms a number, and make the number pending in place of ``old``."""
    confirmed = rules.is_confirmed(book.user, phone.number)
    in_use = rules.in_use_refusal(book, phone.number)
    if refusal := rules.charge_message(book, phone.number, confirmed=confirmed, in_use=in_use is not None) or in_use:
        return refusal
    issued = rules.new_challenge(book, new_id, ENROLLMENT, phone, (), locale, channel)
    book.user.pending = Pending(issued=issued, phone=phone, replaces=replaces)
    return Reply(issued, phone, sent=True, confirmed=confirmed, displaced=old)


def _repeat(book: Book, issued: Issued, phone: Phone, channel: str | None, *, confirmed: bool) -> Reply | Refusal:
    """Charge one more message with the same code, expiry and attempts, by the same channel or another."""
    early = rules.gap_end(book.config, issued, book.now) - book.now
    if early > 0:
        return RateLimited("resend", timedelta(microseconds=early))
    if refusal := rules.charge_message(book, phone.number, confirmed=confirmed):
        return refusal
    before = issued.sent, issued.channel
    issued.sent, issued.channel = book.now, channel or issued.channel
    return Reply(issued, phone, sent=True, confirmed=confirmed, before=before)


def _replace(book: Book, old: Issued | None, issued: Issued, phone: Phone) -> Reply:
    """Put a new challenge in place of ``old``, and drop what can no longer be renewed or repeated."""
    answers.forget_old(book)
    others = [other for other in book.user.issued if other is not old and rules.is_renewable(book, other)]
    book.user.issued = [*others[1 - _MOST_ISSUED :], issued]
    return Reply(issued, phone, sent=True, displaced=old)


def _enrol(book: Book, phone: Phone, gone: list[Phone], recovery: list[bytes], stamp: bytes) -> bool:
    """Enrol a number in place of the numbers that are ``gone``. Return whether the given recovery codes were stored."""
    user = book.user
    place = user.phones.index(gone[0]) if gone else len(user.phones)
    _release(book, gone)
    if book.config.max_users_per_number:
        book.number(phone.number).holders.append(book.holder)
    phone.enrolled_at = phone.enrolled_at or book.now
    user.phones.insert(place, phone)
    _renew_stamp(book, stamp)
    shows_codes = bool(recovery) and not user.recovery
    user.recovery = recovery if shows_codes else user.recovery
    book.phone = phone
    return shows_codes


def _release(book: Book, gone: list[Phone]) -> None:
    """Remove numbers, the challenges sent to them, and the user from the records of those numbers."""
    user = book.user
    ids = {phone.id for phone in gone}
    for phone in gone:
        number = book.number(phone.number)
        number.holders = [holder for holder in number.holders if holder != book.holder]
    user.phones = [phone for phone in user.phones if phone.id not in ids]
    user.issued = [issued for issued in user.issued if issued.phone_id not in ids]


def _renew_stamp(book: Book, stamp: bytes | int) -> None:
    """Note that the numbers changed: proofs given before are void, and answers given before are not repeated."""
    book.user.stamp = stamp
    book.user.refused = []
    for answer in book.user.accepted:
        answer.mark = answer.seed = b""


def _stamp_for(book: Book, request: Request) -> bytes:
    """Return the stamp of the user's numbers. A record from before stamps gets one, as random as the challenge's id."""
    stamp = book.user.stamp
    if isinstance(stamp, int):
        book.user.stamp = stamp = request.about.ljust(STAMP_BYTES, b"\0")
    return stamp


_NO_ANSWER = Answer(about=b"", at=0)
