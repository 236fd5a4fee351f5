"""The answers that a record keeps, so that the same request is answered again."""

from ..exceptions import AlreadyEnrolled, CodeRejected, PhoneInUse
from ..limiter import CLOCK_SKEW, remaining
from . import rules
from .book import RETRY_LIFETIME, Book
from .outcomes import Accepted, Enrolled, Refusal
from .records import Answer
from .request import Request, hashes_of

#: How many answers of each kind a record holds.
_MOST_ANSWERS = 8


def find(book: Book, request: Request, codes: int = 0) -> Answer | None:
    """Return the answer to the same request, if it can be repeated.

    If it showed ``codes`` recovery codes, one of them must still work.
    """
    if request.retry_key is None:
        return None
    for answer in _recent(book, [*book.user.accepted, *book.user.refused]):
        if request.repeats(answer):
            shown = hashes_of(request.recovery_codes(codes, answer)) if answer.seed else []
            return answer if not shown or not set(shown).isdisjoint(book.user.recovery) else None
    return None


def is_used(book: Book, request: Request) -> bool:
    """Tell whether the challenge or recovery code of a request was accepted recently, whatever its code."""
    accepted = _recent(book, book.user.accepted)
    return bool(accepted) and request.about in [answer.about for answer in accepted]


def accept(book: Book, request: Request, method: str, *, shows_codes: bool = False) -> Answer:
    """Keep the answer to a request that is accepted, and return it."""
    answer = request.answer(book.now, method, shows_codes=shows_codes)
    book.user.accepted = [*_recent(book, book.user.accepted)[1 - _MOST_ANSWERS :], answer]
    return answer


def refuse(book: Book, request: Request, refusal: Refusal) -> Refusal:
    """Keep a refusal, if the request can be repeated, and return it."""
    if request.retry_key is not None:
        answer = request.answer(book.now, "", refusal=refusal.code)
        book.user.refused = [*_recent(book, book.user.refused)[1 - _MOST_ANSWERS :], answer]
    return refusal


def accepted_again(book: Book, request: Request, answer: Answer) -> Accepted | Refusal:
    """Return what a request got before: the user was let in, or was refused."""
    if answer.refusal:
        return _refused_again(book, request, answer)
    book.phone = next((phone for phone in book.user.phones if phone.last_used_at == answer.at), None)
    return Accepted(_stamp(book), answer, repeated=True)


def enrolled_again(book: Book, request: Request, answer: Answer) -> Enrolled | Refusal:
    """Return what a request got before: the number was enrolled, or was refused."""
    book.phone = phone = next((phone for phone in book.user.phones if phone.enrolled_at == answer.at), None)
    if answer.refusal or phone is None:
        return _refused_again(book, request, answer)
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
    phone = rules.find_phone(user, issued.phone_id) if issued else None
    if issued is None or (phone is not None and phone.disabled):
        return CodeRejected()
    book.phone = phone
    return rules.wrong_code(book, issued)


def _recent(book: Book, answers: list[Answer]) -> list[Answer]:
    """Return the answers of the last ten minutes."""
    return [answer for answer in answers if -CLOCK_SKEW <= book.now - answer.at <= RETRY_LIFETIME]


def _stamp(book: Book) -> bytes:
    return book.user.stamp if isinstance(book.user.stamp, bytes) else b""
