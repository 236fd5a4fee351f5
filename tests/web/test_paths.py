"""Where a visitor may be sent."""

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smsmfa.web.paths import of_referer, same_site, with_next

SITE = "https://example.com"
TRICKS = [
    "//evil.test", "///evil.test", "////evil.test", "/\\evil.test", "\\\\evil.test", "\\/evil.test", "/\t/evil.test",
    "/\n/evil.test", "/\r\n/evil.test", "\t//evil.test", " //evil.test", "/ /evil.test", "/\x00/evil.test",
    "/\x1f/evil.test", "https://evil.test", "http:evil.test", "https:/evil.test", "https:\\evil.test", "HTTPS://evil.test",
    "javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "evil.test", "@evil.test", ".evil.test", "",
    ":evil.test", "?next=//evil.test", "#//evil.test", "\u2215\u2215evil.test", "\uff0f\uff0fevil.test", "\ud800",
    "\u2028//evil.test", "\ufeff//evil.test", "mailto:a@evil.test", "/%0d%0aSet-Cookie:a=b" + "a" * 1000,
]  # fmt: skip
HARMLESS = [
    "/", "/account?tab=2&a=b#c", "/%2F/evil.test", "/%5Cevil.test", "/%0d%0aSet-Cookie:a=b", "/.//evil.test",
    "/@evil.test", "/;//evil.test", "/:80//evil.test", "/a//b", "/?next=//evil.test", "/#//evil.test",
    "/javascript:alert(1)",
    "/%09/evil.test",
]  # fmt: skip


def browser_goes_to(location):
    """Return scheme and host that a browser goes to (WHATWG URL: no tabs and breaks, a backslash is a slash)."""
    cleaned = location.strip("".join(map(chr, range(0x21)))).translate({9: None, 10: None, 13: None})
    parts = urlsplit(urljoin(SITE + "/mfa/code", cleaned.replace("\\", "/")))
    return f"{parts.scheme}://{parts.netloc}"


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks(trick):
    """Whatever is no path of the site becomes another address."""
    assert "/home" == same_site(trick, "/home")


@pytest.mark.parametrize("address", HARMLESS)
def test_harmless(address):
    """A path of the site is left as it is."""
    assert address == same_site(address, "/home")
    assert SITE == browser_goes_to(address)


@given(
    st.one_of(
        st.text(),
        st.text(alphabet="/\\\t\n\r .:@%0evil\u2215\uff0f?#"),
        st.builds(str.__add__, st.sampled_from(TRICKS), st.text()),
        st.builds(str.__add__, st.just("/"), st.text()),
    )
)
@example("/\u0130//")
def test_never_elsewhere(address):
    """No address leads to another site, none breaks a header, and each fits a cookie."""
    location = same_site(address, "/home")

    assert SITE == browser_goes_to(location)
    assert location.isascii()
    assert location.isprintable()
    assert " " not in location
    assert len(location) <= 1000
    assert location == same_site(location, "/other")


@given(st.text().map(lambda text: "/" + text.strip("/\\")))
def test_quoted(address):
    """A path with letters of other scripts means the same after it was quoted, or is refused."""
    location = same_site(address, "")

    assert not location or unquote(location) == unquote(address.encode("utf-8", "replace").decode())


@pytest.mark.parametrize("address", [None, 7, b"/account", ["/account"]])
def test_no_text(address):
    """What is no text is no address."""
    assert "/home" == same_site(address, "/home")


@pytest.mark.parametrize(
    "length, letter, kept", [(999, "a", True), (1000, "a", False), (166, "é", True), (167, "é", False)]
)
def test_long(length, letter, kept):
    """An address is followed up to 1,000 characters, counted as they are sent."""
    assert kept is (same_site("/" + letter * length, "") != "")


@pytest.mark.parametrize(
    "referer, expected",
    [
        ("https://example.com/settings?tab=2", "/settings?tab=2"),
        ("https://EXAMPLE.com/settings#part", "/settings"),
        ("https://example.com", "/home"),
        ("https://example.com//evil.test", "/home"),
        ("http://example.com/settings", "/home"),
        ("https://example.com:8443/settings", "/home"),
        ("https://evil.test/settings", "/home"),
        ("https://example.com@evil.test/settings", "/home"),
        ("https://[broken/settings", "/home"),
        ("/settings", "/home"),
        ("", "/home"),
    ],
)
def test_of_referer(referer, expected):
    """A Referer of the same site leads back to its page, without its fragment; any other one does not."""
    assert expected == of_referer(referer, SITE, "/home")


def test_no_origin():
    """Without an origin no Referer is of the same site."""
    assert "/home" == of_referer("://settings/x", "", "/home")


def test_with_next():
    """An address travels in a query, with what would end it quoted."""
    assert "/mfa/code?next=/a%3Fb%3Dc%26d%23e" == with_next("/mfa/code", "/a?b=c&d#e")
    assert "/mfa/code" == with_next("/mfa/code", "")
