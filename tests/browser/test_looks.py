"""How our pages look, in a real browser: axe finds nothing, and they fit every screen, light and dark."""

import pytest
from browser.person import once
from browser.states import STATES

pytestmark = pytest.mark.browser


@once
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_looks(visit, state, check):
    """axe finds nothing, nothing scrolls sideways or is too small to press, and the page has title and language."""
    person = state(visit)
    driver = person.driver
    heading = person.find("h1").text
    assert driver.title.endswith(f"{heading} – Acme")
    assert person.has("#problem") == driver.title.startswith("Problem: ")
    assert "en" == person.find("html").get_attribute("lang")
    if person.has("[aria-invalid]"):
        assert person.has_focus(person.find("[aria-invalid]").get_attribute("name"))
    check(state.__name__)
