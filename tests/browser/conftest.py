"""A real browser for the tests, and a web server for it."""

import shutil
from threading import Thread

import pytest
from browser.wire import Handler, Server
from services import absent

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
    chromium = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chromium
    chromium.quit()


def _webdriver():
    try:
        from selenium import webdriver
    except ImportError as error:
        absent(f"no selenium for the tests ({error})")
    return webdriver
