"""The detector at work: blocks last until they are told of, so that it makes no difference how fast the machine is."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding
from eyewall.doctor.stalls.detector import Stalls

from ..lines import line_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it watches where Linux is")


class Watched:
    """A loop that is watched; `told` is set when there is a finding."""

    def __init__(self, threshold: float = 0.1, starved: float = 0.2) -> None:
        self.told = threading.Event()
        self.collector = Collector()
        self.collector.add_sink(lambda finding: self.told.set())
        self._stalls = Stalls(threshold, starved)

    async def __aenter__(self) -> Watched:
        self._stalls.start(asyncio.get_running_loop(), self.collector)
        return self

    async def __aexit__(self, *args: object) -> None:
        self._stalls.stop()

    async def findings(self) -> list[Finding]:
        while not self.told.is_set():
            await asyncio.sleep(0.01)
        return self.collector.findings()

    async def only(self) -> Finding:
        [found] = await self.findings()
        return found


watched = Watched()


def sleeps() -> None:
    while not watched.told.is_set():
        time.sleep(0.01)


def waits() -> None:
    watched.told.wait()


def computes() -> None:
    while not watched.told.is_set():
        pass


def reads() -> None:
    reading, writing = os.pipe()
    threading.Thread(target=lambda: (watched.told.wait(), os.close(writing))).start()
    os.read(reading, 1)
    os.close(reading)


CALLS = [
    (sleeps, "loop-blocked-waiting", "time.sleep", "(time.sleep(0.01))"),
    (waits, "loop-blocked-waiting", "told.wait", "it waits for another thread"),
    (computes, "loop-blocked-computing", None, "it computes"),
    (reads, "loop-blocked-io", "os.read(", "read on descriptor"),
]


@pytest.mark.parametrize(
    ("call", "rule", "line", "what"), CALLS, ids=lambda each: getattr(each, "__name__", None)
)
def test_it_tells_while_the_loop_is_blocked(
    run: Callable[..., Any], call: Callable[[], None], rule: str, line: str | None, what: str
) -> None:
    async def main() -> None:
        global watched
        async with Watched() as watched:
            # It returns when it was told of, so that this was while it lasted.
            call()
            found = await watched.only()
        assert found.rule == rule
        assert what in found.summary
        assert found.place is not None
        assert found.place.function == call.__name__
        if line is not None:
            assert found.place == line_of(call, line)
        assert found.subject is not None
        assert found.subject.task == asyncio.current_task().get_name()  # type: ignore[union-attr]
        assert found.evidence.wall is not None
        assert found.evidence.wall >= 0.1
        [stack] = found.evidence.stacks.values()
        assert any(place.function.endswith("main") for place in stack)

    run(main())


def test_a_callback_without_a_frame(run: Callable[..., Any]) -> None:
    # It stands where an idle loop stands, but for its system call.
    async def main() -> None:
        async with Watched() as watched:
            while not watched.told.is_set():
                asyncio.get_running_loop().call_soon(time.sleep, 0.3)
                await asyncio.sleep(0.01)
            assert (await watched.only()).rule == "loop-blocked-waiting"

    run(main())


def keeps() -> None:
    # Not `usleep`: the signal that has the stack dumped ends that, as any signal does, and the block with it.
    with subprocess.Popen(("sh", "-c", "sleep 0.6; echo"), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        ctypes.PyDLL(None).read(child.stdout.fileno(), ctypes.create_string_buffer(1), 1)


def test_a_call_that_keeps_the_interpreter(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Watched(0.25, 0.5) as watched:
            while not watched.told.is_set():
                keeps()
                await asyncio.sleep(0.01)
            found = await watched.only()
        assert found.rule == "loop-blocked-native"
        assert found.place == line_of(keeps, "PyDLL(None).read")
        assert found.evidence.stacks

    run(main())


def test_another_thread_that_keeps_the_interpreter(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Watched() as watched:
            rules: list[str] = []
            # Whose fault one block was can't be told where the machine let the thread run again before it was seen.
            while "loop-blocked-thread" not in rules:
                await asyncio.to_thread(re.fullmatch, r"(\w+\s?)*", "a" * 24 + "!")
                if watched.told.is_set():
                    rules = [found.rule for found in await watched.findings()]

    run(main())


class Slow(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sleeps()


def test_a_logging_handler(run: Callable[..., Any]) -> None:
    log = logging.getLogger("test.stalls")
    log.propagate = False
    log.addHandler(Slow())

    async def main() -> None:
        global watched
        async with Watched() as watched:
            log.error("x")
            assert (await watched.only()).rule == "loop-blocked-logging"

    run(main())


def handle(number: int, frame: object) -> None:
    sleeps()


def test_a_signal_handler(run: Callable[..., Any]) -> None:
    async def main() -> None:
        global watched
        async with Watched() as watched:
            os.kill(os.getpid(), signal.SIGUSR2)
            found = await watched.only()
        assert found.rule == "loop-blocked-signal"
        assert "SIGUSR2" in found.summary

    before = signal.signal(signal.SIGUSR2, handle)
    try:
        run(main())
    finally:
        signal.signal(signal.SIGUSR2, before)


class Node:
    """What a finalizer of which keeps the collector busy until it was told of."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        sleeps()


def test_a_collection(run: Callable[..., Any]) -> None:
    async def main() -> None:
        global watched
        async with Watched() as watched:
            Node()
            gc.collect()
            found = await watched.only()
        assert found.rule == "loop-blocked-gc"

    run(main())


async def polls() -> None:
    while not watched.told.is_set():
        time.sleep(0.001)
        await asyncio.sleep(0)


def test_many_callbacks(run: Callable[..., Any]) -> None:
    async def main() -> None:
        global watched
        # On a machine that is busy, one of them may take long.
        async with Watched(threshold=1.0, starved=1.0) as watched:
            await asyncio.gather(*(polls() for _ in range(2000)))
            found = await watched.only()
        assert found.rule == "loop-starved"
        assert found.place == line_of(polls, "asyncio.sleep(0)")
        assert found.evidence.counts["callbacks that wait"] > 100

    run(main())


def test_a_loop_in_another_thread(event_loop_kind: str) -> None:
    from tests.conftest import loop_factory

    async def main() -> None:
        global watched
        async with Watched() as watched:
            sleeps()
            found = await watched.only()
            assert found.place == line_of(sleeps, "time.sleep")

    def other() -> None:
        with asyncio.Runner(loop_factory=loop_factory(event_loop_kind)) as runner:
            runner.run(main())

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()


def test_it_ends_with_the_loop(run: Callable[..., Any]) -> None:
    stalls = Stalls()

    async def main() -> None:
        stalls.start(asyncio.get_running_loop(), Collector())

    run(main())
    callbacks = list(gc.callbacks)
    while any(thread.name == "eyewall-watchdog" for thread in threading.enumerate()):
        time.sleep(0.01)
    assert len(gc.callbacks) <= len(callbacks)
    stalls.stop()
    stalls.stop()


def test_a_child_process_has_no_watchdog() -> None:
    async def main() -> None:
        stalls = Stalls()
        stalls.start(asyncio.get_running_loop(), Collector())
        child = os.fork()
        if child == 0:
            stalls.stop()
            os._exit(0 if threading.active_count() == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0
        stalls.stop()

    asyncio.run(main())


def test_limits_that_make_no_sense() -> None:
    for threshold, starved in ((0.0, 1.0), (-1.0, 1.0), (2.0, 1.0)):
        with pytest.raises(ValueError, match="0 < threshold <= starved"):
            Stalls(threshold, starved)
