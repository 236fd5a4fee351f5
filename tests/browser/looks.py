"""Looks at a page in every width and colour scheme, and lets axe judge it."""

import os
from base64 import b64decode
from pathlib import Path

import pytest
from npm import installed

WIDTHS = (320, 1280)
SCHEMES = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = """
const [rules, done] = arguments;
axe.run({ runOnly: rules }).then(
  (found) => done(found.violations.concat(found.incomplete).map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html + ' ' + node.failureSummary)}`)),
  (error) => done([String(error)]),
);
"""
#: What can be pressed and is smaller than 24 pixels, unless it is a link in a sentence (WCAG 2.2, 2.5.8).
SMALL = """
return [...document.querySelectorAll("a, button, input:not([type=hidden]), select")]
  .filter((one) => one.checkVisibility())
  .map((one) => [one.outerHTML, one.getBoundingClientRect()])
  .filter(([html, box]) => Math.min(box.width, box.height) < 24)
  .map(([html]) => html);
"""
#: The whole page.
SHOT = {"format": "png", "captureBeyondViewport": True}
WIDE = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core."""
    folder = installed(Path(__file__).with_name("axe"), "axe-core", "axe-core")
    return (folder / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def shots(tmp_path_factory):
    """The folder of the screenshots: that of SMSMFA_SCREENSHOTS, or one of pytest's."""
    folder = Path(os.environ.get("SMSMFA_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def looks(driver):
    """Return a generator that shows the page in every width and colour scheme. The test ends with the browser's own."""

    def show():
        driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        for width in WIDTHS:
            size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for scheme in SCHEMES:
                features = [{"name": "prefers-color-scheme", "value": scheme}]
                driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
                yield width, scheme

    yield show
    driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": False})
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture
def check(driver, looks, axe, shots):
    """Return a function that takes a screenshot of the page in every look, under a name, and finds faults."""

    def judge(name):
        driver.execute_script(axe)
        for width, scheme in looks():
            shot = driver.execute_cdp_cmd("Page.captureScreenshot", SHOT)["data"]
            (shots / f"{name}-{width}-{scheme}.png").write_bytes(b64decode(shot))
            scroll, client = driver.execute_script(WIDE)
            faults = [*driver.execute_script(SMALL), *driver.execute_async_script(AXE, RULES)]
            if scroll > client or faults:
                pytest.fail(f"{name}, {width} pixels, {scheme}: {scroll} > {client} or {faults}")

    return judge
