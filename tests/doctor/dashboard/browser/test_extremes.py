"""Very much, and very bad: 10,000 connections, 5,000 tasks, hostile texts; processes that do not answer."""

from __future__ import annotations

import pytest

from eyewall.doctor.control.protocol import ControlError

from . import recorded
from .stage import INTERVAL, Stage
from .test_views import cells
from .viewer import WIDE, Keys, Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]

#: Elements that a page has at most, whatever there is to be shown.
ELEMENTS = 1200
#: Counts what is changed in the page from now on.
COUNT = """
    window.changed = 0;
    new MutationObserver((changes) => { window.changed += changes.length; })
      .observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
"""


def elements(browser: Viewer) -> int:
    return int(browser.run("return document.querySelectorAll('*').length"))


def test_ten_thousand_connections(browser: Viewer, stage: Stage) -> None:
    stage.opened = recorded.opened(connections=10_000)
    browser.live()
    browser.view("connections")
    browser.until(lambda: browser.text(".told") == "1,000 of 10,000 rows")
    assert browser.text(".note").startswith("Of 10,000, 1,000 are shown, first by age")
    assert elements(browser) < ELEMENTS
    browser.find(".table .tools > button").click()
    browser.until(lambda: browser.text(".told") == "5,000 of 10,000 rows")
    grid = browser.find("[role=grid]")
    assert grid.get_attribute("aria-rowcount") == "5001"
    grid.send_keys(Keys.END)
    browser.until(lambda: browser.all("[aria-rowindex='5001'].active"))
    assert browser.run(
        "const row = document.querySelector('.row.active').getBoundingClientRect();"
        "const grid = document.querySelector('[role=grid]').getBoundingClientRect();"
        "return row.bottom <= grid.bottom + 1 && row.top >= grid.top;"
    )
    assert elements(browser) < ELEMENTS
    # What an update changes depends on what can be seen, and not on what there is.
    browser.run(COUNT)
    asked = len([1 for _, command, _ in stage.asked if command == "open"])
    for each in stage.opened["connections"]:
        each["age"] += 1000
        each["idle"] += 1000
    browser.until(lambda: len([1 for _, command, _ in stage.asked if command == "open"]) > asked + 1)
    browser.until(lambda: browser.run("return window.changed") > 0)
    assert browser.run("return window.changed") < 3 * ELEMENTS
    # Sorted and filtered by the process, which knows all of them.
    browser.find("[data-column=bytes_out]").click()
    most = max(each["bytes_out"] for each in stage.opened["connections"])
    browser.until(lambda: any(given.get("sort") == "bytes_out" for _, _, given in stage.asked))
    browser.until(lambda: cells(browser, "What is open"))
    browser.find("[role=grid]").send_keys(Keys.HOME)
    browser.until(lambda: cells(browser, "What is open")[0][-1] == f"{most / 1024:,.0f} KiB")
    rare = stage.opened["connections"][7]
    rare.update(peer="192.0.2.7", bytes_out=0)
    browser.press("/", "192.0.2.7")
    browser.until(lambda: [each[0] for each in cells(browser, "What is open")] == ["192.0.2.7"])


def test_five_thousand_tasks(browser: Viewer, stage: Stage) -> None:
    stage.answers["stacks"] = lambda _, given: _cut(recorded.many_tasks(5000), given.get("limit", 1000))
    browser.live()
    browser.view("tasks")
    browser.until(lambda: browser.text(".view-tasks > .note") == "4,500 more tasks not shown.")
    assert browser.text("[data-mode=tree]") == "Tree 5,000"
    browser.find(".tools > button").click()
    browser.until(
        lambda: browser.text(".view-tasks > .note") == "" and browser.text(".told") == "5,000 tasks"
    )
    assert elements(browser) < ELEMENTS
    browser.find("[role=treegrid]").send_keys(Keys.END)
    browser.until(
        lambda: (
            "job 4999"
            in "".join(each[0] for each in cells(browser, "Tasks, each above those that it waits for"))
        )
    )
    assert elements(browser) < ELEMENTS


