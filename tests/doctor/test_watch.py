"""The doctor at work on one loop; what fails in it fails alone."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.detector import Detector
from eyewall.doctor.watch import Watch
from eyewall.testing.fakeclock import run_with_fake_clock


class Probe:
    """A detector that notes what is called, and fails where it is told to."""

    def __init__(self, name: str, *fails: str) -> None:
        self.name = name
        self.calls: list[str] = []
        self._fails = fails

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self._fails:
            raise ArithmeticError(call)

    def start(self, loop: asyncio.AbstractEventLoop, collector: Collector) -> None:
        self._note("start")

    def look(self) -> None:
        self._note("look")

    def stop(self) -> None:
        self._note("stop")


@pytest.mark.parametrize(
    ("fails", "calls"),
    [
        ("start", ["start", "stop"]),
        ("look", ["start", "look", "stop"]),
        ("stop", ["start", "look", "look", "stop"]),
    ],
)
def test_a_detector_that_fails_is_switched_off_and_reported(
    run: Callable[..., None], fails: str, calls: list[str]
) -> None:
    async def main() -> None:
        bad, good = Probe("something", fails), Probe("another thing")
        detectors: list[Detector] = [bad, good]
        watch = Watch(asyncio.get_running_loop(), Collector(), detectors, interval=1e6)
        watch.start()
        watch.look()
        watch.look()
        watch.stop()
        watch.stop()
        assert bad.calls == calls
        assert good.calls == ["start", "look", "look", "stop"]
        [finding] = watch.collector.findings()
        assert finding.rule == "doctor-failed"
        assert "something" in finding.summary
        assert finding.evidence.error == f"ArithmeticError: {fails}"
        assert finding.evidence.stacks["failed in"][-1].function == "Probe._note"

    run(main())


def test_a_detector_that_fails_to_stop_after_failing(run: Callable[..., None]) -> None:
    async def main() -> None:
        detector = Probe("something", "look", "stop")
        watch = Watch(asyncio.get_running_loop(), Collector(), [detector], interval=1e6)
        watch.start()
        watch.look()
        watch.stop()
        [finding] = watch.collector.findings()
        assert (finding.count, detector.calls) == (2, ["start", "look", "stop"])

    run(main())


def test_it_looks_at_intervals() -> None:
    async def main() -> None:
        detector = Probe("something")
        watch = Watch(asyncio.get_running_loop(), Collector(), [detector], interval=0.5, cpu=lambda: 0.0)
        watch.start()
        await asyncio.sleep(10.25)
        assert detector.calls.count("look") == 20
        watch.stop()
        await asyncio.sleep(10)
        assert detector.calls.count("look") == 20

    run_with_fake_clock(main())


@pytest.mark.parametrize(("takes", "looks"), [(0.00045, 40), (0.00075, 27), (0.05, 20)])
def test_looks_that_take_long_are_rarer(takes: float, looks: int) -> None:
    async def main() -> None:
        # Asked before a look and after it.
        times = (takes * number for number in itertools.count())
        detector = Probe("something")
        watch = Watch(
            asyncio.get_running_loop(), Collector(), [detector], interval=0.5, cpu=lambda: next(times)
        )
        watch.start()
        await asyncio.sleep(20.3)
        assert detector.calls.count("look") == looks
        watch.stop()

    run_with_fake_clock(main())


def test_a_healthy_program(run: Callable[..., None]) -> None:
    async def main() -> None:
        watch = Watch(asyncio.get_running_loop(), Collector(), interval=0.0)
        watch.start()
        queue: asyncio.Queue[int] = asyncio.Queue(1)

        async def produce() -> None:
            for number in range(50):
                await queue.put(number)

        async def consume() -> None:
            while True:
                await queue.get()
                queue.task_done()

        consumer = asyncio.create_task(consume())
        await produce()
        await queue.join()
        consumer.cancel()
        await asyncio.gather(consumer, return_exceptions=True)
        watch.stop()
        assert watch.collector.findings() == []

    run(main())
