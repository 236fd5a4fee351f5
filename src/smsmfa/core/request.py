"""A request with a code, and how a repetition of it is recognised.

People press twice, networks lose answers, and browsers reload. So an application puts a random ``retry_key`` into each
form. The record keeps a mark of an accepted request: a MAC of the key and the code. A request with the same mark gets
the same answer. Recovery codes in that answer are not stored: they are derived from the secret, the key and a random
seed, which is deleted with the answer.
"""

from hashlib import sha256
from hmac import compare_digest

import msgspec

from ..codes import CodeGenerator, KeyRing, new_recovery_code, read_recovery_code, recovery_code
from .opaque import Opaque
from .records import Answer, Details

#: Eight bytes keep the record small, and nobody can try enough keys to hit a mark.
_MARK_BYTES, _ABOUT_BYTES = 8, 8
_NO_KEY = Opaque("")


class Request(msgspec.Struct):
    """What a person asked for, with a code.

    Args:
        keys: the secrets.
        user_key: the store key of the user's record.
        code: the code, the recovery code or the proof.
        kind: the kind of request.
        id: the challenge, or the hash of the recovery code, or ``""``.
        retry_key: names the form of one session, or ``None``: the request cannot be repeated.
        seed: random bytes for recovery codes.
        purpose: what the code must be for.
        details: what exactly.
    """

    keys: KeyRing
    user_key: str
    code: Opaque[str]
    kind: str
    id: str = ""
    retry_key: Opaque[str] | None = None
    seed: bytes = b""
    purpose: str = ""
    details: Details = ()

    @property
    def about(self) -> bytes:
        """A hash of what was asked for, without the code. A record keeps it."""
        return sha256(self._what.encode()).digest()[:_ABOUT_BYTES]

    @property
    def _what(self) -> str:
        return repr((self.kind, self.id, self.purpose, self.details))

    def answer(self, now: int, method: str = "", *, phone_id: str = "", codes: int = 0, refusal: str = "") -> Answer:
        """Return the answer to this request as a record keeps it, without what only a repetition would need."""
        if self.retry_key is None:
            return Answer(about=self.about, at=now, method=method)
        generator = self.keys.newest
        return Answer(
            about=self.about, at=now, mark=self._mark(generator), key_id=generator.key_id, method=method,
            phone_id=phone_id, seed=self.seed if codes else b"", codes=codes, refusal=refusal,
        )  # fmt: skip

    def repeats(self, answer: Answer) -> bool:
        """Tell whether this request repeats the one that was answered."""
        generator = self.keys.get(answer.key_id)
        if self.retry_key is None or not answer.mark or generator is None or answer.about != self.about:
            return False
        return compare_digest(self._mark(generator), answer.mark)

    def recovery_codes(self, count: int) -> Opaque[tuple[str, ...]]:
        """Return new recovery codes: random ones, or ones that a repetition can derive again."""
        return Opaque(tuple(self._recovery_code(self.keys.newest, self.seed, place) for place in range(count)))

    def shown_before(self, answer: Answer) -> Opaque[tuple[str, ...]]:
        """Derive again the recovery codes that an answer showed."""
        generator = self.keys.get(answer.key_id)
        return Opaque(tuple(self._recovery_code(generator, answer.seed, place) for place in range(answer.codes)))

    def _recovery_code(self, generator: CodeGenerator | None, seed: bytes, place: int) -> str:
        if self.retry_key is None or generator is None:
            return new_recovery_code().reveal()
        return recovery_code(
            generator.sign("recovery code", self.user_key, seed, self.retry_key.reveal(), str(place))
        ).reveal()

    def _mark(self, generator: CodeGenerator) -> bytes:
        key = self.retry_key or _NO_KEY
        return generator.sign("retry", self.user_key, self._what, key.reveal(), self.code.reveal())[:_MARK_BYTES]


def hashes_of(codes: Opaque[tuple[str, ...]]) -> list[bytes]:
    """Return the hashes of recovery codes, which a record keeps."""
    return [read_recovery_code(code) or b"" for code in codes.reveal()]
