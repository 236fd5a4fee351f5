"""What an encrypted store makes of keys and values: names that say nothing, and values that fit one name only.

A sealed value is a byte for the format, 4 bytes that name the key, a nonce of 24 bytes, and the value under
XAES-256-GCM with its tag of 16 bytes; the first 5 bytes and the name are authenticated with it. Nonces are
random. AES-GCM alone takes 96 bits of them, so that one key is good for 2^32 values and no more (NIST SP 800-38D,
8.3): at 3,000 a second, for 17 days. XAES-256-GCM takes 192, which is enough for 2^80 values.
"""

import hmac
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from os import urandom
from typing import Any, NoReturn, TypeVar

try:
    import cryptography  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        'smsmfa.stores.encrypted needs cryptography: pip install "smsmfa[encryption]"', name="cryptography"
    ) from _error

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..codes import EXAMPLE_SECRET, SECRET_BYTES, Secret
from ..core.opaque import Opaque
from ..exceptions import ConfigurationError, StoreError
from ..typing import Change, Entry
from .writes import check_write

T = TypeVar("T")

#: The name under which a store says under which keys it is encrypted. No key's name is that short.
MARK = "smsmfa.encrypted"

_FORMAT = b"\1"
_HEADER, _NONCE, _TAG = 5, 24, 16
#: Values are padded to a multiple of this, so that most records are of one length (bytes).
_BLOCK = 512

_NO_KEY = (
    "one str or bytes of at least 32 bytes{}, and none that a documentation shows; make one with "
    "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
)


