"""Real processes, some of them killed."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from eyewall.base.context import request_id
from eyewall.guard.deadlines.deadline import Deadline, _current
from eyewall.guard.executors.errors import ExecutorClosed, WorkerLost
from eyewall.guard.executors.processes import ProcessExecutor
from tests.waiting import until

from . import jobs

PATIENCE = 40.0


@pytest.fixture
def executor():
    made = ProcessExecutor("cpu", workers=2, queue=10)
    yield made
    made.close_within(0.0)
    # Their threads wait until the processes are gone.
    end = time.monotonic() + PATIENCE
    while made.pids() and time.monotonic() < end:
        time.sleep(0.01)
    assert made.pids() == []


def test_jobs_run_in_other_processes(run: Any, executor: ProcessExecutor) -> None:
    async def main() -> None:
        first = await executor.run(jobs.pid)
        assert first != os.getpid()
        assert await executor.run(jobs.pid) == first
        assert executor.pids() == [first]
        with pytest.raises(ValueError, match="no good") as told:
            await executor.run(jobs.fail, "no good")
        assert "in fail" in told.value.__notes__[0]
        assert (await executor.close(PATIENCE)).clean

    run(main())


def test_what_is_carried(run: Any, executor: ProcessExecutor) -> None:
    async def main() -> None:
        assert await executor.run(jobs.carried) == (None, None, False)
        request_id.set("r-9")
        _current.set(Deadline(time.monotonic() + 1000.0, time.monotonic, "somebody's deadline"))
        assert await executor.run(jobs.carried) == ("r-9", "somebody's deadline", True)
        request_id.set(None)
        _current.set(None)
        # Nothing of one job is left for the next.
        assert await executor.run(jobs.carried) == (None, None, False)

    run(main())


def test_a_process_that_is_killed_takes_its_own_job_and_no_other(
    run: Any, executor: ProcessExecutor, tmp_path: Path
) -> None:
    async def main() -> None:
        go, marks = str(tmp_path / "go"), [tmp_path / "a", tmp_path / "b"]
        running = [asyncio.ensure_future(executor.run(jobs.until, go, str(mark))) for mark in marks]
        await until(lambda: all(mark.exists() and mark.read_text() for mark in marks))
        queued = [asyncio.ensure_future(executor.run(jobs.pid)) for _ in range(5)]
        victim = int(marks[0].read_text())
        os.kill(victim, signal.SIGKILL)
        with pytest.raises(
            WorkerLost, match=r"was killed by SIGKILL while it ran tests\..*jobs\.until"
        ) as told:
            await running[0]
        assert (told.value.exit_code, told.value.pid) == (-signal.SIGKILL, victim)
        assert told.value.function.endswith("jobs.until")
        Path(go).touch()
        survivor = int(marks[1].read_text())
        assert await running[1] == survivor
        pids = set(await asyncio.gather(*queued))
        assert victim not in pids
        counters = executor.counters()
        assert (counters["done"], counters["failed"]) == (6, 1)

    run(main())


def test_one_that_dies_between_two_jobs_costs_none(run: Any, executor: ProcessExecutor) -> None:
    async def main() -> None:
        first = await executor.run(jobs.pid)
        os.kill(first, signal.SIGKILL)
        assert await executor.run(jobs.pid) != first
        assert executor.counters()["failed"] == 0

    run(main())


def test_one_that_ends_by_itself(run: Any, executor: ProcessExecutor) -> None:
    async def main() -> None:
        with pytest.raises(WorkerLost, match=r"ended with exit code 3 while it ran tests.*jobs\.leave"):
            await executor.run(jobs.leave, 3)
        assert await executor.run(jobs.pid) > 0

    run(main())


def test_signals_for_the_group_are_its_parents_business(run: Any, executor: ProcessExecutor) -> None:
    async def main() -> None:
        first = await executor.run(jobs.signalled)
        assert await executor.run(jobs.pid) == first

    run(main())


def test_what_cannot_be_pickled(run: Any, executor: ProcessExecutor) -> None:
    async def main() -> None:
        first = await executor.run(jobs.pid)
        for call in (lambda: None, jobs.unpicklable):
            with pytest.raises((pickle.PicklingError, AttributeError), match="pickle"):
                await executor.run(call)
        with pytest.raises(RuntimeError, match="Stubborn: stubborn"):
            await executor.run(jobs.fail_stubbornly)
        # It is no reason for another process.
        assert await executor.run(jobs.pid) == first

    run(main())


def test_what_does_not_end_in_time_is_reported_and_killed(
    run: Any, executor: ProcessExecutor, tmp_path: Path
) -> None:
    async def main() -> None:
        mark = tmp_path / "mark"
        running = asyncio.ensure_future(executor.run(jobs.until, str(tmp_path / "never"), str(mark)))
        await until(lambda: mark.exists() and mark.read_text())
        report = await executor.close(0.0)
        assert [view.function.rpartition(".")[2] for view in report.running] == ["until"]
        with pytest.raises(WorkerLost, match="SIGKILL"):
            await running

    run(main())


def test_what_is_on_its_way_to_a_process_at_the_end_is_not_given_to_another_one(
    executor: ProcessExecutor, tmp_path: Path
) -> None:
    # Before its process is started, while it is, or after it has begun.
    future = executor.submit(jobs.until, str(tmp_path / "never"), str(tmp_path / "mark"))
    executor.close_within(0.0)
    with pytest.raises((ExecutorClosed, WorkerLost)):
        future.result(PATIENCE)


def test_a_child_of_a_fork_has_processes_of_its_own(executor: ProcessExecutor) -> None:
    ours = executor.submit(jobs.pid).result(PATIENCE)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            theirs = executor.submit(jobs.pid).result(PATIENCE)
            if executor.pids() == [theirs] and theirs not in (ours, os.getpid()):
                code = 0
            executor.close_within(PATIENCE)
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert executor.submit(jobs.pid).result(PATIENCE) == ours


def test_the_loss_of_a_worker_can_be_told_by_another_process() -> None:
    lost = WorkerLost("gone", function="f", pid=7, exit_code=-9)
    copy = pickle.loads(pickle.dumps(lost))
    assert (str(copy), copy.function, copy.pid, copy.exit_code) == ("gone", "f", 7, -9)


def test_a_seat_whose_thread_cannot_be_started_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Thread) -> None:
        raise RuntimeError("can't start new thread")

    made = ProcessExecutor("cpu", workers=2)
    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", refuse)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start"):
                made.submit(jobs.pid).result(0)
        assert made._seats == []
    assert made.submit(jobs.pid).result(PATIENCE) != os.getpid()
    assert len(made._seats) == 1
    made.close_within(PATIENCE)
