"""The pictures of the dashboard in the documentation. With EYEWALL_SCREENSHOTS=1 they are written; else it is seen that
each is there, and is of the size that it would have now."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from . import pictured
from .stage import Stage
from .test_views import FULL, VIEWS
from .viewer import Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]

IMAGES = Path(__file__).parents[4] / "docs" / "images"
SIZE = (1280, 800)
WRITES = os.environ.get("EYEWALL_SCREENSHOTS") == "1"


#: Of the views of other files, what is there once they have their answers.
OTHERS = {"timeline": ".strip span", "waits": ".graph .node", "flames": ".flames button"}


def arrange(browser: Viewer, view: str) -> None:
    """Makes something to be seen of a view that shows nothing unless it is asked to."""
    if view == "timeline":
        browser.until(lambda: browser.all("[aria-label='Requests'] .body .row"))
        [row] = [each for each in browser.all("[aria-label='Requests'] .body .row") if "/search" in each.text]
        row.click()
        browser.until(lambda: browser.text(".timeline h2").endswith("/search"))
    elif view == "flames":
        browser.until(lambda: browser.all(".profile button"))
        browser.find(".profile button").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures(browser: Viewer, stage: Stage, scheme: str) -> None:
    stage.answers["timelines"] = lambda *_: pictured.timelines()
    stage.answers["waits"] = lambda *_: pictured.waits()
    stage.answers["profile"] = lambda _, given: (
        {
            "id": "4711-1",
            "clock": "cpu",
            "seconds": 5.0,
            "left": 0.0,
            "unit": "seconds",
            "stacks": pictured.profiled(),
        }
        if "id" in given
        else {"id": "4711-1"}
    )
    browser.scheme(scheme)
    browser.resize(SIZE)
    browser.command("Emulation.setScrollbarsHidden", hidden=True)
    browser.command("Emulation.setTimezoneOverride", timezoneId="UTC")
    try:
        browser.page.refresh()
        browser.live()
        full = {view: FULL[view] for view in VIEWS} | OTHERS
        for view, selector in full.items():
            browser.view(view)
            arrange(browser, view)
            browser.until(lambda selector=selector: browser.all(selector), view)
            browser.run("scrollTo(0, 0)")
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
