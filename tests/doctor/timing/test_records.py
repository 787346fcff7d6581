"""The steps of one request, as segments."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.places import Place
from eyewall.doctor.timing.records import FIRST, LAST, UNKNOWN, Record, Segment, Wait

LOCK = Wait(Place("/app/a.py", 7, "get"), "lock 'a'")


class Told:
    """A record whose waits are for a lock, and how it ended."""

    def __init__(self, ready: float = 100.0, body: object = None) -> None:
        self.status: list[int] = []
        self.asked: list[tuple[Any, Any]] = []
        self.record = Record(ready, self._describe, self._ended, blocking=0.05, body=body)

    def _describe(self, inner: Any, awaited: Any) -> Wait:
        self.asked.append((inner, awaited))
        return LOCK

    def _ended(self, record: Record, now: float, status: int) -> None:
        assert record is self.record
        self.status.append(status)


def test_steps_and_waits() -> None:
    told = Told()
    record = told.record
    record.resumed(100.0)
    record.suspended(100.25, "coroutine", "future")
    record.resumed(101.0)
    record.suspended(101.03125, "coroutine", None)
    record.resumed(102.0)
    record.ended(102.03125, 200)
    assert record.segments() == [
        Segment("blocking", 100.0, 0.25),
        Segment("waiting", 100.25, 0.75, LOCK),
        Segment("running", 101.0, 0.03125),
        Segment("waiting", 101.03125, 0.96875, LOCK),
        Segment("running", 102.0, 0.03125),
    ]
    assert told.asked == [("coroutine", "future"), ("coroutine", None)]
    assert told.status == [200]


def test_one_that_goes_on() -> None:
    record = Told().record
    assert record.segments(100.03125) == [Segment("running", 100.0, 0.03125)]
    assert record.segments(103.0) == [Segment("blocking", 100.0, 3.0)]
    record.suspended(100.03125, None, None)
    assert record.segments(102.0)[-1] == Segment("waiting", 100.03125, 1.96875, LOCK)
    # It is not noted by being looked at.
    assert record.segments(103.0)[-1] == Segment("waiting", 100.03125, 2.96875, LOCK)


def test_to_wait_for_the_content_is_to_receive() -> None:
    body = object()
    told = Told(body=body)
    told.record.suspended(100.0, None, body)
    told.record.resumed(101.0)
    told.record.ended(101.0, 200)
    assert told.record.segments()[1] == Segment("receiving", 100.0, 1.0, UNKNOWN)
    assert told.asked == []


def test_a_response_that_somebody_else_writes() -> None:
    told = Told()
    told.record.suspended(100.0, None, None)
    told.record.ended(104.0, 204)
    assert told.record.segments()[-1] == Segment("waiting", 100.0, 4.0, LOCK)


def test_what_comes_after_the_response_is_not_noted() -> None:
    told = Told()
    told.record.ended(100.03125, 200)
    before = told.record.segments(200.0)
    told.record.suspended(101.0, None, None)
    told.record.resumed(102.0)
    told.record.ended(103.0, 500)
    assert told.record.segments(200.0) == before == [Segment("running", 100.0, 0.03125)]
    assert told.status == [200]
    assert told.asked == []


def test_nobody_looks_any_more() -> None:
    told = Told()
    told.record.stop()
    told.record.suspended(101.0, None, None)
    told.record.ended(103.0, 500)
    assert told.record.segments(104.0) == []
    assert told.status == []


def test_a_clock_that_is_set_back() -> None:
    record = Told().record
    record.suspended(90.0, None, None)
    record.resumed(80.0)
    record.ended(85.0, 200)
    assert [each.seconds for each in record.segments()] == [0.0, 0.0, 5.0]


@given(st.lists(st.floats(0.0, 10.0), min_size=1, max_size=400))
def test_segments_follow_each_other_and_are_bounded(pauses: list[float]) -> None:
    record = Told().record
    now = 100.0
    for number, pause in enumerate(pauses):
        now += pause
        if number % 2:
            record.resumed(now)
        else:
            record.suspended(now, None, None)
    record.ended(now + 1.0, 200)
    segments = record.segments()
    assert len(segments) + record.left_out == len(pauses) + 1
    assert len(segments) <= FIRST + LAST
    assert segments[0].start == 100.0
    assert abs(segments[-1].start + segments[-1].seconds - now - 1.0) < 1e-6
    if not record.left_out:
        assert abs(sum(each.seconds for each in segments) - (now + 1.0 - 100.0)) < 1e-6
