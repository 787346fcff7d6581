"""Each view shows what processes say."""

from __future__ import annotations

import pytest

from . import recorded
from .stage import Stage
from .viewer import WIDE, Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]

#: The views that are tested here; others have files of their own.
VIEWS = ["overview", "findings", "requests", "tasks", "connections", "guard", "memory"]
#: What is there once a view has its answers.
FULL = {
    "overview": ".finding.prominent .source",
    "findings": ".finding .advice",
    "requests": ".grid .stack",
    "tasks": ".task-name",
    "connections": ".grid .body .row:not(.empty)",
    "guard": ".item .meter",
    "memory": "[aria-label='What there is, by kind'] .body .row:not(.empty)",
}


def cells(browser: Viewer, label: str) -> list[list[str]]:
    """Returns the texts of the rows of a table that are in the page."""
    found: list[list[str]] = browser.run(
        "const rows = document.querySelectorAll(`[aria-label='${arguments[0]}'] .body .row:not(.empty)`);"
        "const order = (row) => Number(row.getAttribute('aria-rowindex'));"
        "return [...rows].sort((one, other) => order(one) - order(other))"
        ".map((row) => [...row.children].filter((each) => !each.hidden).map((each) => each.textContent));",
        label,
    )
    return found


def test_views_are_accessible_in_dark_and_light_and_on_a_phone(browser: Viewer) -> None:
    browser.live()
    found: dict[str, list[str]] = {}

    def look(where: str) -> None:
        for view in VIEWS:
            browser.view(view)
            browser.until(lambda view=view: browser.all(FULL[view]), f"{view} stays empty")  # type: ignore[misc]
            # In the dark, the colours are others and the rest is the same.
            said = browser.violations(*(["color-contrast"] if where == "dark" else []))
            found[f"{view}, {where}"] = said + browser.run(WIDE)

    look("light")
    browser.scheme("dark")
    look("dark")
    browser.phone()
    look("phone")
    assert {where: said for where, said in found.items() if said} == {}
    assert len(found) == 3 * len(VIEWS)


