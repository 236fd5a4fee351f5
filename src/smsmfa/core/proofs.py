"""Proof tokens: short signed strings that say who passed the factor, when, and under which numbers."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest

import msgspec

from ..codes import KeyRing

#: The key id, the instant in microseconds, the user's count of changes, and whether it may change an enrolment.
_LAYOUT = struct.Struct(">IqI?")
_MAC = 16
_LENGTH = (_LAYOUT.size + _MAC) * 4 // 3


class Proof(msgspec.Struct, frozen=True):
    """The content of a genuine token."""

    at: int
    changes: int
    manages: bool


def give(keys: KeyRing, user_key: str, proof: Proof) -> str:
    """Return ``proof`` as a token that only this user can use, and only under the present secrets."""
    payload = _LAYOUT.pack(keys.newest.key_id, proof.at, proof.changes, proof.manages)
    return urlsafe_b64encode(payload + keys.newest.sign(user_key, payload)).decode()


def read(keys: KeyRing, user_key: str, token: object) -> Proof | None:
    """Return the content of a token, or ``None`` if it was not given to this user."""
    if not isinstance(token, str) or len(token) != _LENGTH or not token.isascii():
        return None
    try:
        signed = urlsafe_b64decode(token)
    except ValueError:
        return None
    # The decoder skips unknown characters, and padding allows other texts with the same content.
    if urlsafe_b64encode(signed).decode() != token or len(signed) != _LAYOUT.size + _MAC:
        return None
    payload, mac = signed[:-_MAC], signed[-_MAC:]
    key_id, at, changes, manages = _LAYOUT.unpack(payload)
    generator = keys.get(key_id)
    if generator is None or not compare_digest(generator.sign(user_key, payload), mac):
        return None
    return Proof(at, changes, manages)
