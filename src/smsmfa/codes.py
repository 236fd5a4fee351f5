"""Codes, which are derived and never stored, and recovery codes, which are random and stored as a hash.

A code is HMAC-SHA-256 of the challenge's id (128 random bits) and everything that the code is bound to, under the
operator's secret, reduced to decimal digits. So nothing in the store confirms a guess, a resend carries the same code,
and another user, purpose, number or detail gives another code (NIST SP 800-63B-4, 3.1.3.2; OWASP ASVS 5.0, 6.5 and
6.6.2).
"""

import hmac
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from itertools import repeat
from os import urandom
from typing import NoReturn, TypeAlias, TypeGuard

from .core.opaque import Opaque
from .core.typed import compact
from .exceptions import ConfigurationError

Secret: TypeAlias = str | bytes

#: The least length of a secret, for the strength of HMAC-SHA-256 (RFC 2104, 3 discourages keys shorter than the hash).
SECRET_BYTES = 32
#: The secret that the documentation shows. It is public, so it is refused.
EXAMPLE_SECRET = "an-example-from-the-documentation-is-no-secret"
#: A random secret of this length has many more different bytes, even in hexadecimal digits.
_DISTINCT = 8
#: The random bytes of a stamp. With ten, a proof token needs no padding.
STAMP_BYTES = 10
#: The random bytes of an id: 128 bits (OWASP ASVS 5.0, 11.5.1).
_ID_BYTES = 16
#: A longer text is not read as a code of any kind (characters).
_LONGEST_CODE = 256
#: The random bytes of a recovery code: 120 bits, above the 112 of NIST SP 800-63B-4, 3.1.2.2.
_RECOVERY_BYTES = 15
#: 32 symbols, 5 bits each, without I, L, O and U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RECOVERY_LENGTH = _RECOVERY_BYTES * 8 // 5
_LOOKALIKES = str.maketrans("OIL", "011")


def new_id() -> str:
    """Return a fresh random id, in hexadecimal digits."""
    return urandom(_ID_BYTES).hex()


def new_stamp() -> bytes:
    """Return a random value that stands for the present numbers of a user."""
    return urandom(STAMP_BYTES)


def is_id(text: object) -> TypeGuard[str]:
    """Tell whether ``text`` has the form of an id. What an attacker typed instead stays out of the audit trail."""
    return isinstance(text, str) and len(text) == 2 * _ID_BYTES and text.isascii() and text.isalnum()


class CodeGenerator:
    """Derives one-time codes from a secret.

    Args:
        secret: at least 32 bytes, as ``bytes`` or ``str``.
        digits: the length of a code, 6 to 10 (at least 6: NIST SP 800-63B-4, 3.1.3.2).

    Raises:
        ConfigurationError: the secret is too short or public, or ``digits`` is out of range.
    """

    def __init__(self, secret: Secret, digits: int = 6) -> None:
        from msgspec.msgpack import Encoder

        problem, key = _key(secret)
        del secret  # a traceback with locals must not show it
        if problem:
            raise ConfigurationError(problem)
        if type(digits) is not int or not 6 <= digits <= 10:
            raise ConfigurationError("digits: from 6 to 10")
        self.digits = digits
        self._codes = 10**digits
        self._label = f"code of {digits}"
        self._encode = Encoder().encode
        self._mac = hmac.new(key.reveal(), digestmod=sha256)
        #: Names the secret in challenges and proof tokens. It reveals nothing about the secret.
        self.key_id: int = int.from_bytes(self._digest("key id")[:4], "big")

    def code(self, challenge_id: str, *context: str) -> str:
        """Return the code of a challenge: uniform over all strings of ``digits`` digits.

        Args:
            challenge_id: a fresh random id, so that no code repeats.
            context: what the code is bound to. Any difference gives an independent code.
        """
        number = int.from_bytes(self._digest(self._label, challenge_id, *context), "big") % self._codes
        return str(number).zfill(self.digits)

    def sign(self, *parts: str | bytes) -> bytes:
        """Return a MAC of 16 bytes over ``parts``, which cannot serve as a code."""
        return self._digest("proof", *parts)[:16]

    def _digest(self, *parts: str | bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(self._encode(parts))  # MessagePack marks where a part ends, so different lists differ in bytes
        return mac.digest()

    def __repr__(self) -> str:
        return "<CodeGenerator>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a CodeGenerator holds a secret and cannot be pickled or copied")


