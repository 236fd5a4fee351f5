"""Where a visitor may be sent: to pages of the same site only."""

from urllib.parse import quote, urlsplit

#: What is left as it is in a path with its query (RFC 3986, 2.2 and 2.3, and "%").
SAFE = "/?#[]@!$&'()*+,;=:%~-._"
#: Longer addresses are not followed: they must fit a cookie.
_LONGEST = 1000


def same_site(address: object, otherwise: str) -> str:
    """Return an address if it is a path of the same site, or else another one.

    Browsers read a backslash as a slash, and drop tabs and line breaks, so an address with any of these is refused.
    """
    if not isinstance(address, str) or not address.startswith("/") or len(address) > _LONGEST:
        return otherwise
    if address.startswith("//") or "\\" in address or any(ord(character) <= 0x20 for character in address):
        return otherwise
    quoted = quote(address, safe=SAFE, errors="replace")
    return quoted if len(quoted) <= _LONGEST else otherwise


def of_referer(referer: str, origin: str, otherwise: str) -> str:
    """Return path and query of a ``Referer`` of the same site, or else another address.

    Args:
        referer: the header.
        origin: scheme and host of the site.
        otherwise: the address if the header is missing or names another site.
    """
    try:
        parts = urlsplit(referer)
    except ValueError:
        return otherwise
    if not origin or f"{parts.scheme}://{parts.netloc}".lower() != origin.lower():
        return otherwise
    return same_site(parts.path + (f"?{parts.query}" if parts.query else ""), otherwise)


def with_next(path: str, address: str) -> str:
    """Return a path that carries in its query where the visitor goes afterwards."""
    return f"{path}?next={quote(address, safe='/')}" if address else path
