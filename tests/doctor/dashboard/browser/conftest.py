from __future__ import annotations

from collections.abc import Iterator

import pytest

from .stage import TOKEN, Stage
from .viewer import Viewer


@pytest.fixture(scope="package")
def the_stage() -> Iterator[Stage]:
    stage = Stage()
    try:
        yield stage
    finally:
        stage.close()


@pytest.fixture
def stage(the_stage: Stage) -> Stage:
    the_stage.reset()
    # A late question of the page before may have been answered with its test's processes at any time until here.
    the_stage.forget()
    return the_stage


@pytest.fixture(scope="package")
def dashboard_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    browser = Viewer(tmp_path_factory.mktemp("dashboard"))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def browser(dashboard_browser: Viewer, stage: Stage) -> Iterator[Viewer]:
    """Chromium with the cookie of the dashboard. In the end nothing may have gone wrong in it, nor left the origin."""
    dashboard_browser.begin(stage.url)
    dashboard_browser.open(f"/login?token={TOKEN.replace(' ', '%20')}")
    try:
        yield dashboard_browser
    finally:
        errors, asked = dashboard_browser.end()
        dashboard_browser.until(lambda: not stage.feed.asks, "processes are still asked")
    assert [error for error in errors if not any(part in error for part in dashboard_browser.expected)] == []
    own = (stage.url + "/", "about:blank", "data:")
    assert [url for url in asked if not url.startswith(own)] == []
