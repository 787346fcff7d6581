"""The pictures of the dashboard in the documentation. With EYEWALL_SCREENSHOTS=1 they are written; else it is seen that
each is there, and is of the size that it would have now."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from .stage import Stage
from .test_views import FULL, VIEWS
from .viewer import Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]

IMAGES = Path(__file__).parents[4] / "docs" / "images"
SIZE = (1280, 800)
WRITES = os.environ.get("EYEWALL_SCREENSHOTS") == "1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures(browser: Viewer, stage: Stage, scheme: str) -> None:
    browser.scheme(scheme)
    browser.resize(SIZE)
    browser.command("Emulation.setScrollbarsHidden", hidden=True)
    browser.command("Emulation.setTimezoneOverride", timezoneId="UTC")
    try:
        browser.page.refresh()
        browser.live()
        for view in VIEWS:
            browser.view(view)
            browser.until(lambda view=view: browser.all(FULL[view]), view)
            browser.until(lambda: not browser.all(".toast:not([hidden])"))
            file = IMAGES / f"dashboard-{view}-{scheme}.png"
            if WRITES:
                IMAGES.mkdir(exist_ok=True)
                browser.picture(file)
            data = file.read_bytes()
            assert struct.unpack(">II", data[16:24]) == SIZE, file.name
    finally:
        browser.command("Emulation.setScrollbarsHidden", hidden=False)
        browser.command("Emulation.setTimezoneOverride", timezoneId="")
