from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eyewall.web.locale import load_translations

from .browser import Browser
from .site import Site, Visitor


@pytest.fixture
def site(event_loop_kind: str, tmp_path: Path) -> Iterator[Site]:
    directory = tmp_path / "demo"
    directory.mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    site = Site(event_loop_kind, directory)
    try:
        yield site
    finally:
        site.close()
        # Translations are the process's.
        load_translations(str(empty))


@pytest.fixture
def visitor(site: Site) -> Visitor:
    return Visitor(site).arrive()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def browser(chromium: Browser, site: Site) -> Iterator[Browser]:
    """Chromium on the demo. In the end nothing may have gone wrong in it, and nothing left the origin."""
    chromium.begin(site.url)
    try:
        yield chromium
    finally:
        errors, asked = chromium.end()
    assert [error for error in errors if not any(part in error for part in chromium.expected)] == []
    own = (site.url + "/", site.url.replace("http", "ws") + "/", "about:blank", "data:")
    assert [url for url in asked if not url.startswith(own)] == []
    assert any(url.startswith(site.url) for url in asked)
