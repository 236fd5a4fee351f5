"""A real browser for the tests, and a web server for it."""

import shutil
from contextlib import ExitStack
from threading import Thread

import pytest
from browser.looks import axe, check, looks, shots  # noqa: F401 - fixtures
from browser.person import FRAMEWORKS, Person, complaints_of
from browser.sites import SITES
from browser.wire import Handler, Server
from services import absent
from support import Factor, a_config

SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture
def serve():
    """Serve a WSGI application on loopback. Return its address."""
    servers = []

    def start(application):
        server = Server(("127.0.0.1", 0), Handler)
        server.set_app(application)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        with server:
            server.shutdown()
            thread.join()


@pytest.fixture(params=FRAMEWORKS)
def visit(request, driver, serve):
    """Return a person who looks at the login page of a new site. Takes a store, and settings of the factor."""
    with ExitStack() as sites:

        def build(factor):
            sites.close()  # after a restart of the server
            return sites.enter_context(SITES[request.param](factor))

        def start(store=None, **settings):
            factor = Factor(a_config(**settings), store=store)
            factor.settings = settings
            return Person(driver, serve, build, factor)

        yield start


@pytest.fixture
def person(visit):
    """A person who looks at the login page of a new site with the defaults."""
    return visit()


@pytest.fixture
def driver(chromium):
    """The browser for one test. Its pages must not complain, for example of our Content-Security-Policy."""
    first = chromium.current_window_handle
    chromium.get_log("browser")
    yield chromium
    complaints = complaints_of(chromium)
    for window in set(chromium.window_handles) - {first}:
        chromium.switch_to.window(window)
        chromium.close()
    chromium.switch_to.window(first)
    assert [] == complaints


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Chromium, driven by Selenium."""
    webdriver = _webdriver()
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        absent("no chromium or no chromedriver for the tests; on Debian: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chromium
    chromium.quit()


def _webdriver():
    try:
        from selenium import webdriver
    except ImportError as error:
        absent(f"no selenium for the tests ({error})")
    return webdriver
