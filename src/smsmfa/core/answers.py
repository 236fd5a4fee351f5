"""Stored answers. If the same request comes twice, the second gets the stored answer."""

from ..exceptions import AlreadyEnrolled, CodeRejected, CodeUsed, PhoneInUse
from ..limiter import CLOCK_SKEW, remaining
from . import rules
from .book import RETRY_LIFETIME, Book
from .outcomes import Accepted, Enrolled, Refusal
from .records import Answer
from .request import Request, hashes_of

#: How many accepted requests a record holds, and how many refused ones: all attempts of a challenge.
_MOST_ACCEPTED, _MOST_REFUSED = 8, 10
#: How often a request may come with another code before its answer is not repeated any more.
_MOST_MISSES = 5


def find(book: Book, request: Request) -> Answer | None:
    """Return the answer that the same request got in the last ten minutes."""
    if request.retry_key is None:
        return None
    for answer in (*book.user.accepted, *book.user.refused):
        if -CLOCK_SKEW <= book.now - answer.at <= RETRY_LIFETIME and request.repeats(answer):
            return answer
    return None


def is_live(book: Book, request: Request, answer: Answer) -> bool:
    """Tell whether an answer showed no recovery codes, or one of them still works."""
    return not answer.seed or not set(hashes_of(request.shown_before(answer))).isdisjoint(book.user.recovery)


def used_refusal(book: Book, request: Request) -> Refusal | None:
    """Refuse a request whose challenge or recovery code was accepted in the last ten minutes, whatever its code.

    A few requests with another code end the repetition of that answer, so that nobody can try all codes.
    """
    for answer in book.user.accepted:
        if book.now - answer.at <= RETRY_LIFETIME and answer.about == request.about:
            if answer.mark and request.retry_key is not None:  # without a key it tries nothing
                answer.misses += 1
                answer.mark = answer.mark if answer.misses < _MOST_MISSES else b""
            return CodeUsed()
    return None


def forget_old(book: Book) -> None:
    """Drop the answers that cannot be repeated any more."""
    user, oldest = book.user, book.now - RETRY_LIFETIME
    while user.accepted and user.accepted[0].at < oldest:
        del user.accepted[0]
    while user.refused and user.refused[0].at < oldest:
        del user.refused[0]


def accept(book: Book, request: Request, method: str = "", *, phone_id: str = "", codes: int = 0) -> Answer:
    """Keep the answer to a request that is accepted, and return it. The next message drops it once it is old."""
    answer = request.answer(book.now, method, phone_id=phone_id, codes=codes)
    book.user.accepted = [*book.user.accepted[1 - _MOST_ACCEPTED :], answer]
    return answer


def refuse(book: Book, request: Request, refusal: Refusal) -> Refusal:
    """Keep a refusal, if the request can be repeated, and return it."""
    if request.retry_key is not None:
        forget_old(book)
        answer = request.answer(book.now, refusal=refusal.code)
        book.user.refused = [*book.user.refused[1 - _MOST_REFUSED :], answer]
    return refusal


def accepted_again(book: Book, request: Request, answer: Answer) -> Accepted | Refusal:
    """Return what a request got before: the user was let in, or was refused."""
    if answer.refusal:
        return _refused_again(book, request, answer)
    if not is_live(book, request, answer):
        return CodeUsed()
    if request.kind == "verify":
        book.phone = next((phone for phone in book.user.phones if phone.last_used_at == answer.at), None)
    return Accepted(_stamp(book), answer, repeated=True)


def enrolled_again(book: Book, request: Request, answer: Answer) -> Enrolled | Refusal:
    """Return what a request got before: the number was enrolled, or was refused."""
    if answer.refusal:
        return _refused_again(book, request, answer)
    book.phone = phone = rules.find_phone(book.user, answer.phone_id)
    if phone is None or not is_live(book, request, answer):
        return CodeUsed()
    return Enrolled(_stamp(book), answer, repeated=True, phone=phone, shows_codes=bool(answer.seed))


def _refused_again(book: Book, request: Request, answer: Answer) -> Refusal:
    """Return the refusal that a request got before, with what is left now."""
    for right in (PhoneInUse, AlreadyEnrolled):  # the code was right
        if answer.refusal == right.code:
            return right()
    user, limits = book.user, book.config.limits
    if request.kind == "recover":
        return CodeRejected(remaining(limits.recovery, user.recoveries, book.now))
    pending = user.pending.issued if user.pending and user.pending.issued.id == request.id else None
    issued = pending or rules.find_challenge(user, request.id)
    book.phone = phone = rules.find_phone(user, issued.phone_id) if issued else None
    if issued is None or rules.closed_refusal(book, issued) or (phone is not None and phone.disabled):
        return CodeRejected()
    return rules.wrong_code(book, issued)


def _stamp(book: Book) -> bytes:
    return book.user.stamp if isinstance(book.user.stamp, bytes) else b""
