"""What ends something asks first, and tells the right process the right thing; all of it with keys."""

from __future__ import annotations

import pytest

from eyewall.doctor.control.protocol import ControlError

from .stage import Stage
from .test_views import cells
from .viewer import Keys, Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]

CONNECTIONS = "What is open"


def focused(browser: Viewer, selector: str) -> bool:
    return bool(browser.run("return document.activeElement?.matches(arguments[0]) ?? false", selector))


def test_a_websocket_is_closed_with_keys_alone(browser: Viewer, stage: Stage) -> None:
    browser.live()
    browser.press("c")
    browser.until(lambda: browser.all(".view-connections"))
    browser.until(lambda: browser.focus() == "h1 Connections", "the title of the view does not get the focus")
    # Through the kinds to the WebSockets, from there to the filter, and from there into the table.
    browser.press(Keys.TAB)
    browser.press(Keys.TAB)
    assert focused(browser, "[data-kind=websockets]")
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.text(".told") == "38 rows")
    browser.press("/")
    assert focused(browser, "input[type=search]")
    # A letter is a letter there, and no shortcut.
    browser.press("feed/2")
    browser.until(lambda: browser.text(".told") == "6 of 38 rows")
    browser.press(Keys.ARROW_DOWN)
    assert focused(browser, "[role=grid]")
    browser.press(Keys.ARROW_DOWN)
    browser.press(Keys.ARROW_DOWN)
    grid = browser.find("[role=grid]")
    active = grid.get_attribute("aria-activedescendant")
    row = browser.find(f"#{active}")
    assert row.get_attribute("aria-selected") == "true"
    peer = row.text.split("\n")[0]
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.all("dialog.sheet[open]"))
    assert peer in browser.text("dialog.sheet h2")
    # What does no harm has the focus; one step before it is what does.
    assert browser.focus() == "button Close"
    browser.press(Keys.SHIFT, Keys.TAB)
    browser.run("document.querySelector('dialog.sheet button.danger').focus()")
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.all("dialog.confirm[open]"))
    assert browser.focus() == "button Leave it"
    browser.press(Keys.ENTER)
    browser.until(lambda: not browser.all("dialog.confirm"))
    assert stage.told == []
    browser.press(Keys.ENTER)
    browser.until(lambda: browser.all("dialog.confirm[open]"))
    browser.press(Keys.TAB)
    browser.press(Keys.ENTER)
    browser.until(lambda: stage.told, "nothing was told")
    [(pid, command, arguments)] = stage.told
    entry = next(each for each in stage.opened["websockets"] if each["id"] == arguments["connection"])
    assert (pid, command) == (4711, "close-connection")
    assert arguments == {"connection": entry["id"], "peer": peer}
    assert entry["peer"] == peer
    browser.until(lambda: browser.text("#toast") == f"Closed the WebSocket of {peer}.")
    assert browser.text("#polite") == f"Closed the WebSocket of {peer}."
    # The focus is again where it was.
    browser.until(lambda: focused(browser, "[role=grid]"))


def test_a_task_is_cancelled_after_a_confirmation(browser: Viewer, stage: Stage) -> None:
    browser.live()
    browser.press("k")
    browser.until(lambda: browser.all(".task-name"))
    browser.press("/", "warm-up", Keys.ENTER)
    browser.until(lambda: focused(browser, "[role=treegrid]"))
    browser.press(Keys.HOME)
    browser.press(Keys.ARROW_DOWN)
    first = browser.find(f"#{browser.find('[role=treegrid]').get_attribute('aria-activedescendant')}")
    assert first.text.startswith("await") or "warm-up" in first.text
    browser.press(Keys.HOME)
    browser.press("x")
    browser.until(lambda: browser.all("dialog.confirm[open]"))
    assert browser.text("dialog h2") == "Cancel cache warm-up?"
    assert browser.violations() == []
    browser.press(Keys.ESCAPE)
    browser.until(lambda: not browser.all("dialog"))
    assert stage.told == []
    stage.fail("cancel-task", ControlError("not-found", "there is no task cache warm-up any more"))
    browser.expected.append("/api/4711/cancel-task")
    browser.press("x")
    browser.until(lambda: browser.all("dialog.confirm[open]"))
    browser.find("dialog button.danger").click()
    browser.until(lambda: browser.text("#toast") == "there is no task cache warm-up any more")
    assert stage.told == [(4711, "cancel-task", {"task": "7f2200000002", "name": "cache warm-up"})]


