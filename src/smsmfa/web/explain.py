"""What a person is told about an error, on each page: whose fault it is, and what to do.

No text names a code that the person was not asked for, and none counts in thousands of seconds.
"""

from __future__ import annotations

from ..exceptions import (
    AlreadyEnrolled,
    CodeExpired,
    CodeMalformed,
    CodeRejected,
    CodeUsed,
    DeliveryError,
    FactorDisabled,
    Locked,
    NotEnrolled,
    PhoneInUse,
    PhoneNumberError,
    ProofRequired,
    RateLimited,
    RecipientOptedOut,
    RecipientRejected,
    SenderMisconfigured,
    SmsMfaError,
)
from .words import Texts

#: The pages whose errors :func:`explain` knows.
STEPS = ("enrol", "code", "resend", "recovery", "account")


def _(message: str) -> str:
    """Mark a text for translation: xgettext, Babel and Django find it by this name."""
    return message


_UNAVAILABLE = _("Something went wrong on our side. Try again in a few minutes.")
_NUMBERS = {
    "malformed": _("Enter a phone number, for example %(example)s."),
    "no_region": _("Choose the country of your phone number."),
    "impossible": _("This phone number is too short or too long. Check it and enter it again."),
    "invalid": _("This phone number does not exist. Check it and enter it again."),
    "region": _("We cannot send codes to phone numbers of this country. Enter another number."),
    "type": _("This phone number cannot receive text messages. Enter the number of a mobile phone."),
}
_LIMITS = {
    "resend": _("We have just sent you a code. You can ask for another one %(when)s."),
    "user": _("You have asked for too many codes. You can ask for another one %(when)s."),
    "number": _("Too many codes were sent to this number. You can ask for another one %(when)s."),
    "guesses": _("There were too many wrong codes. You can enter a code again %(when)s."),
    "recovery": _("There were too many wrong recovery codes. You can enter one again %(when)s."),
}
_CANNOT_SEND = _("We cannot send text messages at the moment. Try again %(when)s.")
_LOCKED = _("This phone number is locked after too many wrong codes. Use a recovery code.")
_LOCKED_INSIDE = _("This phone number is locked after too many wrong codes. Set it up again.")
_OTHERS: tuple[tuple[type[SmsMfaError], str], ...] = (
    (AlreadyEnrolled, _("You already use this phone number, or as many numbers as you may have.")),
    (PhoneInUse, _("This phone number is already used by other accounts. Enter another number.")),
    (NotEnrolled, _("You have no such phone number. Set up a number first.")),
    (ProofRequired, _("Confirm that it is you first.")),
    (FactorDisabled, _("Codes by text message are turned off at the moment.")),
    (
        RecipientOptedOut,
        _("This phone does not accept our messages. Answer START to our last message, then try again."),
    ),
    (RecipientRejected, _("We could not send a message to this phone number.")),
    (SenderMisconfigured, _("We cannot send text messages at the moment. Try again later.")),
    (DeliveryError, _("The message could not be sent. Try again.")),
)
_CODES: dict[type[SmsMfaError], str] = {
    CodeMalformed: _("Enter the %(digits)s digits of the code, for example %(sample)s."),
    CodeExpired: _("This code has expired. Ask for a new one."),
    CodeUsed: _("This code was used just now. You may be in already."),
}
_RECOVERY: dict[type[SmsMfaError], str] = {
    CodeMalformed: _("This is not a recovery code. Enter it as it was shown to you."),
    CodeUsed: _("This recovery code was used just now. You may be in already."),
}
_WRONG = _("This is not the code that we sent. Check the message and enter it again.")
_DEAD = _("This code can no longer be used. Ask for a new one.")
_WRONG_RECOVERY = _("This is not one of your recovery codes. Check it and enter it again.")


def explain(error: SmsMfaError, *, step: str, texts: Texts | None = None, digits: int = 6, example: str = "") -> str:
    """Return what is said to a person about an error.

    Args:
        error: what a call of the library raised.
        step: the page: ``"enrol"``, ``"code"``, ``"resend"``, ``"recovery"`` or ``"account"``.
        texts: the language; by default English.
        digits: the length of a code.
        example: a phone number as people in the chosen country write it.

    Raises:
        ValueError: there is no such step.
    """
    if step not in STEPS:
        raise ValueError(f"step: one of {', '.join(STEPS)}")
    texts = texts or Texts()
    if isinstance(error, PhoneNumberError):
        return texts(_NUMBERS.get(error.reason, _NUMBERS["malformed"])) % {"example": example or "(415) 555-2671"}
    if isinstance(error, RateLimited):
        return _limit(error, texts)
    if isinstance(error, CodeRejected):
        return _code(error, step, texts) % {"digits": digits, "sample": "1234567890"[:digits]}
    if isinstance(error, Locked):
        return texts(_LOCKED if step in {"code", "resend"} else _LOCKED_INSIDE)
    return texts(next((text for kind, text in _OTHERS if isinstance(error, kind)), _UNAVAILABLE))


def _limit(error: RateLimited, texts: Texts) -> str:
    seconds = error.retry_after_seconds
    when = texts(_("later")) if seconds is None else texts.wait(max(seconds, 1))
    return texts(_LIMITS.get(error.scope, _CANNOT_SEND)) % {"when": when}


def _code(error: CodeRejected, step: str, texts: Texts) -> str:
    if step == "recovery":
        return texts(_RECOVERY.get(type(error), _WRONG_RECOVERY))
    if type(error) in _CODES:
        return texts(_CODES[type(error)])
    return texts(_WRONG if error.attempts_left else _DEAD)