def _cut(answer: dict[str, object], limit: int) -> dict[str, object]:
    tasks = answer["tasks"]
    assert isinstance(tasks, list)
    return {**answer, "tasks": tasks[:limit], "omitted": max(0, len(tasks) - limit)}


ATTACK = "<img src=x onerror=\"document.title='bad'\"><script>document.title='bad'</script>"
TURNED = "/invoice\u202egnp.exe"
LONG = "/" + "a" * 10_000


def test_hostile_texts_are_text(browser: Viewer, stage: Stage) -> None:
    bad = recorded.place(f"{ATTACK}.py", 1, ATTACK, ATTACK)
    stage.processes = {4711: {"title": ATTACK}}
    stage.find(
        *(
            recorded.finding(
                summary=text,
                advice=text,
                place={**bad, "function": text},
                subject={"method": "GET", "path": text, "handler": text},
                evidence={
                    "stacks": {text: [bad]},
                    "counts": {text: 1},
                    "wall": None,
                    "cpu": None,
                    "error": text,
                },
                rule=f"rule-{number}",
            )
            for number, text in enumerate((ATTACK, TURNED, LONG))
        )
    )
    stage.opened = {
        name: [
            recorded.entry(
                name.rstrip("s"),
                number,
                label=f"GET {text}",
                route=text,
                peer=text,
                place=bad,
                waits_for=text,
            )
            for number, text in enumerate((ATTACK, TURNED, LONG))
        ]
        for name in recorded.opened()
    }
    hostile = [
        recorded.task(
            number,
            text,
            text,
            [bad],
            subject={"method": "GET", "path": text},
            waits_for=recorded.waits("lock", text),
        )
        for number, text in enumerate((ATTACK, TURNED, LONG))
    ]
    stage.answers["stacks"] = lambda pid, _: {**recorded.stacks(pid), "tasks": hostile}
    guard = [
        {**each, "name": ATTACK, "state": {**each["state"], "reason": ATTACK}} for each in recorded.GUARD
    ]
    state = stage.answers["state"]
    routes = [{**recorded.ROUTES[0], "route": text, "handler": text} for text in (ATTACK, TURNED, LONG)]
    stage.answers["state"] = lambda pid, given: {**state(pid, given), "guard": guard, "routes": routes}
    browser.page.refresh()
    browser.live()
    for view, selector, many in (
        ("overview", ".finding.prominent", 1),
        ("findings", ".finding", 3),
        ("requests", "[aria-label='Live requests, the slowest first'] .body .row:not(.empty)", 3),
        ("tasks", ".task-name", 3),
        ("connections", ".body .row:not(.empty)", 3),
        ("guard", ".item", 5),
    ):
        browser.view(view)
        browser.until(lambda selector=selector, many=many: len(browser.all(selector)) >= many, view)
        assert browser.all("main img, main script, dialog img") == []
        assert ATTACK in browser.run("return document.body.textContent"), view
        assert browser.run(WIDE) == [], view
        # What turns the order of letters round is shown as what it is.
        assert "\u202e" not in browser.run("return document.documentElement.outerHTML"), view
    browser.view("connections")
    browser.until(lambda: browser.all(".body .row:not(.empty)"))
    browser.find(".body .row").click()
    browser.until(lambda: browser.all("dialog[open]"))
    browser.find("dialog button.danger").click()
    browser.until(lambda: browser.all("dialog.confirm[open]"))
    assert browser.all("dialog img") == []
    browser.phone()
    assert browser.run(WIDE) == []
    assert browser.page.title == "Connections · Eyewall"


# -- processes and connections that fail ------------------------------------------------------------------------


def test_a_loop_that_does_not_answer_is_said(browser: Viewer, stage: Stage) -> None:
    browser.live()
    browser.until(lambda: browser.all(".finding.prominent"))
    answers = dict(stage.answers)
    stage.fail(
        "state", ControlError("busy", "process 4711 has not answered within 3 s: it hangs, or was stopped")
    )
    browser.until(lambda: browser.texts(".banner.bad"))
    [said] = browser.texts(".banner.bad")
    assert said.startswith("The loop of shop:app (4711) does not answer")
    assert browser.find(".banner.bad").get_attribute("role") == "alert"
    assert browser.violations() == []
    # What was known is still there.
    assert browser.all(".finding.prominent")
    stage.answers = answers
    browser.until(lambda: not browser.texts(".banner"), "the banner stays")
    # It has ended.
    stage.processes = {}
    browser.until(lambda: "has ended" in browser.text(".banner"))
    browser.until(lambda: browser.texts("#process option") == ["shop:app (4711), ended"])
    # One that comes instead of it is shown, since nobody has chosen this one.
    stage.processes = {4800: {"title": "shop:app"}}
    browser.until(lambda: browser.run("return document.querySelector('#process').value") == "4800")
    browser.until(lambda: not browser.texts(".banner"))


