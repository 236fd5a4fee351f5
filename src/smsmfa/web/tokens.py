"""The ``mfa_token`` of the JSON face: a signed string that says who gave the password, and when.

Once the second step is passed it holds the proof of that too. It is made like the proofs of the engine: the id of the
secret, the content, and a MAC over the namespace and both, so it survives a new secret and no other tenant can use it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest
from typing import TYPE_CHECKING

import msgspec

from .visit import HALFWAY, TaggedId, UserId, tagged, untagged

if TYPE_CHECKING:
    from ..config import FactorConfig

_KEY_ID, _MAC = 4, 16
#: A longer text is not read as a token (characters).
_LONGEST = 4000
#: A MAC for this cannot serve as a proof, nor as a code.
_LABEL = "mfa token"


class MfaToken(msgspec.Struct, frozen=True, array_like=True):
    """The content of a genuine token.

    Args:
        user: the user id, as JSON has it. Use :attr:`user_id`.
        at: when the password was given, or the second step passed, in seconds since the epoch.
        proof: the token of the ``Verification``, or ``None`` before the second step.
    """

    user: TaggedId
    at: int
    proof: str | None = None

    @classmethod
    def of(cls, user_id: UserId, at: int, proof: str | None = None) -> MfaToken:
        """Return the content of a token for a user."""
        return cls(tagged(user_id), at, proof)

    @property
    def user_id(self) -> UserId:
        """The user id as the application gave it."""
        return untagged(self.user)

    def is_expired(self, now: int) -> bool:
        """Tell whether its ten minutes are over (system.md, "MFA token")."""
        return now - self.at >= HALFWAY

    def __repr__(self) -> str:
        return "<MfaToken>"


def give(config: FactorConfig, token: MfaToken) -> str:
    """Return a token as text for a URL, a header or JSON."""
    generator = config.keys.newest
    payload = generator.key_id.to_bytes(_KEY_ID, "big") + msgspec.json.encode(token)
    return _text(payload + generator.sign(_LABEL, config.key_prefix, payload))


def read(config: FactorConfig, text: str) -> MfaToken | None:
    """Return the content of a token, expired or not, or ``None`` if we did not give it."""
    if not text.isascii() or len(text) > _LONGEST:
        return None
    try:
        signed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    payload, mac = signed[:-_MAC], signed[-_MAC:]
    generator = config.keys.get(int.from_bytes(payload[:_KEY_ID], "big"))
    # The decoder skips unknown characters, so other texts have the same content.
    if generator is None or _text(signed) != text:
        return None
    if not compare_digest(generator.sign(_LABEL, config.key_prefix, payload), mac):
        return None
    return msgspec.json.decode(payload[_KEY_ID:], type=MfaToken)


def _text(signed: bytes) -> str:
    return urlsafe_b64encode(signed).decode().rstrip("=")