class Xaes256Gcm:
    """XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM under a key for each nonce.

    That key is the CMAC, under the one given, of a counter and half of the nonce (NIST SP 800-108r1, 4.1).

    Args:
        key: 32 bytes, of no other use.
    """

    def __init__(self, key: Opaque[bytes]) -> None:
        self._aes = Cipher(AES(key.reveal()), ECB())  # noqa: S305 - one block at a time: the bare block cipher
        tweak = int.from_bytes(self._encrypted(bytes(16)), "big") << 1
        if tweak >> 128:
            tweak ^= 1 << 128 | 0x87  # NIST SP 800-38B, 6.1
        self._tweaks = tweak << 128 | tweak

    def encrypt(self, nonce: bytes, value: bytes, also: bytes) -> bytes:
        """Return the value encrypted, with a tag that holds for ``also`` too.

        Args:
            nonce: 24 bytes, never the same for two values.
            value: what nobody shall read.
            also: what nobody shall change.
        """
        return AESGCM(self._derived(nonce[:12])).encrypt(nonce[12:], value, also)

    def decrypt(self, nonce: bytes, encrypted: bytes, also: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            InvalidTag: it was with another key, another nonce or another ``also``, or was altered.
        """
        return AESGCM(self._derived(nonce[:12])).decrypt(nonce[12:], encrypted, also)

    def _derived(self, nonce: bytes) -> bytes:
        blocks = int.from_bytes(b"\0\1X\0" + nonce + b"\0\2X\0" + nonce, "big") ^ self._tweaks
        return self._encrypted(blocks.to_bytes(32, "big"))

    def _encrypted(self, blocks: bytes) -> bytes:
        return self._aes.encryptor().update(blocks)


class Sealer:
    """Names keys and seals values for one store.

    Args:
        keys: the keys that values are encrypted under, newest first.
        name_key: the key that names are made with.

    Raises:
        ConfigurationError: a key is too short or public, or listed twice, or there is none.
    """

    def __init__(self, keys: Opaque[Secret | Iterable[Secret]], name_key: Opaque[Secret]) -> None:
        checked = [_checked("keys", key, ", or several, newest first") for key in _listed(keys)]
        headers = [_FORMAT + _derived(key, b"id")[: _HEADER - 1] for key in checked]
        if len(set(headers)) < len(headers):
            raise ConfigurationError("keys: the same key is listed twice")
        self._ciphers = {
            header: Xaes256Gcm(Opaque(_derived(key, b"value"))) for header, key in zip(headers, checked, strict=True)
        }
        self._header = headers[0]
        self._mac = hmac.new(_derived(_checked("name_key", name_key), b"name"), digestmod=sha256)

    def name(self, key: str) -> str:
        """Return what a key is called in the wrapped store: 43 characters that only the name key could tell."""
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
            StoreError: it was not, or not under one of the keys. What cannot be read is not absent.
        """
        header, nonce, encrypted = sealed[:_HEADER], sealed[_HEADER : _HEADER + _NONCE], sealed[_HEADER + _NONCE :]
        if header[:1] != _FORMAT or len(encrypted) < _TAG:
            raise StoreError("a stored value is not encrypted; give EncryptedStore a store that nothing else writes to")
        cipher = self._ciphers.get(header)
        if cipher is None:
            raise StoreError("a stored value is encrypted under a key that is not among keys; list that key again")
        try:
            padded = cipher.decrypt(nonce, encrypted, header + name.encode())
        except InvalidTag as error:
            raise StoreError("a stored value was altered, or moved here from another row") from error
        return padded.rstrip(b"\0")[:-1]

    def sealing(self, keys: Sequence[str], change: Change[T]) -> tuple[list[str], Change[T]]:
        """Return the names of keys, and the change of what is under them that comes to the given one."""
        names = {key: self.name(key) for key in keys}

        def sealed_change(sealed: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], T]:
            present = {key: self.unseal(name, sealed[name]) for key, name in names.items() if name in sealed}
            said, outcome = change(present)
            writes: dict[str, Entry | None] = {}
            for key, entry in said.items():
                check_write(key, entry, names)
                writes[names[key]] = self._sealed(names[key], entry)
            return writes, outcome

        return list(names.values()), sealed_change

    def _sealed(self, name: str, entry: Entry | None) -> Entry | None:
        return None if entry is None else Entry(self.seal(name, entry.value), entry.keep_for)

    def mark(self, sealed: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], None]:
        """Say in a store under which keys it is encrypted; a change.

        Raises:
            StoreError: it says already, and they are others.
        """
        if MARK not in sealed:
            return {MARK: Entry(self.seal(MARK, self.name(MARK).encode()))}, None
        self.check_mark(sealed[MARK])
        return {}, None

    def check_mark(self, sealed: bytes | None) -> None:
        """Check what a store says about its keys: under another name key every record would seem absent.

        Raises:
            StoreError: it says nothing, or they are others.
        """
        if sealed is None:
            raise StoreError(
                "this store was not prepared for encryption: call prepare() once, while it is empty; "
                "what it holds in clear would not be found"
            )
        if self.unseal(MARK, sealed) != self.name(MARK).encode():
            raise StoreError("name_key: not the one that this store was prepared with; no record would be found")

    def renew(self, name: str, sealed: Mapping[str, bytes]) -> tuple[Mapping[str, Entry | None], None]:
        """Seal what is under a name anew, if that was under an older key; a change.

        Raises:
            StoreError: it cannot be read.
        """
        value = sealed.get(name)
        if value is None or value.startswith(self._header):
            return {}, None
        return {name: Entry(self.seal(name, self.unseal(name, value)))}, None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sealer holds keys and cannot be pickled or copied")


def _listed(keys: Opaque[Any]) -> list[Opaque[Any]]:
    """Return each key by itself. None is bound to a name: a traceback may show what is."""
    if isinstance(keys.reveal(), str | bytes) or not isinstance(keys.reveal(), Iterable):
        return [keys]
    return list(map(Opaque, keys.reveal())) or [Opaque(b"")]


def _checked(argument: str, key: Opaque[Any], more: str = "") -> Opaque[bytes]:
    raw = Opaque(_bytes(key.reveal()))
    if len(raw.reveal()) < SECRET_BYTES or raw.reveal() == EXAMPLE_SECRET.encode():
        raise ConfigurationError(f"{argument}: {_NO_KEY.format(more)}")
    return raw


def _bytes(key: object) -> bytes:
    """Return a key as bytes; of what is none, nothing."""
    raw = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    return raw if isinstance(raw, bytes) else b""


def _derived(key: Opaque[bytes], use: bytes) -> bytes:
    """Return a key of 32 bytes for one use (HKDF, RFC 5869)."""
    return HKDF(SHA256(), 32, None, b"smsmfa encrypted store, " + use).derive(key.reveal())
