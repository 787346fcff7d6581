"""Blocked loops are noticed while they are blocked, with the line that blocks them; idle ones are left alone."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

import pytest

from eyewall.loop.aioloop import BaseAsyncIOLoop, enable_stack_logging
from eyewall.loop.blocking import BlockingWatch
from eyewall.loop.ioloop import IOLoop
from tests.conftest import loop_factory

#: Short, so that tests are quick; that it is too short for a busy machine only makes blocks longer.
THRESHOLD = 0.05
#: So long does nothing take that works.
FAILED = 30.0


def block_until(event: threading.Event) -> bool:
    return event.wait(FAILED)


def test_a_block_is_reported_while_it_lasts_with_its_frames(io_loop: IOLoop) -> None:
    seen = threading.Event()
    names: list[str] = []
    signals: list[int] = []
    threads: list[threading.Thread] = []

    def action(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        threads.append(threading.current_thread())
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        seen.set()

    io_loop.set_blocking_signal_threshold(THRESHOLD, action)

    async def main() -> bool:
        return block_until(seen)

    assert io_loop.run_sync(main)
    assert signals == [signal.SIGALRM]
    assert threads[0] is not threading.main_thread()
    assert names.index("block_until") < names.index("main") < names.index("run_sync")


def test_it_is_logged_with_file_line_and_function(io_loop: IOLoop, caplog: pytest.LogCaptureFixture) -> None:
    logged = threading.Event()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()

    handler = Handler()
    logger = logging.getLogger("tornado.general")
    logger.addHandler(handler)
    try:
        io_loop.set_blocking_log_threshold(THRESHOLD)

        async def main() -> bool:
            return block_until(logged)

        assert io_loop.run_sync(main)
        # Its thread may still be at the other handlers.
        io_loop.set_blocking_log_threshold(None)
    finally:
        logger.removeHandler(handler)
    record = caplog.records[0]
    assert (record.name, record.levelname) == ("tornado.general", "WARNING")
    message = record.getMessage()
    assert message.startswith("IOLoop blocked at ")
    assert f'File "{__file__}", line {block_until.__code__.co_firstlineno + 1}, in block_until' in message


class Counting(BlockingWatch):
    """Says when it has been answered a number of times."""

    def __init__(self, loop: asyncio.AbstractEventLoop, report: Callable[..., object]) -> None:
        super().__init__(loop, THRESHOLD, report)
        self.answers = 0
        self.wanted: tuple[int, asyncio.Event] | None = None

    def _in_time(self) -> bool:
        answered = super()._in_time()
        self.answers += answered
        if self.wanted is not None and self.answers >= self.wanted[0]:
            self._loop.call_soon_threadsafe(self.wanted[1].set)
        return answered


def test_an_idle_loop_and_one_that_does_not_run_are_left_alone(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    reports: list[float] = []
    loop = new_loop()
    watch = Counting(loop, lambda seconds, frame: reports.append(seconds))
    watch.start()

    async def idle() -> None:
        event = asyncio.Event()
        watch.wanted = (watch.answers + 3, event)
        await event.wait()

    loop.run_until_complete(idle())
    # Nobody answers while it does not run: several thresholds pass.
    assert not watch._stopped.wait(4 * THRESHOLD)
    loop.run_until_complete(idle())
    watch.stop()
    loop.close()
    assert reports == []


def test_one_block_is_reported_once_and_the_next_one_again(io_loop: IOLoop) -> None:
    events = [threading.Event(), threading.Event()]
    reports: list[FrameType | None] = []

    def action(_: int, frame: FrameType | None) -> None:
        reports.append(frame)
        events[min(len(reports), 2) - 1].set()

    io_loop.set_blocking_signal_threshold(THRESHOLD, action)

    async def main() -> None:
        assert block_until(events[0])
        # Still the same block: several more thresholds.
        assert not events[1].wait(4 * THRESHOLD)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert block_until(events[1])

    io_loop.run_sync(main)


def test_none_and_sig_ign_end_the_watch_and_so_does_closing(io_loop: IOLoop) -> None:
    assert isinstance(io_loop, BaseAsyncIOLoop)

    def threads() -> int:
        return sum(each.name == "eyewall-blocking-watch" for each in threading.enumerate())

    before = threads()
    for seconds, action in ((None, None), (THRESHOLD, signal.SIG_IGN)):
        io_loop.set_blocking_log_threshold(THRESHOLD)
        assert threads() == before + 1
        io_loop.set_blocking_signal_threshold(seconds, action)
        assert threads() == before
    io_loop.set_blocking_log_threshold(THRESHOLD)
    io_loop.close()
    assert threads() == before


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_a_threshold_is_greater_than_zero(io_loop: IOLoop, seconds: float) -> None:
    with pytest.raises(ValueError, match="greater than zero"):
        io_loop.set_blocking_log_threshold(seconds)


def test_stack_logging_is_for_all_loops_present_and_future(io_loop: IOLoop) -> None:
    assert isinstance(io_loop, BaseAsyncIOLoop)
    enable_stack_logging(5)
    try:
        assert io_loop._watch_for_blocks is not None
        assert io_loop._watch_for_blocks.threshold == 5
        later = IOLoop(make_current=False)
        assert isinstance(later, BaseAsyncIOLoop)
        assert later._watch_for_blocks is not None
        enable_stack_logging(None)
        assert later._watch_for_blocks is io_loop._watch_for_blocks is None
        later.close()
    finally:
        enable_stack_logging(None)


def test_the_thread_ends_when_the_asyncio_loop_is_closed_behind_its_back() -> None:
    loop = asyncio.new_event_loop()
    watch = BlockingWatch(loop, THRESHOLD, lambda seconds, frame: None)
    answered = threading.Event()
    watch.start()

    async def main() -> None:
        # So that it has begun to ask.
        asyncio.get_running_loop().call_soon(answered.set)
        await asyncio.sleep(THRESHOLD)

    loop.run_until_complete(main())
    loop.close()
    watch._thread.join(FAILED)
    assert not watch._thread.is_alive()


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_without_an_action_the_process_ends(kind: str) -> None:
    loop_factory(kind)
    program = (
        "import time\nfrom eyewall.loop import IOLoop\nasync def main():\n    time.sleep(30)\n"
        f"IOLoop.current().set_blocking_signal_threshold({THRESHOLD}, None)\nIOLoop.current().run_sync(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=FAILED,
        env=None,
    )
    assert done.returncode == -signal.SIGALRM
    assert 'File "<string>", line 4, in main' in done.stderr
