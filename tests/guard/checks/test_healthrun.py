"""Threads for checks: no more than there may be, and none that is lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

import pytest

from eyewall.guard.checks.healthrun import CheckThreads, launch
from eyewall.guard.verdict import Verdict

Run = Callable[[Coroutine[Any, Any, Any]], Any]
#: Seconds after which something that should have happened has not.
PATIENCE = 20.0


def test_no_more_threads_than_there_may_be_and_every_call_has_its_turn() -> None:
    threads, let_go, lock = CheckThreads(3), threading.Semaphore(0), threading.Lock()
    running = most = 0
    order: list[int] = []
    done = threading.Semaphore(0)

    def call(number: int) -> Callable[[], None]:
        def run() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                order.append(number)
            let_go.acquire(timeout=PATIENCE)
            with lock:
                running -= 1
            done.release()

        return run

    for number in range(10):
        threads.run(call(number))
    for _ in range(10):
        let_go.release()
    for _ in range(10):
        assert done.acquire(timeout=PATIENCE)
    assert most == 3
    assert sorted(order[:3]) == [0, 1, 2]
    assert sorted(order) == list(range(10))
    # The threads that have ended can be had again.
    threads.run(call(10))
    let_go.release()
    assert done.acquire(timeout=PATIENCE)


def test_a_machine_without_threads_is_a_failing_check(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        threads, loop = CheckThreads(1), asyncio.get_running_loop()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            verdict = await launch(lambda: True, copy_context(), loop, threads)
        assert verdict == Verdict.failing("RuntimeError: can't start new thread")
        assert await launch(lambda: True, copy_context(), loop, threads) == Verdict.passing()

    run(main())


def test_a_run_that_outlives_its_loop_harms_nobody() -> None:
    threads, go_on, after = CheckThreads(1), threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()
    launch(lambda: go_on.wait(PATIENCE), copy_context(), loop, threads)
    loop.close()
    go_on.set()
    threads.run(after.set)
    assert after.wait(PATIENCE)