def test_views_say_of_themselves_what_the_list_of_views_says(browser: Viewer) -> None:
    browser.live()
    found = browser.page.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        (async () => {
          const { VIEWS } = await import("/static/js/views/index.js");
          const found = [];
          for (const view of VIEWS) {
            const module = (await view.load()).default;
            for (const name of ["id", "title", "key"]) found.push([view.id, name, view[name] === module[name]]);
          }
          const keys = VIEWS.map((each) => each.key);
          return [found, keys];
        })().then(done, (error) => done(String(error)));
        """
    )
    assert len(found[0]) == 3 * 10
    assert all(same for _, _, same in found[0]), found
    assert len(set(found[1])) == len(found[1])
    assert not set(found[1]) & {"p", "s", "d", "x", "?", "/"}


# -- overview ---------------------------------------------------------------------------------------------------


def test_the_title_has_the_focus_also_where_the_view_before_has_not_come(browser: Viewer) -> None:
    script = "addEventListener('DOMContentLoaded', () => (location.hash = '#/connections'))"
    added = browser.command("Page.addScriptToEvaluateOnNewDocument", source=script)
    try:
        browser.open("/")
        browser.until(lambda: browser.focus() == "h1 Connections")
    finally:
        browser.command("Page.removeScriptToEvaluateOnNewDocument", **added)


def test_what_is_wrong_and_where_is_the_first_thing_in_the_page(browser: Viewer) -> None:
    browser.live()
    browser.until(lambda: browser.all(".finding.prominent"))
    assert browser.text(".prominent .summary").startswith("The event loop stood still for 1.84 s")
    assert browser.text(".prominent .at") == "/srv/shop/shop/reports.py:42 in MonthlyReport.get"
    assert browser.text(".prominent .source") == recorded.REPORT["source"]
    assert browser.text(".prominent .known") == (
        "in GET /reports/2026-10 (MonthlyReport)took 1.8 s, 21 ms of it on the CPUconnections that waited: 214"
    )
    assert "Use an asynchronous client" in browser.text(".prominent .advice")
    # All of it without scrolling.
    box = browser.find(".prominent .source").rect
    assert box["y"] + box["height"] < 400
    # The next ones, by when they were seen, in a line each.
    assert browser.texts(".further .at") == ["stock.py:57", "checkout.py:88", "images.py:27"]
    assert browser.text(".further .more") == "1 more finding"
    assert browser.text("#views .badge") == "4"


def test_charts_go_on_with_what_the_process_notes(browser: Viewer, stage: Stage) -> None:
    browser.live()
    browser.until(lambda: browser.text(".figure .now").endswith("ms"))
    # The worst of the second, which no state has had.
    noted = [recorded.START + stage.seconds + 60, 2.5, 1.0, 3.0, 190e6]
    stage.answers["history"] = lambda *_: {"points": [noted]}
    browser.until(lambda: browser.texts(".figure .now")[:2] == ["2.5 s", "100 %"], "the point does not come")
    # Whoever looks shares what the dashboard asks.
    asked = "return performance.getEntriesByType('resource').filter((each) => each.name.includes('/history')).length"
    assert browser.run(asked) == 0


def test_a_new_finding_comes_first_and_is_said_once(browser: Viewer, stage: Stage) -> None:
    stage.find()
    browser.live()
    browser.until(lambda: browser.text(".calm") == "Nothing is wrong, as far as the doctor sees.")
    assert browser.text("#polite") == ""
    # At another line than those that the page may have seen before it was told that there are none.
    elsewhere = {"place": recorded.SEARCH, "first_seen": "2026-09-21T14:13:21Z"}
    stage.find(recorded.finding(**elsewhere, last_seen="2026-09-21T14:13:21Z", count=1))
    browser.until(lambda: browser.all(".finding.prominent"), "it does not come")
    browser.until(lambda: browser.text("#polite").startswith("New finding: The event loop stood still"))
    # The same again is no news; the card stays, and what was opened in it.
    browser.find(".prominent summary").click()
    browser.run("document.querySelector('#polite').textContent = ''")
    stage.find(recorded.finding(**elsewhere, last_seen="2026-09-21T14:13:25Z", count=2))
    browser.until(lambda: "2 times" in browser.text(".prominent .meta"))
    assert browser.text("#polite") == ""
    assert browser.find(".prominent details").get_attribute("open") is not None
    assert "ssl.py:1166" in browser.text(".prominent details")


def test_charts_tell_in_words_what_they_draw(browser: Viewer) -> None:
    browser.live()
    label = "return document.querySelector('.chart')?.getAttribute('aria-label') ?? ''"
    # Once what was noted last is some time ago, it is what states say.
    said = "Loop lag, the last ten minutes: now 1.8 ms, at most 1.8 s"
    browser.until(lambda: browser.run(label).startswith(said))
    drawn = browser.run(
        "const canvas = document.querySelector('.chart canvas');"
        "const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
        "return data.some((each) => each > 0);"
    )
    assert drawn
    assert browser.texts(".tile .label")[:3] == ["Connections", "Requests", "WebSockets"]
    assert browser.texts(".tile .number")[:3] == ["214", "7", "38"]
    assert browser.text(".route-line .name") == "/reports/(.*)"


# -- findings ---------------------------------------------------------------------------------------------------


def test_findings_are_sorted_filtered_and_opened(browser: Viewer) -> None:
    browser.live()
    browser.view("findings")
    browser.until(lambda: len(browser.all(".finding")) == 5)
    severities = [each.get_attribute("data-severity") for each in browser.all(".finding")]
    assert severities == ["error", "error", "warning", "warning", "notice"]
    assert browser.texts("[data-kind]")[:4] == ["All 5", "Errors 2", "Warnings 2", "Notices 1"]
    browser.find("[data-kind=warning]").click()
    browser.until(lambda: len(browser.all(".finding")) == 2)
    assert browser.find("[data-kind=warning]").get_attribute("aria-pressed") == "true"
    browser.find("[data-kind=all]").click()
    browser.find(".filter").send_keys("keyerror no, stock")
    browser.until(lambda: browser.text(".calm") == "None of the findings is so.")
    browser.find(".filter").clear()
    browser.find(".filter").send_keys("stock.reserve")
    browser.until(lambda: len(browser.all(".finding")) == 1)
    browser.find("summary").click()
    assert browser.texts(".evidence h3") == ["task reserve 1182", "task book 77"]
    # From the overview to one of them.
    browser.view("overview")
    browser.until(lambda: browser.all(".further a"))
    browser.find(".further a").click()
    browser.until(lambda: browser.all(".view-findings details[open]"))
    assert "stock.py:57" in browser.run("return document.activeElement.textContent")


# -- requests ---------------------------------------------------------------------------------------------------


def test_the_time_of_routes_is_split(browser: Viewer) -> None:
    browser.live()
    browser.view("requests")
    browser.until(lambda: len(cells(browser, "Requests by route")) == 7)
    first = cells(browser, "Requests by route")[0]
    assert [first[0], first[1], first[4]] == ["/reports/(.*)", "MonthlyReport", "88 %"]
    bar = browser.find("[aria-label='Requests by route'] .stack")
    assert bar.get_attribute("aria-label") == "running 3 %, blocking 88 %, waiting 9 %"
    whole = bar.rect["width"]
    blocking = browser.find("[aria-label='Requests by route'] .stack [data-phase=blocking]").rect["width"]
    assert 0.85 < blocking / whole < 0.9
    # By another column, and the other way round.
    browser.find("[data-column=count]").click()
    assert [each[0] for each in cells(browser, "Requests by route")][:2] == ["/", "/cart"]
    assert (
        browser.run(
            "return document.querySelector('[data-column=count]').parentElement.getAttribute('aria-sort')"
        )
        == "descending"
    )
    browser.find("[data-column=count]").click()
    assert cells(browser, "Requests by route")[0][0] == "/upload"
    # Lately, what has come since a state some seconds ago.
    browser.find("[data-period=lately]").click()
    browser.until(lambda: cells(browser, "Requests by route")[0][0] == "/upload")
    browser.until(lambda: 0 <= int(cells(browser, "Requests by route")[-1][7].replace(",", "")) < 20_000)


def test_live_requests_come_slowest_first(browser: Viewer) -> None:
    browser.live()
    browser.view("requests")
    label = "Live requests, the slowest first"
    browser.until(lambda: len(cells(browser, label)) == 7)
    rows = cells(browser, label)
    assert [each[0] for each in rows[:3]] == ["2.3 s", "2.1 s", "1.9 s"]
    assert rows[0][1:5] == [
        "GET /thumbnails/91",
        "/thumbnails/(\\d+)",
        "images.py:27",
        "the executor images, in its queue",
    ]


# -- tasks ------------------------------------------------------------------------------------------------------


def test_tasks_are_a_tree_with_chains_of_awaits(browser: Viewer) -> None:
    browser.live()
    browser.view("tasks")
    label = "Tasks, each above those that it waits for"
    browser.until(lambda: browser.all(".task-name"))
    names = [each[0] for each in cells(browser, label)]
    begin = names.index("▾main main")
    assert names[begin : begin + 6] == [
        "▾main main",
        "await asyncio.gather(serve(), warm, feeds()) in main",
        "▾waits for cache warm-up Cache.warm",
        "await self.fetch(key) in Cache.warm",
        "value = await self.settings['index'].get(key) in Cache.fetch",
        "▾waits for feed 1 Feed.pump",
    ]
    # Below the line that waits for it.
    row = browser.find("[aria-level='3'][aria-expanded]")
    assert row.text.startswith("▾waits for cache warm-up")
    # Two that wait for each other are one below the other, and no more.
    browser.find(".filter").send_keys("book 77")
    browser.until(lambda: len(cells(browser, label)) < 8)
    shown = [each[0] for each in cells(browser, label)]
    assert sum("book 77" in each for each in shown) == 1
    browser.find(".filter").clear()
    browser.find(".filter").send_keys(" ")
    browser.find("input[type=checkbox]").click()
    browser.until(
        lambda: "await self.fetch(key) in Cache.warm" not in [each[0] for each in cells(browser, label)]
    )
    browser.find("[data-mode=list]").click()
    browser.until(lambda: len(cells(browser, "Tasks")) == 10)
    assert cells(browser, "Tasks")[0][0] in ("reserve 1182", "book 77")
    browser.find("[data-mode=kinds]").click()
    browser.until(
        lambda: (
            cells(browser, "Tasks by what they run")[0] == ["38", "Feed.pump", "/srv/shop/shop/feed.py:12"]
        )
    )
    browser.find("[data-mode=threads]").click()
    browser.until(
        lambda: [each.split(" ")[0] for each in browser.texts(".thread h2")] == ["MainThread", "images_0"]
    )


# -- the guard and memory ---------------------------------------------------------------------------------------


def test_states_of_executors_pools_and_breakers(browser: Viewer) -> None:
    browser.live()
    browser.view("guard")
    browser.until(lambda: browser.all(".item"))
    titles = browser.texts(".section > h2")
    assert titles == ["Executors 2", "Pools", "Breakers 2", "Limits of requests", "Limits of connections"]
    assert browser.text("[data-name=images] .pill") == "saturated"
    assert browser.texts("[data-name=images] .many") == ["4 / 4", "61 / 64"]
    assert browser.text("[data-name=payments] .pill") == "open"
    assert browser.find("[data-name=payments] .pill").get_attribute("data-kind") == "bad"
    facts = browser.text("[data-name=payments] .facts")
    for said in ("51 % of 100 calls have failed", "retry after18 s", "refused412"):
        assert said in facts
    assert browser.text("[data-name=index] .pill") == "closed"
    browser.find(".filter").send_keys("breaker")
    browser.until(lambda: browser.texts(".section > h2") == ["Breakers 2"])


def test_memory_by_kind_and_by_line(browser: Viewer, stage: Stage) -> None:
    browser.live()
    browser.view("memory")
    kinds = "What there is, by kind"
    browser.until(lambda: len(cells(browser, kinds)) == 8)
    assert cells(browser, kinds)[0] == ["websockets", "38", "+38"]
    assert cells(browser, kinds)[-1] == ["requests", "7", "−3"]
    assert cells(browser, "Ended and still there")[0][0] == "FeedSocket"
    assert browser.text(".view-memory .more") == "+15.7 MiB in 5 min"
    assert "31 collections in 1.9 s, the longest 110 ms" in browser.text(".view-memory .facts")
    browser.find(".section-head button").click()
    browser.until(lambda: browser.all("dialog[open]"))
    assert not any(command == "memory-sites" for _, command, _ in stage.asked)
    browser.find("dialog button.primary").click()
    sites = "Lines that hold more memory than before"
    browser.until(lambda: len(cells(browser, sites)) == 2)
    assert cells(browser, sites)[0][:2] == ["+5 MiB", "/srv/shop/shop/feed.py:19"]
    asked = [arguments for _, command, arguments in stage.asked if command == "memory-sites"]
    assert asked == [{"seconds": 5.0}]
