"""Makes comparable what people type."""

import unicodedata


def compact(text: str) -> str:
    """Drop white space, format characters and hyphens, and read decimal digits of any script as ASCII."""
    if text.isascii() and text.isalnum():
        return str.__str__(text)  # subclasses, such as safe strings of frameworks, cannot be signed
    return "".join(_reading(character) for character in text)


def _reading(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return "" if character.isspace() or category in {"Cf", "Pd"} else character
