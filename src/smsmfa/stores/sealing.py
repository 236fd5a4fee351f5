"""How an encrypted store names keys and seals values. A name reveals nothing, and a value is valid for one name only.

A sealed value is one byte for the format, 4 bytes that name the encryption key, a random nonce of 12 bytes, and the
padded value under AES-256-GCM-SIV (RFC 8452) with its tag of 16 bytes. The first 5 bytes and the name are
authenticated too.

One key is good for 2^64 values of up to 128 KiB, or 2^48 values of up to 32 MiB: an attacker's advantage then stays
below 2^-32 (RFC 8452, section 9). Random nonces of 96 bits start to repeat after about 2^48 values. In AES-GCM one
repetition breaks the cipher. In AES-GCM-SIV it shows no more than whether two values of the same name are equal, and
the proof allows for 256 uses of a nonce, which chance alone does not reach before 2^102 values.
"""

import hmac
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from os import urandom
from typing import Any, NoReturn, TypeVar

try:
    import cryptography  # noqa: F401
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV  # since 42.0
except ImportError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.encrypted needs cryptography: pip install "smsmfa[encryption]"', name="cryptography"
    ) from _error

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..codes import EXAMPLE_SECRET, SECRET_BYTES, Secret
from ..core.opaque import Opaque
from ..exceptions import ConfigurationError, StoreError
from ..typing import Change, Entry
from .writes import check_write

T = TypeVar("T")

#: The row that says which keys a store is encrypted under. It is shorter than any name.
MARK = "smsmfa.encrypted"

#: Format 1 was XAES-256-GCM, in versions that were never released.
_FORMAT = b"\2"
_HEADER, _NONCE, _TAG = 5, 12, 16
#: Values are padded to a multiple of this, so that most records have the same length (bytes).
_BLOCK = 512

_NO_KEY = (
    "one str or bytes of at least 32 bytes{}, and not a key from the documentation; make one with "
    "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
)
_NO_CIPHER = (
    "EncryptedStore needs AES-GCM-SIV, which the OpenSSL that cryptography is linked with does not offer: it needs "
    "OpenSSL 3.2 or later, not in FIPS mode; wheels of cryptography bring their own: "
    "pip install --force-reinstall --only-binary cryptography cryptography"
)