def test_something_that_is_not_known_is_said(browser: Viewer, stage: Stage) -> None:
    state = stage.answers["state"]
    stage.answers["state"] = lambda pid, given: {
        **state(pid, given),
        "open": {"counts": {"connections": 3}, "missing": "the loop did not answer within 0.25 s"},
    }
    browser.live()
    browser.until(lambda: "the loop did not answer" in browser.text(".banner"))
    stage.fail("open", ControlError("busy", "the loop did not answer within 1 s"))
    browser.expected.append("/api/4711/open")
    browser.view("connections")
    browser.until(lambda: "the loop did not answer within 1 s" in browser.text(".view .note"))


def test_a_lost_connection_is_said_and_mended(browser: Viewer) -> None:
    browser.live()
    browser.expected += ["ERR_INTERNET_DISCONNECTED", "events?process"]
    browser.run("window.sources = []")
    browser.network(offline=True)
    try:
        # A stream that is open stays so when the network goes: the next one is lost.
        browser.find("#pause").click()
        browser.find("#pause").click()
        browser.until(lambda: browser.text("#link-text") == "Connection lost")
        assert "can’t be reached since" in browser.text(".banner.bad")
    finally:
        browser.network()
    browser.until(lambda: browser.text("#link-text") == "Live", "it is not tried again")
    assert browser.texts(".banner") == []


def test_another_token_is_said(browser: Viewer) -> None:
    browser.live()
    browser.expected.append("401")
    browser.forget()
    browser.press("p")
    browser.press("p")
    browser.until(lambda: "another token" in browser.text(".banner.bad"))


def test_nobody_is_asked_while_the_page_is_paused_or_hidden(browser: Viewer, stage: Stage) -> None:
    browser.live()
    browser.press("p")
    browser.until(lambda: browser.text("#link-text") == "Paused")
    assert browser.find("#pause").get_attribute("aria-pressed") == "true"
    assert browser.text(".banner").startswith("Paused: this is how it was at")
    assert browser.violations() == []
    _quiet(browser, stage)
    browser.press("p")
    browser.live()
    assert browser.texts(".banner") == []
    # Chromium says so of a page that is behind another one; here it is said for it.
    browser.run(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange'));"
    )
    _quiet(browser, stage)
    browser.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'));")
    stage.asked.clear()
    browser.until(lambda: stage.asked, "nobody is asked any more")


def _quiet(browser: Viewer, stage: Stage) -> None:
    """Waits until processes have not been asked for as long as a state takes."""

    def quiet() -> bool:
        stage.asked.clear()
        browser.page.execute_async_script("setTimeout(arguments[1], arguments[0])", 4000 * INTERVAL)
        return not stage.asked

    browser.until(quiet, "processes are still asked")


def test_the_theme_is_kept(browser: Viewer) -> None:
    browser.live()
    ground = "return getComputedStyle(document.documentElement).backgroundColor"
    light = browser.run(ground)
    browser.press("d")
    browser.until(lambda: browser.run(ground) != light)
    assert browser.text("#theme") == "◐ Dark"
    line = "return getComputedStyle(document.querySelector('.chart')).color"
    dark_ink = browser.run(line)
    browser.page.refresh()
    browser.live()
    assert browser.run(ground) != light
    browser.press("d")
    assert browser.text("#theme") == "◐ Light"
    browser.scheme("dark")
    assert browser.run(ground) == light
    assert browser.run(line) != dark_ink
    browser.press("d")
    assert browser.text("#theme") == "◐ Auto"
    assert browser.run(ground) != light
