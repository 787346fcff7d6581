"""The view of who waits for whom."""

from __future__ import annotations

from typing import Any

import pytest

from . import pictured
from .stage import Stage
from .viewer import Keys, Viewer

pytestmark = [pytest.mark.timeout(180), pytest.mark.one_build]


@pytest.fixture
def viewer(browser: Viewer, stage: Stage) -> Viewer:
    stage.answers["waits"] = lambda *_: pictured.waits()
    browser.live()
    browser.view("waits")
    browser.until(lambda: browser.all(".graph .node"), "nothing is drawn")
    return browser


def test_it_is_accessible_in_dark_and_light_and_on_a_phone(viewer: Viewer) -> None:
    viewer.assert_accessible()
    # There the table is what says it.
    assert not viewer.find(".graph").is_displayed()
    assert viewer.all("[aria-label='Who waits for whom'] .body .row")


def test_a_deadlock_is_said_and_drawn(viewer: Viewer) -> None:
    assert viewer.text(".ring .summary").startswith("They wait for each other in a circle")
    steps = viewer.texts(".ring-steps li")
    expected = [
        "reserve 1182 waits for lock 'ledger'",
        "lock 'ledger' is held by book 88",
        "book 88 waits for lock 'stock'",
        "lock 'stock' is held by reserve 1182",
    ]
    assert all(step.startswith(each) for step, each in zip(steps, expected, strict=True)), steps
    assert "stock.py:57" in steps[0]
    assert "ledger.py:21" in steps[1]
    assert len(viewer.all(".node.bad")) == 4
    assert len(viewer.all(".edge.bad")) == 4
    colours = viewer.run(
        "const of = (query) => getComputedStyle(document.querySelector(query)).stroke;"
        "return [of('.node.bad rect'), of('.edge.bad path'), of('.node:not(.bad) rect')];"
    )
    assert colours[0] == colours[1] != colours[2]
    assert viewer.text(".view > .quiet") == (
        "4,920 tasks, of which 3,500 wait for nobody else; 1,412 further nodes that fewest wait for are left out. "
        "Solid lines lead to what somebody waits for, dashed ones to who holds it."
    )


def test_boxes_lie_beside_each_other_and_lead_to_the_right(viewer: Viewer) -> None:
    boxes: dict[str, Any] = viewer.run(
        "const found = {}; for (const each of document.querySelectorAll('.node')) {"
        "  const box = each.querySelector('rect').getBBox();"
        "  found[each.dataset.id] = [box.x, box.y, box.width, box.height]; } return found;"
    )
    assert len(boxes) == len(pictured.waits()["nodes"])
    placed = list(boxes.values())
    for number, (x, y, width, height) in enumerate(placed):
        for other in placed[number + 1 :]:
            assert abs(x - other[0]) >= width or abs(y - other[1]) >= height
    backwards = [each for each in pictured.waits()["edges"] if boxes[each["from"]][0] >= boxes[each["to"]][0]]
    # One of the circle has to.
    assert len(backwards) == 1
    # Also that one, with its arrow, is within the picture.
    room, drawn = viewer.run(
        "const box = (each) => { const { x, y, right, bottom } = each.getBoundingClientRect();"
        "  return [x, y, right, bottom]; };"
        "const svg = document.querySelector('.graph svg');"
        "return [box(svg), [...svg.querySelectorAll('.edge path')].map(box)];"
    )
    for left, top, right, bottom in drawn:
        assert room[0] <= left
        assert room[1] <= top
        assert right <= room[2]
        assert bottom <= room[3]


def test_the_same_as_a_table_with_the_keyboard(viewer: Viewer) -> None:
    viewer.press("/")
    viewer.press("reserve")
    viewer.press(Keys.ENTER)
    viewer.press(Keys.HOME, Keys.ENTER)
    viewer.until(lambda: viewer.all(".chosen"))
    assert viewer.text(".chosen .source") == pictured.STOCK["source"]
    assert viewer.all(".node[data-chosen]")


def test_a_node_is_chosen_by_a_click(viewer: Viewer) -> None:
    viewer.run("document.querySelector(\".node[data-id='t1']\").dispatchEvent(new MouseEvent('click'))")
    assert viewer.text(".chosen h2") == "POST /orders/1"
    assert "POST /orders/1 (Order)" in viewer.text(".chosen .facts")


def test_nobody_waits(viewer: Viewer, stage: Stage) -> None:
    stage.answers["waits"] = lambda *_: pictured.waits(nodes=[], edges=[], circles=[], left_out=0)
    viewer.until(lambda: not viewer.all(".node"))
    assert not viewer.find(".graph").is_displayed()
    assert "Nobody waits for anybody." in viewer.text(".view-waits .table")
