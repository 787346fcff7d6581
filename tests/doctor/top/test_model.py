"""What is shown, from what was answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.collector import Collector
from eyewall.doctor.control import answers as control
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.top import cells
from eyewall.doctor.top.cells import Cell, Column, Row, Table, arranged, table_text
from eyewall.doctor.top.model import Answers, as_text, heading, tables, tasks_at, tasks_for

from .answers import FINDINGS, JOB, STACKS, STATE, answers, route

pytestmark = pytest.mark.one_build


def table(name: str, now: Answers, before: Answers | None = None) -> Table:
    return next(each for each in tables(now, before) if each.name == name)


def texts(shown: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in shown.rows]


def test_the_heading() -> None:
    assert heading(answers()) == [
        "Process 4711: app.py --name 'a b'",
        "Python 3.11.7, Eyewall 0.1.0, memory 50.0 MiB, 17 files, 5 threads",
        "Loop uvloop.Loop in MainThread: lag 250 ms (p99 4.0 ms), busy 37 %, 3 tasks",
        "Open: 1 connections, 2 requests, 1 websockets",
    ]


def test_routes() -> None:
    before = answers(8.0, routes=[route("/report", 40)])
    assert texts(table("routes", answers(), before)) == [
        ["/report", "Report", "1", "100", "30.0", "200 ms", "10 %", "0 %", "20 %", "20 %", "50 %"],
        ["/", "Main", "0", "50", "25.0", "200 ms", "10 %", "0 %", "20 %", "20 %", "50 %"],
        # None of these has ended yet.
        ["/slow", "-", "1", "-", "-", "-", "-", "-", "-", "-", "-"],
    ]
    assert [row[4] for row in texts(table("routes", answers()))] == ["-", "-", "-"]


def test_counts_that_begin_again() -> None:
    before = answers(8.0, routes=[route("/report", 400)])
    assert texts(table("routes", answers(), before))[0][4] == "0.0"
    assert texts(table("routes", answers(8.0), before))[0][4] == "-"


def test_the_slowest_requests_come_first() -> None:
    shown = table("requests", answers())
    assert [row[:4] for row in texts(shown)] == [
        # What a terminal would obey is not there.
        ["75.0 s", "500 ms", "GET /slow?x=\ufffd[31m", "/slow"],
        ["2.0 s", "500 ms", "GET /report", "/report"],
    ]
    assert shown.rows[0].subject["id"] == "r2"


def test_requests_that_say_where_they_are_suspended() -> None:
    told = answers()
    place = {"file": "/app/a.py", "line": 7, "function": "Slow.get", "source": "await lock.acquire()"}
    told.state["open"]["entries"]["requests"][0].update(place=place, waits_for="lock 'a'")
    [row] = [row for row in texts(table("requests", told)) if row[4] != "-"]
    assert row[4:6] == ["lock 'a'", "/app/a.py:7 in Slow.get"]


def test_what_is_open_is_unknown_while_the_loop_is_blocked() -> None:
    shown = table("requests", answers(open={"counts": {"requests": 2}, "missing": "the loop is busy"}))
    assert (shown.rows, shown.note) == ((), "Not known: the loop is busy")


def test_connections() -> None:
    assert [row[:3] for row in texts(table("connections", answers()))] == [
        ["connection", "10.0.0.7", "GET /report"],
        ["websocket", "10.0.0.8", "/chat"],
    ]


def test_tasks() -> None:
    assert texts(table("tasks", answers())) == [
        ["2", "job", "/app/jobs.py:9"],
        ["1", "Report.get", "/app/report.py:3"],
        ["1", "-", "-"],
    ]
    ours = tasks_at(STACKS, JOB)
    assert ours.title == "Tasks of job"
    assert texts(ours) == [
        ["job-2", "waiting", "7.0 s", "a sleep", "-", "/app/jobs.py:11 in job"],
        ["job-1", "waiting", "3.0 s", "a sleep", "-", "/app/jobs.py:11 in job"],
    ]
    assert [row.key for row in tasks_for(STACKS, "GET /report").rows] == ["a3"]
    assert tasks_at(STACKS, None).rows == ()


def test_the_guard() -> None:
    assert texts(table("executors", answers())) == [
        ["default", "threads", "3", "4", "12", "100", "1.5 s", "400 ms", "100 ms", "7", "1", "2"]
    ]
    assert texts(table("breakers", answers())) == [
        ["billing", "open", "8", "75 %", "0 %", "12.0 s", "2", "6 of 8 calls failed"]
    ]
    rest = table("guard", answers())
    assert texts(rest)[0] == ["pool", "database", "open 1, share 0.1235", "lent 9"]
    assert [row.key for row in rest.rows] == ["pool database", "pool database #2"]


def test_the_worst_finding_comes_first() -> None:
    assert [row[:3] for row in texts(table("findings", answers()))] == [
        ["error", "3", "loop-blocked"],
        ["notice", "3", "slow-wait"],
    ]


def test_an_answer_of_a_program_without_a_server() -> None:
    bare = Answers({"process": {**STATE["process"], "loops": []}}, {"findings": []}, 0.0)
    assert all(not each.rows for each in tables(bare))
    assert "memory -" in as_text(bare)


def test_what_this_process_says_is_understood() -> None:
    patient = Patient(Collector(), list)
    now = Answers(control.state(patient), control.findings(patient), 0.0)
    assert as_text(now).startswith("Process ")


def test_all_of_it_as_text() -> None:
    said = as_text(answers(), 1)
    assert "Requests by route (3)\n  Route " in said
    assert "(2 more)" in said
    assert "Executors (1)" in said
    assert said.endswith("\n")
    said = as_text(answers(guard=[]))
    assert "Executors" not in said


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (cells.seconds(0.0004), "0.4 ms"),
        (cells.seconds(0.9999), "1.0 s"),
        (cells.seconds(99.99), "1 min 40 s"),
        (cells.seconds(3725), "1 h 02 min"),
        (cells.seconds(None), "-"),
        (cells.size(1023), "1023 B"),
        (cells.size(1536), "1.5 KiB"),
        (cells.size(5 * 1024**4), "5120.0 GiB"),
        (cells.number(12345), "12,345"),
        (cells.text("a\r\nb\x07"), "a\ufffd\ufffdb\ufffd"),
    ],
)
def test_cells(cell: Cell, said: str) -> None:
    assert cell.text == said


CELLS = st.one_of(
    st.builds(cells.seconds, st.floats(0, 1e6)),
    st.builds(cells.text, st.text(max_size=5)),
    st.just(cells.number(None)),
)
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=8)


@given(ROWS, st.text(max_size=2), st.none() | st.integers(0, 3), st.booleans())
def test_sorting_and_filtering(
    rows: list[tuple[Cell, Cell]], needle: str, column: int | None, back: bool
) -> None:
    whole = Table(
        "t", "T", (Column("A"), Column("B", True)), tuple(Row(str(n), r) for n, r in enumerate(rows))
    )
    found = arranged(whole, needle, column, back)
    kept = [row for row in whole.rows if any(needle.casefold() in cell.text.casefold() for cell in row.cells)]
    assert sorted(row.key for row in found.rows) == sorted(row.key for row in kept)
    if column is None or column > 1:
        assert list(found.rows) == kept
    else:
        numbers = [value for row in found.rows if (value := row.cells[column].value) is not None]
        assert numbers == sorted(numbers, reverse=not back)
    assert len(table_text(found, 3)) <= 6


def test_findings_of_the_answers_are_complete() -> None:
    from eyewall.doctor.diagnosis import finding_text

    assert all(finding_text(each) for each in FINDINGS["findings"])
