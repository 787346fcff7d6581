"""The thread that watches a loop which is blocked, and that answers SIGUSR1."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.waits import watcher
from eyewall.doctor.waits.watcher import Watcher

from .looking import looking

LONG = 60.0


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


async def nothing() -> None:
    pass


def test_it_finds_what_a_blocked_loop_cannot(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "INTERVAL", 0.01)
    monkeypatch.setattr(watcher, "PATIENCE", 0.05)
    collector = Collector()

    def frees(future: Any) -> None:
        # What the thread finds is what lets the loop go on.
        wait_until(collector.findings)
        future.cancel()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        eye = Watcher(loop, collector, lambda: None)
        eye.start()
        try:
            future = asyncio.run_coroutine_threadsafe(nothing(), loop)
            thread = threading.Thread(target=frees, args=(future,))
            thread.start()
            with contextlib.suppress(BaseException):
                future.result()
            thread.join()
        finally:
            eye.stop()

    run(main())
    [finding] = collector.findings()
    assert finding.rule == "loop-waits-for-itself"
    assert finding.count == 1


def test_a_signal_logs_the_stacks_also_while_the_loop_is_blocked(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with looking(), caplog.at_level(logging.WARNING, "tornado.application"):
            os.kill(os.getpid(), signal.SIGUSR1)
            # The loop is blocked meanwhile.
            wait_until(lambda: caplog.records)
        assert "task Task-" in caplog.text
        assert "main" in caplog.text
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL

    run(main())


def test_a_signal_that_the_program_uses_is_left_alone(run: Callable[..., None]) -> None:
    def own(number: int, frame: object) -> None:
        pass

    async def main() -> None:
        with looking():
            assert signal.getsignal(signal.SIGUSR1) is own
        assert signal.getsignal(signal.SIGUSR1) is own

    signal.signal(signal.SIGUSR1, own)
    try:
        run(main())
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def test_the_thread_and_the_pipe_end(run: Callable[..., None]) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        before, threads = descriptors(), threading.active_count()
        eye = Watcher(loop, Collector(), lambda: None)
        eye.start()
        assert threading.active_count() == threads + 1
        eye.stop()
        assert (descriptors(), threading.active_count()) == (before, threads)
        # Another time is no error.
        eye.stop()

    run(main())


def test_it_fails_alone(run: Callable[..., None]) -> None:
    collector = Collector()

    def fails() -> None:
        raise OSError("no disk")

    async def main() -> None:
        eye = Watcher(asyncio.get_running_loop(), collector, fails)
        eye.start()
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_until(collector.findings)
        eye.stop()

    run(main())
    [finding] = collector.findings()
    assert finding.rule == "doctor-failed"


def test_a_child_has_the_handler_and_no_thread(run: Callable[..., None]) -> None:
    async def main() -> None:
        said: list[int] = []
        eye = Watcher(asyncio.get_running_loop(), Collector(), lambda: said.append(1))
        eye.start()
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
            eye.forked()
            os._exit(7)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        eye.stop()
        assert said == []

    run(main())
