"""How late and how busy a loop is."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.timing.pulse import Pulse, pulses
from eyewall.testing.fakeclock import FakeClockLoop, run_with_fake_clock

from ...waiting import until


class Loop(FakeClockLoop):
    """One whose callbacks take time when they are told to."""

    def take(self, seconds: float) -> None:
        self._fake.now += seconds


def on_fake_clock(main: Any) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main)


def test_a_loop_that_has_nothing_to_do() -> None:
    async def main() -> None:
        pulse = Pulse(asyncio.get_running_loop(), cpu=lambda: 5.0)
        pulse.start()
        await asyncio.sleep(2.25)
        assert pulse.lags.count == 22
        assert pulse.lags.largest == pytest.approx(0.0, abs=1e-6)
        assert pulse.turns.largest == pytest.approx(0.0, abs=1e-6)
        assert (pulse.busy, pulse.cpu_seconds) == (0.0, 0.0)
        assert pulse.seconds == pytest.approx(2.2)
        pulse.stop()
        await asyncio.sleep(1)
        assert pulse.lags.count == 22

    run_with_fake_clock(main())


def test_a_loop_that_is_late() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        pulse = Pulse(loop, cpu=loop.time)
        pulse.start()
        await asyncio.sleep(0.05)
        # Until 0.75 s after the beat that was due at 0.1.
        loop.take(0.8)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert pulse.lags.largest == pytest.approx(0.75)
        pulse.stop()

    on_fake_clock(main())


def test_how_long_a_turn_takes() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        pulse = Pulse(loop, cpu=loop.time)
        pulse.start()
        # In the turn of the first beat, and after it.
        loop.call_at(loop.time() + 0.1, loop.take, 0.3)
        await asyncio.sleep(0.11)
        await asyncio.sleep(0.01)
        assert pulse.turns.largest == pytest.approx(0.3)
        pulse.stop()

    on_fake_clock(main())


def test_a_loop_that_is_busy_all_the_time() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pulse = Pulse(loop, cpu=loop.time)
        pulse.start()
        await asyncio.sleep(60)
        assert pulse.busy == pytest.approx(1.0, abs=0.01)
        assert pulse.cpu_seconds == pytest.approx(pulse.seconds)
        pulse.stop()

    run_with_fake_clock(main())


def test_two_that_want_to_know_share_one() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one = Pulse.of(loop)
        one.start()
        other = Pulse.of(loop)
        other.start()
        assert one is other
        assert pulses() == [one]
        one.stop()
        await asyncio.sleep(0.15)
        assert one.lags.count == 1
        other.stop()
        assert pulses() == []

    run_with_fake_clock(main())


def test_who_asks_in_another_thread_is_not_disturbed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        failed: list[BaseException] = []
        over = threading.Event()

        def ask() -> None:
            try:
                while not over.is_set():
                    pulses()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        for _ in range(300):
            made = [Pulse(loop) for _ in range(10)]
            for each in made:
                each.start()
            for each in made[:5]:
                each.stop()
            for each in made[5:]:
                # What is left to the collector leaves by itself.
                each.pause()
            del made, each
        over.set()
        thread.join()
        assert failed == []
        gc.collect()
        assert pulses() == []

    run_with_fake_clock(main())


def test_on_real_loops(run: Callable[..., Any]) -> None:
    async def main() -> None:
        pulse = Pulse(asyncio.get_running_loop(), interval=0.001)
        pulse.start()
        await until(lambda: pulse.turns.count >= 3)
        time.sleep(0.02)
        await until(lambda: pulse.lags.largest >= 0.01)
        pulse.stop()
        assert pulse.seconds > 0.0

    run(main())
