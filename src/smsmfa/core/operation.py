"""What one call of an enroller or a verifier is about."""

import msgspec

from ..config import FactorConfig
from ..typing import Message
from .records import Phone, user_key


class Operation(msgspec.Struct, eq=False):
    """One call: who it is for and what it is about, as decisions and the audit trail need to know it."""

    #: What the call does, for the audit trail.
    name: str
    config: FactorConfig
    user_id: str
    #: The instant of the call, in microseconds since the epoch.
    now: int
    #: The kind of message that it may send, or ``""``.
    kind: str = ""
    #: The challenge, as far as the audit trail may know it.
    challenge_id: str | None = None
    purpose: str | None = None
    #: The number, once a decision knows it.
    phone: Phone | None = None
    #: Whether a message went out; ``False`` if the live challenge was recent enough.
    sent: bool = True
    #: The message, once it was given to the sender.
    message: Message | None = None
    #: The carrier's id of the message.
    message_id: str | None = None
    #: The carrier that took the message, or may have, and its error code.
    carrier: str | None = None
    carrier_code: str | None = None
    #: Whether nobody knows if the message went out.
    uncertain: bool = False
    #: Whether the call repeats one that was answered before.
    repeated: bool = False
    #: The store key of the user's record.
    user_key: str = ""

    def __post_init__(self) -> None:
        self.user_key = user_key(self.user_id, self.config.key_prefix)

    def __repr__(self) -> str:
        return "<Operation>"