class Sealer:
    """Names the keys and seals the values of one store.

    Args:
        keys: the keys that encrypt values, newest first.
        name_key: the key that names are made with.

    Raises:
        ConfigurationError: a key is missing, too short, public or listed twice, or OpenSSL has no AES-GCM-SIV.
    """

    def __init__(self, keys: Opaque[Secret | Iterable[Secret]], name_key: Opaque[Secret]) -> None:
        checked = [_checked("keys", key, ", or several, newest first") for key in _listed(keys)]
        headers = [_FORMAT + _derived(key, b"id")[: _HEADER - 1] for key in checked]
        if len(set(headers)) < len(headers):
            raise ConfigurationError("keys: the same key is listed twice")
        self._ciphers = {header: _cipher(key) for header, key in zip(headers, checked, strict=True)}
        self._header = headers[0]
        self._mac = hmac.new(_derived(_checked("name_key", name_key), b"name"), digestmod=sha256)

    def name(self, key: str) -> str:
        """Return the name of a key in the wrapped store: 43 characters that only the name key can compute."""
        mac = self._mac.copy()
        mac.update(key.encode("utf-8", "surrogatepass"))
        return b2a_base64(mac.digest())[:43].decode()

    def seal(self, name: str, value: bytes) -> bytes:
        """Encrypt a value under the newest key, for this name alone."""
        nonce, header = urandom(_NONCE), self._header
        padded = value + b"\x80" + bytes(-(len(value) + 1) % _BLOCK)  # ISO/IEC 9797-1, padding method 2
        return header + nonce + self._ciphers[header].encrypt(nonce, padded, header + name.encode())

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """Return the value that was sealed for this name.

        Raises:
            StoreError: the value was not sealed for this name under one of the keys. An unreadable value is never
                treated as absent.
        """
        header, nonce, encrypted = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
        if header[:1] != _FORMAT or len(encrypted) < _TAG:
            raise StoreError(
                "a stored value is not in the encrypted format: it was written in clear, or by another version of "
                "smsmfa; give EncryptedStore a store that nothing else writes to"
            )
        cipher = self._ciphers.get(header)
        if cipher is None:
            raise StoreError("a stored value is encrypted under a key that is not in keys; list that key again")
        try:
            padded = cipher.decrypt(nonce, encrypted, header + name.encode())
        except InvalidTag as error:
            raise StoreError("a stored value was altered, or moved here from another row") from error
        return padded.rstrip(b"\0")[:-1]

    def sealing(self, keys: Sequence[str], change: Change[T]) -> tuple[list[str], Change[T]]:
        """Return the names of the keys, and a change of sealed values that does what the given change does."""
        names = {key: self.name(key) for key in keys}

        def sealed_change(sealed: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], T]:
            present = {key: self.unseal(name, sealed[name]) for key, name in names.items() if name in sealed}
            changed, outcome = change(present)
            writes: dict[str, Entry | None] = {}
            for key, entry in changed.items():
                check_write(key, entry, names)
                writes[names[key]] = self._sealed(names[key], entry)
            return writes, outcome

        return list(names.values()), sealed_change

    def _sealed(self, name: str, entry: Entry | None) -> Entry | None:
        return None if entry is None else Entry(self.seal(name, entry.value), entry.keep_for)

    def mark(self, sealed: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], None]:
        """Change an unmarked store to say which keys it is encrypted under.

        Raises:
            StoreError: the store is marked with other keys.
        """
        if MARK not in sealed:
            return {MARK: Entry(self.seal(MARK, self.name(MARK).encode()))}, None
        self.check_mark(sealed[MARK])
        return {}, None

    def check_mark(self, sealed: bytes | None) -> None:
        """Check the mark of a store. Under another name key every record would seem absent.

        Raises:
            StoreError: there is no mark, or it was made with other keys.
        """
        if sealed is None:
            raise StoreError(
                "this store was not prepared for encryption: call prepare() once, while it is empty; records that "
                "are already in it, in clear, would not be found"
            )
        if self.unseal(MARK, sealed) != self.name(MARK).encode():
            raise StoreError(
                "name_key: this store was prepared with another one, so no record would be found; use that key again"
            )

    def renew(self, name: str, sealed: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], None]:
        """Change the value under a name from an older key to the newest.

        Raises:
            StoreError: the value cannot be read.
        """
        value = sealed.get(name)
        if value is None or value.startswith(self._header):
            return {}, None
        return {name: Entry(self.seal(name, self.unseal(name, value)))}, None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sealer holds keys and cannot be pickled or copied")


def _cipher(key: Opaque[bytes]) -> AESGCMSIV:
    try:
        return AESGCMSIV(_derived(key, b"AES-256-GCM-SIV"))
    except UnsupportedAlgorithm as error:
        raise ConfigurationError(_NO_CIPHER) from error


def _listed(keys: Opaque[Any]) -> list[Opaque[Any]]:
    """Return each key in its own Opaque. No key is bound to a name, which a traceback might show."""
    if isinstance(keys.reveal(), str | bytes) or not isinstance(keys.reveal(), Iterable):
        return [keys]
    return list(map(Opaque, keys.reveal())) or [Opaque(b"")]


def _checked(argument: str, key: Opaque[Any], more: str = "") -> Opaque[bytes]:
    raw = Opaque(_bytes(key.reveal()))
    if len(raw.reveal()) < SECRET_BYTES or raw.reveal() == EXAMPLE_SECRET.encode():
        raise ConfigurationError(f"{argument}: {_NO_KEY.format(more)}")
    return raw


def _bytes(key: object) -> bytes:
    """Return a key as bytes, or no bytes if it is neither str nor bytes."""
    raw = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    return raw if isinstance(raw, bytes) else b""


def _derived(key: Opaque[bytes], use: bytes) -> bytes:
    """Return a key of 32 bytes for one use (HKDF, RFC 5869)."""
    return HKDF(SHA256(), 32, None, b"smsmfa encrypted store, " + use).derive(key.reveal())
