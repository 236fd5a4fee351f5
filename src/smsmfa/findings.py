"""What a look at the settings found."""

import attrs

#: From the best to the worst. ``"not checked"`` is no good news: it was not found out.
LEVELS = ("ok", "not checked", "warning", "error")


@attrs.frozen
class Finding:
    """One thing that was looked at before the first user does.

    Args:
        subject: what was looked at, ``"account"`` or ``"from_number"`` for example.
        level: ``"ok"``; ``"not checked"``; ``"warning"``, of what works and should be known; or ``"error"``: no message
            goes out, or no code can be checked.
        detail: what was found. It holds no secret and no whole number.
        advice: what to do about it; empty where there is nothing to do.
    """

    subject: str
    level: str = attrs.field(validator=attrs.validators.in_(LEVELS))
    detail: str
    advice: str = ""
