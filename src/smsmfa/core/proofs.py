"""Proof tokens: short signed strings that say who passed the factor, when, and under which numbers."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest

import msgspec

from ..codes import STAMP_BYTES, CodeGenerator, KeyRing

#: The key id, the instant in microseconds, the stamp of the user's numbers, and whether it may change an enrolment.
_LAYOUT = struct.Struct(f">Iq{STAMP_BYTES}s?")
_MAC = 16
_LENGTH = (_LAYOUT.size + _MAC) * 4 // 3


class Proof(msgspec.Struct, frozen=True):
    """The content of a genuine token."""

    at: int
    stamp: bytes
    manages: bool


def give(generator: CodeGenerator, user_key: str, proof: Proof) -> str:
    """Return ``proof`` as a token that only this user can use, and only while the secret is not retired."""
    payload = _LAYOUT.pack(generator.key_id, proof.at, proof.stamp, proof.manages)
    return urlsafe_b64encode(payload + generator.sign(user_key, payload)).decode()


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
    key_id, at, stamp, manages = _LAYOUT.unpack(payload)
    generator = keys.get(key_id)
    if generator is None or not compare_digest(generator.sign(user_key, payload), mac):
        return None
    return Proof(at, stamp, manages)