class KeyRing:
    """The operator's secrets, newest first. The first makes codes, and all of them check codes.

    Args:
        secrets: one secret, or several.
        digits: the length of a code.

    Raises:
        ConfigurationError: there is no secret, or one is too short, public, or listed twice.
    """

    def __init__(self, secrets: Secret | Iterable[Secret], digits: int) -> None:
        hidden = Opaque([secrets] if isinstance(secrets, str | bytes) else _listed(secrets))
        del secrets  # as in CodeGenerator; map() for the same reason, since a comprehension has locals
        generators = list(map(CodeGenerator, hidden.reveal(), repeat(digits)))
        self._generators = {generator.key_id: generator for generator in generators}
        if len(self._generators) < len(generators):
            raise ConfigurationError("secret: the same secret is listed twice")
        if not generators:
            raise ConfigurationError(_NO_SECRET)
        self.newest: CodeGenerator = generators[0]
        #: Returns the generator with a key id, or ``None`` if its secret was retired.
        self.get: Callable[[int], CodeGenerator | None] = self._generators.get

    def __repr__(self) -> str:
        return "<KeyRing>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a KeyRing holds secrets and cannot be pickled or copied")


_NO_SECRET = (
    "secret: one str or bytes of at least 32 bytes, or several, newest first; make one with "
    "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
)


def _listed(secrets: object) -> Sequence[Secret]:
    return list(secrets) if isinstance(secrets, Iterable) else [b""]


def _key(secret: Secret) -> tuple[str, Opaque[bytes]]:
    """Return the problem with a secret, or ``""``, and its bytes."""
    key = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    if not isinstance(key, bytes) or len(key) < SECRET_BYTES:
        return _NO_SECRET, Opaque(b"")
    if key == EXAMPLE_SECRET.encode():
        return "secret: this one is printed in the documentation; " + _NO_SECRET, Opaque(b"")
    if len(set(key)) < _DISTINCT or key in (key + key)[1:-1]:
        return "secret: this one repeats itself, and can be guessed; " + _NO_SECRET, Opaque(b"")
    return "", Opaque(key)


def read_code(submitted: object, digits: int) -> Opaque[str] | None:
    """Return a submitted code as ASCII digits, or ``None`` if it cannot be a code."""
    if not isinstance(submitted, str) or len(submitted) > _LONGEST_CODE:
        return None
    code = compact(submitted)
    return Opaque(code) if len(code) == digits and code.isascii() and code.isdigit() else None


def new_recovery_code() -> Opaque[str]:
    """Return a fresh recovery code."""
    return recovery_code(urandom(_RECOVERY_BYTES))


def recovery_code(data: bytes) -> Opaque[str]:
    """Return the recovery code of at least 15 random bytes, ``XXXX-XXXX-XXXX-XXXX-XXXX-XXXX``."""
    number = int.from_bytes(data[:_RECOVERY_BYTES], "big")
    symbols = "".join(_ALPHABET[number >> 5 * place & 31] for place in range(_RECOVERY_LENGTH))
    return Opaque("-".join(symbols[start : start + 4] for start in range(0, _RECOVERY_LENGTH, 4)))


def read_recovery_code(submitted: object) -> bytes | None:
    """Return the hash of a submitted recovery code, or ``None`` if it cannot be a recovery code.

    Case, spaces and hyphens do not matter, and O, I and L are read as 0, 1 and 1. The code has 120 random bits, so a
    plain SHA-256 is enough (NIST SP 800-63B-4, 3.1.2.2 asks for more only below 112).
    """
    if not isinstance(submitted, str) or len(submitted) > _LONGEST_CODE:
        return None
    code = compact(submitted)
    if not code.isascii():
        return None
    code = code.upper().translate(_LOOKALIKES)
    if len(code) != _RECOVERY_LENGTH or not set(code) <= set(_ALPHABET):
        return None
    return sha256(b"smsmfa recovery code\0" + code.encode()).digest()
