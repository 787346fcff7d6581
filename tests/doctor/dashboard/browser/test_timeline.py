"""The view of single requests."""

from __future__ import annotations

import pytest

from eyewall.doctor.control.protocol import ControlError

from . import pictured
from .stage import Stage
from .viewer import Keys, Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]


@pytest.fixture
def viewer(browser: Viewer, stage: Stage) -> Viewer:
    stage.answers["timelines"] = lambda *_: pictured.timelines()
    browser.live()
    browser.view("timeline")
    browser.until(lambda: browser.all(".strip span"), "no request is shown")
    return browser


def choose(viewer: Viewer, path: str) -> None:
    for row in viewer.all("[aria-label='Requests'] .body .row"):
        if path in row.text:
            row.click()
    viewer.until(lambda: viewer.text(".timeline h2").endswith(path))


def test_it_is_accessible_in_dark_and_light_and_on_a_phone(viewer: Viewer) -> None:
    choose(viewer, "/search")
    viewer.find(".strip [data-phase='waiting']").click()
    viewer.assert_accessible()


def test_the_slowest_is_shown_first_and_says_what_is_not_known(viewer: Viewer) -> None:
    assert viewer.text(".timeline h2") == "GET /stock/reserve"
    assert "began before anybody looked" in viewer.text(".timeline .note")
    assert "none yet" in viewer.text(".timeline .facts")


def test_a_request_as_segments_and_what_it_awaited(viewer: Viewer) -> None:
    choose(viewer, "/search")
    strip = viewer.find(".strip")
    assert strip.get_attribute("aria-label") == (
        "960 ms in 7 segments: queued 120 ms, receiving 30 ms, running 6 ms, blocking 94 ms, waiting 710 ms. "
        "The table below has each."
    )
    drawn = viewer.run(
        "const whole = document.querySelector('.strip').getBoundingClientRect();"
        "return [...document.querySelectorAll('.strip span')].map((each) => {"
        "  const box = each.getBoundingClientRect();"
        "  return [each.dataset.phase, (box.left - whole.left) / whole.width, box.width / whole.width]; });"
    )
    for (phase, left, width), expected in zip(drawn, pictured.SEARCH["segments"], strict=True):
        assert phase == expected["phase"]
        assert left == pytest.approx(expected["start"] / 0.96, abs=0.01)
        assert width == pytest.approx(max(0.002, expected["seconds"] / 0.96), abs=0.01)
    rows = viewer.texts("[aria-label='What it went through'] .body .row")
    assert len([each for each in rows if each]) == 7
    assert any("file descriptor 31" in each and "search.py:64" in each for each in rows)
    viewer.find(".strip [data-index='3']").click()
    assert viewer.text(".spotted p") == "Waited 410 ms after 152 ms for file descriptor 31 at search.py:64"
    assert viewer.text(".spotted .source") == pictured.QUERY["source"]
    # It is in the address, so that it can be handed on.
    assert "request=7f0001" in viewer.run("return location.hash")


def test_it_works_with_the_keyboard(viewer: Viewer) -> None:
    viewer.run("document.querySelector('[aria-label=Requests][role=grid]').focus()")
    viewer.press(Keys.HOME, Keys.ARROW_DOWN, Keys.ENTER)
    viewer.until(lambda: viewer.text(".timeline h2") == "GET /search")
    viewer.run("document.querySelector('[aria-label=\"What it went through\"][role=grid]').focus()")
    viewer.press(Keys.HOME, *[Keys.ARROW_DOWN] * 5, Keys.ENTER)
    viewer.until(lambda: "9 tasks" in viewer.text(".spotted p"))


def test_one_that_is_not_kept_any_more_stays(viewer: Viewer, stage: Stage) -> None:
    choose(viewer, "/search")
    told = pictured.timelines(left_out=7)
    told["requests"] = told["requests"][2:]
    stage.answers["timelines"] = lambda *_: told
    viewer.until(lambda: "does not keep it any more" in viewer.text(".timeline .note"))
    assert viewer.text(".timeline h2") == "GET /search"
    assert "7 requests were not recorded" in viewer.text(".table .note")


def test_a_process_that_can_not_answer(viewer: Viewer, stage: Stage) -> None:
    stage.fail("timelines", ControlError("unknown-command", "there is no command 'timelines'"))
    viewer.expected.append("501")
    viewer.until(lambda: "no command" in viewer.text(".banner.bad"))
    stage.answers["timelines"] = lambda *_: pictured.timelines(counted=False, requests=[])
    viewer.until(lambda: "serves nothing with an application" in viewer.text(".table .note"))
