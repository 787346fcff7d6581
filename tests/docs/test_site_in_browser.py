"""The site in Chromium: pages that everybody can use, a search that finds, no errors, nothing from others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from axe_core_python import selenium as axe
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.cli.demo.browser import PATIENCE, Browser

pytestmark = [pytest.mark.one_build, pytest.mark.late, pytest.mark.timeout(600)]

AXE = (Path(axe.__file__).parent / "axe.min.js").read_text("utf-8")
PAGES = ("index.html", "limits.html", "reference/commands.html")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: standard error is the tests'."""

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served: a search reads the pages that it has found, which files may not."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def browser(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium. In the end nothing may have gone wrong in it, and nobody else was asked for anything."""
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    browser.begin(address)
    try:
        yield browser
        errors, asked = browser.end()
    finally:
        browser.quit()
    assert errors == []
    assert [each for each in asked if not each.startswith((f"{address}/", "data:", "about:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(browser: Browser, scheme: str) -> None:
    browser.scheme(scheme)
    faults: list[str] = []
    for page in PAGES:
        browser.open(f"/{page}")
        browser.page.execute_script(AXE)
        found: list[dict[str, Any]] = browser.page.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
            ".then((each) => done(each.violations));"
        )
        faults += [f"{page}: {each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]
    assert not faults, "\n".join(faults)


def test_the_search_finds_a_name(browser: Browser) -> None:
    browser.open("/search.html?q=websocket_connect")
    links = WebDriverWait(browser.page, PATIENCE).until(
        lambda page: page.find_elements(By.CSS_SELECTOR, "ul.search li a")
    )
    assert any("reference/client.html" in (each.get_attribute("href") or "") for each in links)