def test_branches_close_and_open_with_keys(browser: Viewer) -> None:
    browser.live()
    browser.press("k")
    browser.until(lambda: browser.all(".task-name"))
    label = "Tasks, each above those that it waits for"
    browser.find("[role=treegrid]").send_keys(Keys.HOME)
    names = [each[0] for each in cells(browser, label)]
    assert names[0] == "▾main main"
    browser.press(Keys.ARROW_LEFT)
    browser.until(lambda: cells(browser, label)[0][0] == "▸main main")
    assert cells(browser, label)[1][0] == "▾feed 2 Feed.pump"
    browser.press(Keys.ARROW_RIGHT)
    browser.until(lambda: [each[0] for each in cells(browser, label)][:6] == names[:6])
    browser.press(Keys.ARROW_RIGHT)
    browser.press(Keys.ARROW_DOWN)
    browser.press(Keys.ARROW_LEFT)
    browser.until(lambda: cells(browser, label)[2][0] == "▸waits for cache warm-up Cache.warm")
    browser.press(Keys.ARROW_LEFT)
    active = browser.find("[role=treegrid]").get_attribute("aria-activedescendant")
    assert browser.find(f"#{active}").text.startswith("▾main")


def test_keys_lead_everywhere_and_can_be_switched_off(browser: Viewer) -> None:
    browser.live()
    for key, view in (
        ("f", "findings"),
        ("r", "requests"),
        ("g", "guard"),
        ("m", "memory"),
        ("o", "overview"),
    ):
        browser.press(key)
        browser.until(lambda view=view: browser.all(f".view-{view}"), view)
        assert browser.find(f"#views a[href='#/{view}']").get_attribute("aria-current") == "page"
        assert browser.page.title == f"{view.capitalize()} · Eyewall"
    browser.press("?")
    browser.until(lambda: browser.all("dialog.sheet[open]"))
    assert browser.violations() == []
    assert {"Overview", "Timeline", "Pause, and go on"} <= set(browser.texts(".keys dd"))
    browser.find("dialog input[type=checkbox]").click()
    browser.press(Keys.ESCAPE)
    browser.until(lambda: not browser.all("dialog"))
    browser.press("f")
    browser.press("?")
    browser.until(lambda: browser.all("dialog.sheet[open]"))
    assert browser.all(".view-overview")
    assert not browser.all(".view-findings")
    browser.find("dialog input[type=checkbox]").click()
    browser.press(Keys.ESCAPE)
    browser.until(lambda: not browser.all("dialog"))
    # Past the frame to what is in it.
    browser.page.refresh()
    browser.live()
    browser.find("body").send_keys(Keys.TAB)
    assert browser.focus() == "a Skip to the content"
    browser.press(Keys.ENTER)
    assert browser.run("return document.activeElement.id") == "main"


def test_of_all_processes_the_right_one_is_told(browser: Viewer, stage: Stage) -> None:
    browser.until(lambda: browser.run("return document.querySelector('#process')?.value") == "4711")
    browser.live()
    stage.processes = {
        4712: {"title": "worker 1", "group": 4711},
        4713: {"title": "worker 2", "group": 4711},
    }
    browser.page.refresh()
    browser.until(
        lambda: (
            browser.texts("#process option") == ["All (2 processes)", "worker 1 (4712)", "worker 2 (4713)"]
        )
    )
    browser.view("connections")
    browser.until(lambda: browser.text(".told") == "428 rows")
    browser.find("[data-column=pid]").click()
    browser.until(lambda: cells(browser, CONNECTIONS)[0][-1] == "4713")
    browser.find(".body .row").click()
    browser.until(lambda: browser.all("dialog.sheet[open]"))
    browser.find("dialog button.danger").click()
    browser.until(lambda: browser.all("dialog.confirm[open]"))
    browser.find("dialog.confirm button.danger").click()
    browser.until(lambda: stage.told)
    assert [(pid, command) for pid, command, _ in stage.told] == [(4713, "close-connection")]
    # What is told of one process only is told of the one that is chosen for it.
    browser.view("tasks")
    browser.until(lambda: browser.all(".task-name"))
    browser.until(lambda: browser.all(".single:not([hidden])"))
    browser.run(
        "const select = document.querySelector('.single select'); select.value = '4713';"
        "select.dispatchEvent(new Event('change'));"
    )
    stage.asked.clear()
    browser.until(lambda: any(pid == 4713 and command == "stacks" for pid, command, _ in stage.asked))
    # And one alone.
    browser.run(
        "const select = document.querySelector('#process'); select.value = '4712';"
        "select.dispatchEvent(new Event('change'));"
    )
    browser.until(lambda: "process=4712" in browser.page.current_url)
    browser.page.refresh()
    browser.until(lambda: browser.run("return document.querySelector('#process').value") == "4712")
