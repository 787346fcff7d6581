"""The view of profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from eyewall.doctor.control.protocol import ControlError

from . import pictured
from .stage import Stage
from .viewer import Keys, Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]


class Profiled:
    """A profile that takes as many questions as a test likes."""

    def __init__(self) -> None:
        self.started: list[Mapping[str, Any]] = []
        self.stacks: list[Any] | None = pictured.profiled()

    def __call__(self, pid: int, arguments: Mapping[str, Any]) -> Any:
        if "id" not in arguments:
            self.started.append(arguments)
            return {"id": "4711-1"}
        assert arguments["id"] == "4711-1"
        given = self.started[-1]
        said = {"id": "4711-1", "clock": given["clock"], "seconds": given["seconds"]}
        if self.stacks is None:
            return {**said, "left": 3.0}
        return {**said, "left": 0.0, "unit": "seconds", "stacks": self.stacks}


@pytest.fixture
def profiled(stage: Stage) -> Profiled:
    found = Profiled()
    stage.answers["profile"] = found
    return found


@pytest.fixture
def viewer(browser: Viewer, profiled: Profiled) -> Viewer:
    browser.live()
    browser.view("flames")
    browser.until(lambda: browser.all(".profile"))
    return browser


def start(viewer: Viewer) -> None:
    viewer.find(".profile button").click()
    viewer.until(lambda: viewer.all(".flames button"), "no profile comes")


def button(viewer: Viewer, text: str) -> Any:
    [found] = [each for each in viewer.all(".flames button") if text in each.get_attribute("aria-label")]
    return found


def test_it_is_accessible_in_dark_and_light_and_on_a_phone(viewer: Viewer) -> None:
    assert viewer.violations() == [], "before"
    start(viewer)
    viewer.assert_accessible()


def test_seconds_and_clock_are_chosen(viewer: Viewer, profiled: Profiled) -> None:
    profiled.stacks = None
    viewer.run(
        "document.querySelector('#profile-seconds').value = '12';"
        "document.querySelector('#profile-clock').value = 'wall';"
    )
    viewer.find(".profile button").click()
    viewer.until(lambda: "3 s left" in viewer.text(".view-flames > [role=status]"))
    assert profiled.started == [{"seconds": 12, "clock": "wall"}]
    profiled.stacks = pictured.profiled()
    viewer.until(lambda: viewer.all(".flames button"))
    assert viewer.text(".view-flames > [role=status]").startswith("4 s in 12 s, by the wall clock")


def test_frames_are_as_wide_as_they_took(viewer: Viewer) -> None:
    start(viewer)
    drawn = viewer.run(
        "const whole = document.querySelector('.flames').getBoundingClientRect();"
        "return Object.fromEntries([...document.querySelectorAll('.flames button')].map((each) => {"
        "  const box = each.getBoundingClientRect();"
        "  return [each.getAttribute('aria-label'), [Math.round((box.top - whole.top) / 24),"
        "          (box.left - whole.left) / whole.width, box.width / whole.width]]; }));"
    )
    expected = {
        "everything: 4 s, 100 %": [0, 0.0, 1.0],
        "MainThread: 3.5 s, 88 %": [1, 0.0, 0.875],
        "Report.get reports.py:42: 3 s, 75 %": [3, 0.0, 0.75],
        "dumps __init__.py:231: 2 s, 50 %": [4, 0.0, 0.5],
        "ranked reports.py:77: 1 s, 25 %": [4, 0.5, 0.25],
        "shrink images.py:12: 500 ms, 13 %": [2, 0.875, 0.125],
    }
    for name, (row, left, width) in expected.items():
        assert drawn[name][0] == row, name
        assert drawn[name][1:] == pytest.approx([left, width], abs=0.01), name
    # What the application's own code is differs from what it calls.
    assert button(viewer, "ranked").get_attribute("data-own") == "yes"
    assert button(viewer, "dumps").get_attribute("data-own") == "no"


def test_zooming_and_moving_with_the_keyboard(viewer: Viewer) -> None:
    start(viewer)
    viewer.run("document.querySelector('.flames button[tabindex=\"0\"]').focus()")
    viewer.press(Keys.ARROW_DOWN)
    assert "MainThread" in viewer.focus()
    viewer.press(Keys.ARROW_RIGHT)
    assert "images_0" in viewer.focus()
    viewer.press(Keys.ARROW_LEFT, Keys.ARROW_DOWN)
    viewer.press(Keys.ARROW_DOWN)
    assert "Report.get" in viewer.focus()
    assert "the application’s" in viewer.text(".frame-detail")
    viewer.press(Keys.ENTER)
    viewer.until(lambda: not [each for each in viewer.texts(".flames button") if "shrink" in each])
    assert "Report.get" in viewer.focus()
    width = button(viewer, "Report.get").rect["width"]
    assert width == pytest.approx(button(viewer, "everything").rect["width"], abs=2)
    viewer.press(Keys.ESCAPE)
    viewer.until(lambda: button(viewer, "Report.get").rect["width"] < width - 10)
    assert "run_forever" in viewer.focus()


def test_zooming_with_a_click(viewer: Viewer) -> None:
    start(viewer)
    assert not viewer.find(".view-flames .tools button").is_enabled()
    button(viewer, "MainThread").click()
    viewer.until(lambda: len(viewer.all(".flames button")) == 6)
    viewer.find(".view-flames .tools button").click()
    viewer.until(lambda: len(viewer.all(".flames button")) == 8)


def test_searching(viewer: Viewer) -> None:
    start(viewer)
    viewer.press(Keys.NULL)
    viewer.find(".view-flames .filter").send_keys("reports.py")
    viewer.until(lambda: viewer.text(".view-flames .told") == "in 75 % of the time")
    assert len(viewer.all(".flames [data-match]")) == 2
    rows = [each for each in viewer.texts("[aria-label='Functions'] .body .row") if each]
    assert len(rows) == 2
    assert any("ranked" in each and "1 s · 25 %" in each for each in rows)


def test_the_same_as_a_table(viewer: Viewer) -> None:
    start(viewer)
    rows = [each for each in viewer.texts("[aria-label='Functions'] .body .row") if each]
    assert rows[0].startswith("dumps")
    assert "2 s · 50 %" in rows[0]
    [got] = [each for each in rows if "Report.get" in each]
    assert "0 s · 0 %" in got
    assert "3 s · 75 %" in got


def test_a_profile_of_nothing_and_one_that_is_refused(
    viewer: Viewer, profiled: Profiled, stage: Stage
) -> None:
    profiled.stacks = []
    viewer.find(".profile button").click()
    viewer.until(lambda: "No thread was on a processor" in viewer.text(".view-flames > [role=status]"))
    stage.fail("profile", ControlError("busy", "this process is being profiled already"))
    viewer.expected.append("503")
    viewer.until(lambda: viewer.find(".profile button").is_enabled())
    viewer.find(".profile button").click()
    viewer.until(lambda: "profiled already" in viewer.text(".banner.bad"))
