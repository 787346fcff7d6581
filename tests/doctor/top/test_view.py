"""The view, with keys pressed, on what a fabricated process says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

pytest.importorskip("textual")

from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static, TabbedContent, TabPane

from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.top.model import Answers
from eyewall.doctor.top.screens import Confirm, Reading, Tasks
from eyewall.doctor.top.view import Top

from .answers import STACKS, STATE, answers

pytestmark = pytest.mark.one_build


class Fabricated:
    """A process that says what a test wants; and what it was told to do."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.error: Exception | None = None
        self.asked = 0
        self.done: list[str] = []

    def answers(self) -> Answers:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return answers(float(self.asked), **self.state)

    def stacks(self) -> Mapping[str, Any]:
        if self.error is not None:
            raise self.error
        return STACKS

    def cancel(self, task: Mapping[str, Any]) -> str:
        self.done.append(f"cancel {task['id']}")
        return "cancelled"

    def close(self, entry: Mapping[str, Any], at_once: bool = False) -> str:
        if self.error is not None:
            raise self.error
        self.done.append(f"close {entry['id']}")
        return "closed"


class Seat:
    """Somebody in front of the view."""

    def __init__(self, app: Top, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Presses keys, and waits until all that follows from that has happened."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def open(self, tab: str) -> None:
        self.app.query_one("#tabs", TabbedContent).active = tab
        await self.settle()

    def column(self, tab: str, column: int = 0) -> list[str]:
        widget = self.app.query_one(f"#table-{tab}", DataTable)
        return [str(widget.get_row_at(row)[column]) for row in range(widget.row_count)]

    def said(self, widget: str = "#status") -> str:
        return str(self.app.screen.query_one(widget, Static).content)


@pytest.fixture
def source() -> Fabricated:
    return Fabricated()


@pytest.fixture
def sit(run: Callable[[Any], Any], source: Fabricated) -> Callable[[Any], None]:
    """Runs a scenario in front of the view."""

    def sit(scenario: Callable[[Seat], Any]) -> None:
        async def play() -> None:
            app = Top(source, 0.0)
            async with app.run_test(size=(160, 40)) as pilot:
                seat = Seat(app, pilot)
                await seat.settle()
                await scenario(seat)

        run(play())

    return sit


Sit = Callable[[Any], None]


def test_tables(sit: Sit) -> None:
    async def scenario(seat: Seat) -> None:
        assert "Process 4711" in seat.said("#heading")
        assert "busy 37 %" in seat.said("#heading")
        assert seat.column("routes") == ["/report", "/", "/slow"]
        assert seat.column("requests", 3) == ["/slow", "/report"]
        assert seat.column("executors") == ["default"]
        assert seat.column("breakers", 1) == ["open"]
        assert seat.column("findings", 2) == ["loop-blocked", "slow-wait"]
        assert str(seat.app.query_one("#tabs", TabbedContent).get_tab("requests").label) == "Requests 2"

    sit(scenario)


def test_a_digit_leads_to_a_table(sit: Sit) -> None:
    async def scenario(seat: Seat) -> None:
        tabs = seat.app.query_one("#tabs", TabbedContent)
        shown = []
        for digit in "87654321":
            await seat.press(digit)
            # And the keys are the table's.
            assert seat.app.focused is seat.app.query_one(f"#table-{tabs.active}")
            shown.append(tabs.active)
        assert shown[::-1] == [pane.id for pane in tabs.query(TabPane)]
        # In the filter, it is a digit.
        await seat.press("slash", "3")
        assert (tabs.active, seat.app.query_one("#filter", Input).value) == ("routes", "3")

    sit(scenario)


def test_it_is_asked_anew(sit: Sit, source: Fabricated) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.open("tasks")
        await seat.press("down")
        source.state = {"tasks": [STATE["tasks"][2], STATE["tasks"][1], STATE["tasks"][0]]}
        await seat.press("u")
        assert source.asked == 2
        assert seat.column("tasks", 1) == ["-", "Report.get", "job"]
        # The cursor is still on Report.get.
        assert seat.app.query_one("#table-tasks", DataTable).cursor_row == 1
        source.state = {"tasks": []}
        await seat.press("u")
        assert seat.column("tasks") == []
        await seat.press("enter", "x")

    sit(scenario)


def test_sorting(sit: Sit) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.press("s")
        assert seat.column("routes") == ["/", "/report", "/slow"]
        assert seat.said() == "Sorted by Route"
        await seat.press("r")
        assert seat.column("routes") == ["/slow", "/report", "/"]
        await seat.press("s", "s", "s")
        assert seat.said() == "Sorted by Requests"
        assert seat.column("routes") == ["/report", "/", "/slow"]
        await seat.press("u")
        assert seat.column("routes") == ["/report", "/", "/slow"]
        await seat.press(*["s"] * 8)
        assert seat.said() == "Sorted as they come"

    sit(scenario)


def test_filtering(sit: Sit) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.press("slash", "S", "l", "o", "w")
        assert seat.app.query_one("#filter", Input).value == "Slow"
        assert seat.column("routes") == ["/slow"]
        assert seat.column("requests", 3) == ["/slow"]
        await seat.press("enter", "s")
        assert seat.said() == "Sorted by Route"
        await seat.press("escape")
        assert seat.column("routes") == ["/", "/report", "/slow"]

    sit(scenario)


def test_down_to_the_stack_of_a_task_which_is_cancelled(sit: Sit, source: Fabricated) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.open("tasks")
        await seat.press("enter")
        assert isinstance(seat.app.screen, Tasks)
        await seat.press("enter")
        assert isinstance(seat.app.screen, Reading)
        assert "job-2" in seat.app.screen.said
        assert "/app/jobs.py:11" in seat.app.screen.said
        # The tables below go on.
        seat.app.action_again()
        await seat.settle()
        assert source.asked == 2
        await seat.press("escape", "down", "x")
        assert isinstance(seat.app.screen, Confirm)
        assert seat.app.screen.question == "Cancel the task job-1?"
        await seat.press("n")
        assert source.done == []
        await seat.press("x", "y")
        assert source.done == ["cancel a1"]
        assert not isinstance(seat.app.screen, Tasks)

    sit(scenario)


def test_the_tasks_of_a_request_which_is_ended(sit: Sit, source: Fabricated) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.open("requests")
        await seat.press("down", "enter")
        assert isinstance(seat.app.screen, Tasks)
        assert [row.key for row in seat.app.screen.table.rows] == ["a3"]
        await seat.press("escape", "x")
        assert isinstance(seat.app.screen, Confirm)
        assert seat.app.screen.question == "End request GET /report of 10.0.0.7?"
        await seat.press("escape")
        assert source.done == []
        await seat.press("x", "y")
        assert source.done == ["close r1"]

    sit(scenario)


def test_what_can_not_be_ended(sit: Sit, source: Fabricated) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.press("x")
        assert "Only requests and connections" in seat.said()
        await seat.open("connections")
        await seat.press("x")
        source.error = ControlError("not-found", "it is closed already")
        await seat.press("y")
        assert seat.said() == "No answer: it is closed already"
        assert source.done == []

    sit(scenario)


def test_more_of_others(sit: Sit) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.open("findings")
        await seat.press("enter")
        assert isinstance(seat.app.screen, Reading)
        assert "Do it otherwise." in seat.app.screen.said
        await seat.press("q")
        await seat.open("breakers")
        await seat.press("enter")
        assert isinstance(seat.app.screen, Reading)
        assert "Reason: 6 of 8 calls failed" in seat.app.screen.said

    sit(scenario)


def test_a_process_that_ends(sit: Sit, source: Fabricated) -> None:
    async def scenario(seat: Seat) -> None:
        source.error = NoDoctor("no-process", "there is no process 4711")
        await seat.press("u")
        assert seat.said() == "There is no process 4711. This is how it was."
        assert seat.app.query_one("#status").has_class("gone")
        # And is not asked any more, but can still be read.
        assert seat.column("routes") == ["/report", "/", "/slow"]
        await seat.press("u")
        assert source.asked == 2
        await seat.open("tasks")
        await seat.press("enter")
        assert not isinstance(seat.app.screen, Tasks)

    sit(scenario)


def test_a_process_that_does_not_answer_is_asked_again(sit: Sit, source: Fabricated) -> None:
    async def scenario(seat: Seat) -> None:
        source.error = ControlError("busy", "process 4711 does not answer")
        await seat.press("u")
        assert seat.said() == "No answer: process 4711 does not answer"
        source.error = None
        await seat.press("u")
        assert seat.said() == ""

    sit(scenario)


def test_a_pause(sit: Sit, source: Fabricated) -> None:
    async def scenario(seat: Seat) -> None:
        await seat.press("p")
        seat.app._due()
        await seat.settle()
        assert source.asked == 1
        assert "Paused" in seat.said()
        await seat.press("p")
        seat.app._due()
        await seat.settle()
        assert source.asked == 2

    sit(scenario)
