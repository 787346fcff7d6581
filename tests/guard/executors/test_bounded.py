"""What all executors have in common, with one whose jobs run when the test says so, and a clock that it turns."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eyewall.base import probe
from eyewall.base.context import request_id
from eyewall.guard.deadlines.deadline import Deadline, _current
from eyewall.guard.errors import DeadlineExceeded, Overloaded
from eyewall.guard.executors.bounded import COUNTERS, BoundedExecutor
from eyewall.guard.executors.errors import ExecutorClosed, ExecutorFull, JobDropped
from eyewall.guard.executors.job import Job, name_of
from eyewall.guard.executors.jobqueue import Full
from eyewall.guard.inventory import inventory
from eyewall.guard.lifecycle.drain import EXECUTORS, Drain
from eyewall.guard.verdict import Verdict
from eyewall.testing.fakeclock import run_with_fake_clock


class Manual(BoundedExecutor):
    """Runs a job when the test says `step`, in the order in which they began."""

    medium = "hands"

    def __init__(self, name: str = "manual", **settings: Any) -> None:
        self.now = 0.0
        self.begun: list[Job] = []
        self.dismissed = 0
        self.abandoned = 0
        super().__init__(name, clock=lambda: self.now, **settings)

    def _launch(self, job: Job) -> None:
        self.begun.append(job)

    def _dismiss(self) -> None:
        self.dismissed += 1

    def _give_up(self) -> None:
        self.abandoned += 1

    def step(self, number: int = 0) -> None:
        job = self.begun.pop(number)
        result, error = None, None
        try:
            result = job.func(*job.args, **job.kwargs)
        except BaseException as raised:
            error = raised.with_traceback(None)
        following = self._over(job, result, error)
        del job, error
        if following is not None:
            self._launch(following)


def fail(message: str = "on purpose") -> None:
    raise ValueError(message)


def under(deadline: Deadline | None, call: Callable[[], Any]) -> Any:
    """Calls with this deadline."""
    token = _current.set(deadline)
    try:
        return call()
    finally:
        _current.reset(token)


# -- submit ---------------------------------------------------------------------------------------------------


def test_results_and_errors_are_the_futures() -> None:
    executor = Manual(workers=2)
    good, bad = executor.submit(divmod, 7, 2), executor.submit(fail)
    queued = executor.submit(int)
    assert not good.done()
    assert (good.running(), queued.running()) == (True, False)
    executor.step()
    executor.step()
    assert good.result(0) == (3, 1)
    with pytest.raises(ValueError, match="on purpose"):
        bad.result(0)
    assert queued.running()
    assert executor.counters() == {**dict.fromkeys(COUNTERS, 0), "submitted": 3, "done": 1, "failed": 1}


@pytest.mark.parametrize("full", [Full.WAIT, Full.REJECT])
def test_submit_never_waits(full: Full) -> None:
    executor = Manual(workers=1, queue=1, full=full)
    executor.submit(int)
    executor.submit(int)
    executor.now = 6.0
    with pytest.raises(
        ExecutorFull, match=r"'manual' is full \(1 jobs run, 1 are queued\): int was ref"
    ) as told:
        executor.submit(int)
    assert isinstance(told.value, Overloaded)
    assert (told.value.status, told.value.limit, told.value.retry_after) == (503, "manual", 12.0)
    assert executor.counters()["refused"] == 1


def test_the_oldest_makes_room() -> None:
    executor = Manual(workers=1, queue=2, full="drop_oldest")
    futures = [executor.submit(lambda n=number: n) for number in range(4)]
    with pytest.raises(JobDropped, match="the oldest job in its queue, made room for a newer one"):
        futures[1].result(0)
    for _ in range(3):
        executor.step()
    assert [future.result(0) for future in (futures[0], *futures[2:])] == [0, 2, 3]
    assert executor.counters()["dropped"] == 1


def test_a_cancelled_job_frees_its_place_at_once() -> None:
    executor = Manual(workers=1, queue=1, full="reject")
    running, queued = executor.submit(int), executor.submit(fail)
    assert queued.cancel()
    assert queued.cancel()
    assert concurrent.futures.wait([queued], 0).done == {queued}
    after = executor.submit(int)
    assert not running.cancel()
    executor.step()
    executor.step()
    assert after.result(0) == running.result(0) == 0
    assert executor.counters()["cancelled"] == 1
    assert executor.counters()["failed"] == 0


def test_what_is_overdue_is_not_begun() -> None:
    executor = Manual(workers=1)
    executor.submit(int)
    deadline = Deadline(5.0, lambda: executor.now, "the request's deadline of 5 s")
    late = under(deadline, lambda: executor.submit(fail))
    executor.now = 5.0
    executor.step()
    assert executor.begun == []
    with pytest.raises(
        DeadlineExceeded, match=r"deadline of 5 s has passed while waiting for a worker of the ex"
    ):
        late.result(0)
    with pytest.raises(DeadlineExceeded):
        under(deadline, lambda: executor.submit(fail))
    assert executor.counters()["not_started"] == 2


def test_a_closed_one_takes_nothing() -> None:
    executor = Manual()
    executor.shutdown()
    with pytest.raises(ExecutorClosed, match="'manual' is closed"):
        executor.submit(int)
    assert executor.dismissed == 1
    with pytest.raises(RuntimeError):
        executor.submit(int)


def test_a_job_that_cannot_be_launched_fails_and_the_next_one_is_tried() -> None:
    class Broken(Manual):
        broken = True

        def _launch(self, job: Job) -> None:
            if self.broken:
                raise RuntimeError("can't start new thread")
            super()._launch(job)

    executor = Broken(workers=1)
    with pytest.raises(RuntimeError, match="can't start"):
        executor.submit(int).result(0)
    executor.broken = False
    future = executor.submit(int)
    executor.step()
    assert future.result(0) == 0


@pytest.mark.parametrize("settings", [{"workers": 0}, {"queue": -1}, {"wait": -1.0}, {"full": "sometimes"}])
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Manual(**settings)


# -- exceptions nobody asks for -------------------------------------------------------------------------------


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_an_exception_nobody_holds_is_told_at_the_end_of_the_job(caplog: pytest.LogCaptureFixture) -> None:
    executor = Manual()
    executor.submit(fail, "unseen")
    assert caplog.records == []
    executor.step()
    [record] = caplog.records
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "unseen"
    assert "fail of executor 'manual' failed, and nobody has asked" in record.getMessage()
    assert f"submitted at {__file__}:" in record.getMessage()


@pytest.mark.usefixtures("no_collector")
def test_one_that_somebody_holds_is_told_when_he_lets_go(caplog: pytest.LogCaptureFixture) -> None:
    executor = Manual()
    future = executor.submit(fail)
    executor.step()
    assert caplog.records == []
    del future
    assert len(caplog.records) == 1


@pytest.mark.parametrize("look", ["result", "exception"])
def test_one_that_was_looked_at_is_not_told(look: str, caplog: pytest.LogCaptureFixture) -> None:
    executor = Manual()
    future = executor.submit(fail)
    executor.step()
    try:
        assert isinstance(getattr(future, look)(0), ValueError)
    except ValueError:
        assert look == "result"
    del future
    gc.collect()
    assert caplog.records == []


def test_what_a_cancelled_caller_does_not_see_is_told(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        for call in (
            lambda: executor.run(fail),
            lambda: asyncio.get_running_loop().run_in_executor(executor, fail),
        ):
            task = asyncio.ensure_future(call())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            executor.step()
            await asyncio.sleep(0)
            gc.collect()
            assert len(caplog.records) == 1
            assert "nobody has asked" in caplog.text
            caplog.clear()

    executor = Manual()
    run(main())


# -- run ------------------------------------------------------------------------------------------------------


def test_run_returns_and_raises(run: Any) -> None:
    async def main() -> None:
        executor = Manual()
        calls = [asyncio.ensure_future(executor.run(divmod, 7, 2)), asyncio.ensure_future(executor.run(fail))]
        await asyncio.sleep(0)
        executor.step()
        executor.step()
        assert await calls[0] == (3, 1)
        with pytest.raises(ValueError, match="on purpose"):
            await calls[1]

    run(main())


def test_run_waits_for_a_place_as_long_as_it_may() -> None:
    async def main() -> None:
        executor = Manual(workers=1, queue=1, wait=5.0, waiting=1)
        loop = asyncio.get_running_loop()
        running, queued = executor.submit(int), executor.submit(int)
        waits = asyncio.ensure_future(executor.run(int))
        await asyncio.sleep(0)
        assert executor.state()["waiting"] == 1
        with pytest.raises(ExecutorFull, match="was refused"):
            # No more than `waiting`.
            await executor.run(int)
        with pytest.raises(ExecutorFull, match="is full for 5 s"):
            await waits
        assert loop.time() == 5.0
        again = asyncio.ensure_future(executor.run(lambda: "came up"))
        await asyncio.sleep(4.0)
        executor.step()
        assert executor.state()["waiting"] == 0
        # It has a place now, and no limit of its own.
        await asyncio.sleep(100.0)
        executor.step()
        executor.step()
        assert await again == "came up"
        assert running.result(0) == queued.result(0) == 0
        assert executor.counters()["refused"] == 2

    run_with_fake_clock(main())


def test_a_deadline_ends_every_wait() -> None:
    async def main() -> None:
        executor = Manual(workers=1, queue=1, wait=50.0)
        loop = asyncio.get_running_loop()

        async def call() -> None:
            _current.set(Deadline(loop.time() + 2.0, loop.time, "the request's deadline of 2 s"))
            await executor.run(fail)

        calls = [asyncio.ensure_future(call()) for _ in range(3)]
        await asyncio.sleep(0)
        state = executor.state()
        assert (state["busy"], state["queued"], state["waiting"]) == (1, 1, 1)
        for each in calls:
            with pytest.raises(DeadlineExceeded, match="deadline of 2 s has passed while waiting for a"):
                await each
        assert loop.time() == 2.0
        assert executor.counters()["not_started"] == 2
        state = executor.state()
        assert (state["busy"], state["queued"], state["waiting"]) == (1, 0, 0)

    run_with_fake_clock(main())


def test_who_is_cancelled_leaves_whatever_line_it_is_in(run: Any) -> None:
    async def main() -> None:
        executor = Manual(workers=1, queue=1)
        ran: list[int] = []
        calls = [asyncio.ensure_future(executor.run(ran.append, number)) for number in range(4)]
        await asyncio.sleep(0)
        # The one that is queued, and one that waits.
        for number in (1, 3):
            calls[number].cancel()
        await asyncio.wait([calls[1], calls[3]])
        state = executor.state()
        assert (state["busy"], state["queued"], state["waiting"]) == (1, 1, 0)
        executor.step()
        executor.step()
        await asyncio.gather(calls[0], calls[2])
        assert ran == [0, 2]
        assert executor.counters()["cancelled"] == 2

    run(main())


def test_a_place_that_is_given_to_a_cancelled_caller_is_not_lost(run: Any) -> None:
    async def main() -> None:
        executor = Manual(workers=1, queue=1)
        calls = [asyncio.ensure_future(executor.run(int)) for _ in range(3)]
        await asyncio.sleep(0)
        # In one turn of the loop: it gets a place, and its caller is cancelled.
        executor.step()
        calls[2].cancel()
        await asyncio.wait(calls[2:])
        executor.step()
        assert await asyncio.gather(*calls[:2]) == [0, 0]
        assert executor.idle
        assert executor.begun == []

    run(main())


def test_the_interfaces_of_others_take_it(run: Any) -> None:
    from eyewall.loop import IOLoop, run_on_executor

    class Service:
        def __init__(self, executor: BoundedExecutor) -> None:
            self.executor = executor

        @run_on_executor
        def work(self, number: int) -> int:
            return 2 * number

    async def main() -> None:
        executor = Manual(workers=4)
        calls: list[Any] = [
            asyncio.get_running_loop().run_in_executor(executor, int, "1"),
            IOLoop.current().run_in_executor(executor, int, "2"),
            Service(executor).work(3),
        ]
        for _ in calls:
            executor.step()
        assert [await each for each in calls] == [1, 2, 6]
        mapped = executor.map(str, [1, 2])
        executor.step()
        executor.step()
        assert list(mapped) == ["1", "2"]

    run(main())


# -- the end --------------------------------------------------------------------------------------------------


def test_close_finishes_what_is_there(run: Any) -> None:
    async def main() -> None:
        executor = Manual(workers=1)
        futures = [executor.submit(int) for _ in range(3)]
        closing = asyncio.ensure_future(executor.close(100.0))
        await asyncio.sleep(0)
        with pytest.raises(ExecutorClosed):
            await executor.run(int)
        for _ in futures:
            assert not closing.done()
            executor.step()
        report = await closing
        assert report.clean
        assert executor.dismissed == 1
        assert [future.result(0) for future in futures] == [0, 0, 0]

    run(main())


def test_close_drops_and_reports(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        executor = Manual(workers=1)
        request_id.set("r-17")
        running, queued = executor.submit(fail), executor.submit(int)
        executor.now = 90.0
        report = await executor.close(0.0, finish=False)
        assert not report.clean
        assert [view.function for view in report.dropped] == ["int"]
        [left] = report.running
        assert (left.function, left.age, left.request) == (f"{__name__}.fail", 90.0, "r-17")
        assert f"{__name__}.fail, running for 90.0 s, submitted at {__file__}:" in caplog.text
        with pytest.raises(ExecutorClosed, match="closed before it began int"):
            queued.result(0)
        assert executor.abandoned == 1
        assert executor.dismissed == 0
        executor.step()
        assert executor.dismissed == 1
        with pytest.raises(ValueError):
            running.result(0)

    run(main())


def test_close_waits_as_long_as_the_deadline_allows() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        executor = Manual(workers=1)
        future = executor.submit(int)
        _current.set(Deadline(3.0, loop.time))
        report = await executor.close(100.0)
        assert loop.time() == 3.0
        assert len(report.running) == 1
        executor.step()
        assert future.result(0) == 0

    run_with_fake_clock(main())


def test_shutdown_cancels_where_it_is_told_to() -> None:
    executor = Manual(workers=1)
    running, queued = executor.submit(int), executor.submit(int)
    executor.shutdown(wait=False, cancel_futures=True)
    assert queued.cancelled()
    executor.step()
    assert running.result(0) == 0
    executor.shutdown()


def test_a_drain_accounts_for_every_job(run: Any) -> None:
    async def main() -> None:
        drain = Drain()
        executor = Manual("jobs", workers=2, queue=100)
        drain.join(executor)
        for _ in range(50):
            executor.submit(int)
        assert executor.phase == EXECUTORS
        draining = asyncio.ensure_future(drain.run(0.0))
        report = await draining
        assert len(report.found) == 50
        assert len(report.left) == 50
        assert {each.partition(":")[0] for each in report.left} == {"job"}
        assert executor.pending()[0].startswith("job: int, running for 0.0 s, submitted at ")
        executor.step()
        executor.step()
        assert executor.pending() == []

    run(main())


# -- what is seen of it ---------------------------------------------------------------------------------------


def test_it_says_who_fills_the_queue(caplog: pytest.LogCaptureFixture) -> None:
    events: list[tuple[str, Any]] = []
    refused: list[tuple[str, object]] = []

    def listen(item: object, event: str, details: Any) -> None:
        if item is executor:
            events.append((event, details))

    executor = Manual("seen", workers=1, queue=4, full="reject")
    detach = [
        probe.guard_event.attach(listen),
        probe.limit_reached.attach(lambda *args: refused.append(args)),
    ]
    try:
        here = executor.submit(int).submitted
        file, _, line = here.rpartition(":")
        assert file == __file__
        for _ in range(4):
            executor.submit(int)
        for _ in range(2):
            with pytest.raises(ExecutorFull):
                executor.submit(int)
        assert executor.callers() == {f"{__file__}:{int(line) + 4}": 4}
        assert executor.state() == {
            "medium": "hands",
            "workers": 1,
            "busy": 1,
            "queue": 4,
            "queued": 4,
            "waiting": 0,
            "full": "reject",
            "closed": False,
            "oldest": 0.0,
            "callers": f"{__file__}:{int(line) + 4} (4)",
        }
        # Once, and not once a job.
        assert [name for name, _ in events] == ["full"]
        assert len([record for record in caplog.records if "is full" in record.getMessage()]) == 1
        assert refused == [("executor seen", "int")] * 2
        for _ in range(3):
            executor.step()
        assert [name for name, _ in events] == ["full", "room"]
        assert inventory.find("executor", "seen") is executor
    finally:
        for each in detach:
            each()


def test_its_health() -> None:
    executor = Manual(workers=1, queue=1, full="reject")
    # Nobody needs it.
    assert executor.health() is None
    executor.submit(int)
    executor.submit(int)
    executor.now = 2.0
    assert executor.health() == Verdict.passing("1 of 1 workers are busy, 1 jobs are queued")
    with pytest.raises(ExecutorFull):
        executor.submit(int)
    assert executor.health() == Verdict.warning(
        "full: 1 of 1 workers are busy, 1 jobs are queued, the oldest one runs for 2.0 s"
    )
    executor.step()
    executor.step()
    assert executor.health() == Verdict.passing("0 of 1 workers are busy, 0 jobs are queued")
    executor.shutdown()
    assert executor.health() is None


def test_times_are_measured() -> None:
    executor = Manual(workers=1)
    for _ in range(2):
        executor.submit(int)
    executor.now = 2.0
    executor.step()
    executor.now = 5.0
    executor.step()
    histograms = executor.histograms()
    assert (histograms["queue_wait"].count, histograms["queue_wait"].total) == (2, 2.0)
    assert (histograms["run_time"].count, histograms["run_time"].total) == (2, 5.0)


def test_names_of_functions() -> None:
    from functools import partial

    class Callable_:
        def __call__(self) -> None: ...

    assert name_of(partial(partial(fail, 1))) == f"{__name__}.fail"
    assert name_of(int) == "int"
    assert name_of(Callable_()).endswith("Callable_")
    assert name_of([].append) == "list.append"


# -- the whole, against a model -------------------------------------------------------------------------------


class Executor(RuleBasedStateMachine):
    """Every job that was submitted is in one place, and its future says the same as the counters."""

    @initialize(workers=st.integers(1, 2), queue=st.integers(0, 3), full=st.sampled_from(Full))
    def begin(self, workers: int, queue: int, full: Full) -> None:
        self.executor = Manual("model", workers=workers, queue=queue, full=full)
        self.futures: list[concurrent.futures.Future[Any]] = []
        self.refused = self.late = 0
        self.closed = False

    @rule(seconds=st.integers(0, 5))
    def time_passes(self, seconds: int) -> None:
        self.executor.now += seconds

    @rule(good=st.booleans(), left=st.none() | st.integers(0, 5))
    def submit(self, good: bool, left: int | None) -> None:
        clock = self.executor
        deadline = None if left is None else Deadline(clock.now + left, lambda: clock.now)
        try:
            future = under(deadline, lambda: self.executor.submit(int if good else fail))
        except ExecutorFull:
            self.refused += 1
        except DeadlineExceeded:
            self.late += 1
        except ExecutorClosed:
            assert self.closed
        else:
            self.futures.append(future)

    @precondition(lambda self: self.executor.begun)
    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        self.executor.step(data.draw(st.integers(0, len(self.executor.begun) - 1)))

    @precondition(lambda self: self.futures)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.futures)).cancel()

    @rule(finish=st.booleans())
    def close(self, finish: bool) -> None:
        self.closed = True
        self.executor.close_within(0.0, finish=finish)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "executor"):
            return
        ended: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        pending = 0
        for future in self.futures:
            if not future.done():
                pending += 1
            elif future.cancelled():
                ended["cancelled"] += 1
            else:
                error = future.exception(0)
                ended[
                    "done"
                    if error is None
                    else "failed"
                    if isinstance(error, ValueError)
                    else "not_started"
                    if isinstance(error, DeadlineExceeded)
                    else "dropped"
                ] += 1
        ended["refused"] += self.refused
        ended["not_started"] += self.late
        ended["submitted"] = len(self.futures) + self.refused + self.late
        assert self.executor.counters() == ended
        state = self.executor.state()
        assert pending == state["busy"] + state["queued"] + state["waiting"] == len(self.executor.pending())
        assert self.executor.idle is (pending == 0)
        if self.closed:
            assert bool(self.executor.dismissed) is (pending == 0)


TestExecutor = Executor.TestCase
TestExecutor.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
logging.getLogger("hypothesis").setLevel(logging.ERROR)
