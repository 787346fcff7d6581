"""The end of a process: its order, its deadline, and what it reports."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Sequence

import pytest

from eyewall.base import probe
from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.lifecycle.drain import GRACE, LOOK, TOLD, Drain, named, summary
from eyewall.testing.fakeclock import run_with_fake_clock


class Worker:
    """Has `jobs` to finish, one every `each` seconds; breaks off at the deadline, unless it is `stubborn`."""

    def __init__(
        self,
        name: str,
        phase: int,
        jobs: int = 0,
        each: float = 0.0,
        *,
        diary: list[str] | None = None,
        stubborn: bool = False,
        error: Exception | None = None,
    ) -> None:
        self.name, self.phase = name, phase
        self.jobs, self.each = jobs, each
        self.diary = diary if diary is not None else []
        self.stubborn, self.error = stubborn, error

    async def drain(self, deadline: Deadline) -> Sequence[str] | None:
        self.diary.append(f"{self.name} begins")
        try:
            while self.jobs:
                await asyncio.sleep(self.each if self.stubborn else min(self.each, deadline.remaining()))
                if not deadline.remaining() and not self.stubborn:
                    left = self.pending()
                    self.jobs = 0
                    return left
                self.jobs -= 1
            if self.error is not None:
                raise self.error
        finally:
            self.diary.append(f"{self.name} ends")
        return None

    def pending(self) -> list[str]:
        return [f"job: {self.name} {number}" for number in range(self.jobs)]


def drain_of(*workers: Worker) -> Drain:
    drain = Drain(lambda: asyncio.get_running_loop().time())
    for worker in workers:
        drain.join(worker)
    return drain


def test_phases_follow_each_other_and_members_of_one_drain_together() -> None:
    diary: list[str] = []
    late = Worker("late", 40, 1, 1.0, diary=diary)
    one = Worker("one", 20, 1, 1.0, diary=diary)
    two = Worker("two", 20, 1, 2.0, diary=diary)
    drain = drain_of(late, one, two)

    report = run_with_fake_clock(drain.run(10.0))

    assert diary == ["one begins", "two begins", "one ends", "two ends", "late begins", "late ends"]
    assert [(step.name, step.phase) for step in report.steps] == [("one", 20), ("two", 20), ("late", 40)]
    assert report.seconds == pytest.approx(3.0)
    assert report.clean
    assert len(report.found) == 3


def test_the_flag_is_set_and_the_slot_fired_before_anything_ends() -> None:
    diary: list[str] = []
    drain = drain_of(Worker("server", 20, diary=diary))
    told: list[object] = []

    def listener(which: object) -> None:
        told.append((which, drain.draining, list(diary)))

    detach = probe.drain_begin.attach(listener)
    try:
        assert not drain.draining
        run_with_fake_clock(drain.run(1.0))
    finally:
        detach()
    assert told == [(drain, True, [])]


def test_what_is_left_at_the_deadline_is_reported_and_later_phases_still_run() -> None:
    slow = Worker("slow", 20, 5, 2.0)
    after = Worker("after", 40)
    drain = drain_of(slow, after)

    report = run_with_fake_clock(drain.run(5.0))

    assert report.left == ["job: slow 0", "job: slow 1", "job: slow 2"]
    assert report.steps[0].held_by == report.left
    assert [step.name for step in report.steps] == ["slow", "after"]
    assert not report.clean
    assert report.errors == []
    assert report.lines() == [
        "Drained in 5.0 s of 5 s: job 5",
        "slow took 5.0 s, last for job 3 (job: slow 0; job: slow 1; job: slow 2)",
        "slow broke off job 3 (job: slow 0; job: slow 1; job: slow 2)",
    ]


def test_one_that_does_not_end_is_cut_off_and_named() -> None:
    diary: list[str] = []
    stuck = Worker("stuck", 20, 100, 1.0, diary=diary, stubborn=True)
    after = Worker("after", 40, 2, 1.0, diary=diary)
    drain = drain_of(stuck, after)

    report = run_with_fake_clock(drain.run(2.0))

    first, second = report.steps
    assert first.error == "it did not end within 5 s after the deadline"
    assert first.seconds == pytest.approx(2.0 + GRACE)
    assert len(first.left) >= 92
    assert diary[0] == "stuck begins"
    assert diary[-1] == "after ends"
    assert second.left == ["job: after 0", "job: after 1"]


def test_one_that_raises_does_not_keep_the_others_from_draining(caplog: pytest.LogCaptureFixture) -> None:
    failing = Worker("failing", 20, error=ValueError("no"))
    other = Worker("other", 20, 1, 1.0)
    after = Worker("after", 40, 1, 1.0)
    drain = drain_of(failing, other, after)

    report = run_with_fake_clock(drain.run(10.0))

    assert report.errors == ["failing: ValueError: no"]
    assert (other.jobs, after.jobs) == (0, 0)
    assert "Uncaught exception while failing was drained" in caplog.text
    assert "failing failed: ValueError: no" in report.lines()


def test_one_that_cannot_say_what_is_pending_is_drained_all_the_same() -> None:
    class Silent(Worker):
        def pending(self) -> list[str]:
            raise RuntimeError("I don't know")

    silent = Silent("silent", 20, 2, 2.0)
    report = run_with_fake_clock(drain_of(silent).run(10.0))
    assert silent.jobs == 0
    assert report.clean


def test_a_participant_is_held_weakly() -> None:
    drain = drain_of(Worker("gone", 20))
    gc.collect()
    kept, left = Worker("kept", 30), Worker("left", 20)
    drain.join(kept)
    drain.join(left)
    drain.leave(left)
    drain.leave(left)
    assert drain.participants == [kept]


def test_who_joins_during_the_drain_is_drained() -> None:
    late: list[Worker] = []

    class Maker(Worker):
        async def drain(self, deadline: Deadline) -> Sequence[str] | None:
            late.append(Worker("made", 10, 1, 1.0))
            drain.join(late[0])
            return await super().drain(deadline)

    maker = Maker("maker", 20)
    drain = drain_of(maker)
    report = run_with_fake_clock(drain.run(5.0))
    assert [step.name for step in report.steps] == ["maker", "made"]
    assert late[0].jobs == 0
    assert report.steps[1].found == ["job: made 0"]


def test_a_second_call_has_the_report_of_the_first() -> None:
    worker = Worker("worker", 20, 1, 1.0)
    drain = drain_of(worker)

    async def main() -> None:
        first, second = await asyncio.gather(drain.run(5.0), drain.run(1.0))
        assert first is second
        assert await drain.run(1.0) is first

    run_with_fake_clock(main())
    assert worker.diary == ["worker begins", "worker ends"]


def test_the_log_says_from_time_to_time_what_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    worker = Worker("worker", 20, 4, 3.0)
    with caplog.at_level(logging.INFO):
        run_with_fake_clock(drain_of(worker).run(60.0))
    lines = [record.getMessage() for record in caplog.records if "still waiting" in record.getMessage()]
    assert len(lines) == int(12.0 / TOLD)
    assert (
        lines[0] == "Draining for 5 s, still waiting for job 3 (job: worker 0; job: worker 1; job: worker 2)"
    )


def test_a_short_drain_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run_with_fake_clock(drain_of(Worker("worker", 20, 1, LOOK)).run(60.0))
    assert "still waiting" not in caplog.text


def test_cancelling_the_drain_cancels_who_drains(run: Callable[..., None]) -> None:
    async def main() -> None:
        diary: list[str] = []
        worker = Worker("worker", 20, 1, 3600.0, diary=diary)
        drain = Drain()
        drain.join(worker)
        draining = asyncio.ensure_future(drain.run(3600.0))
        while not diary:
            await asyncio.sleep(0)
        draining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await draining
        while len(diary) < 2:
            await asyncio.sleep(0)
        assert diary == ["worker begins", "worker ends"]

    run(main())


def test_summaries() -> None:
    pending = [*[f"request: GET /{number}" for number in range(30)], "websocket: Chat"]
    assert summary(pending) == "request 30, websocket 1"
    assert summary([]) == "nothing"
    assert named(pending).startswith("request 30, websocket 1 (request: GET /0; request: GET /1; ")
    assert named(pending).endswith("; request: GET /19 and 11 more)")
