"""What a loop says of itself without being asked."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.stalls.beats import Beat, Beats, is_awaited
from eyewall.doctor.stalls.sight import Sight
from eyewall.doctor.stalls.vigil import SOON, Vigil
from eyewall.doctor.timing.pulse import pulses
from eyewall.testing.fakeclock import run_with_fake_clock

from ...waiting import until

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it watches where Linux is")


def listening() -> tuple[Beats, Sight]:
    loop = asyncio.get_running_loop()
    sight = Sight(loop)
    beats = Beats(loop, sight, Vigil())
    beats.start()
    return beats, sight


def test_beats_come_while_the_loop_runs(run: Callable[..., Any]) -> None:
    async def main() -> None:
        before = time.monotonic()
        beats, sight = listening()
        await until(lambda: beats.last is not None)
        first = beats.last
        assert first is not None
        assert before <= first.at <= time.monotonic()
        assert first.at < first.due
        assert first.delay >= 0.0
        await until(lambda: beats.last != first)
        beats.stop()
        assert beats.last is None
        assert pulses() == []
        sight.close()

    run(main())


def test_the_next_one_is_due_when_the_pulse_says_so() -> None:
    async def main() -> None:
        beats, sight = listening()
        seconds = []
        for _ in range(3):
            before = beats.last
            while beats.last == before:
                await asyncio.sleep(0.01)
            assert beats.last is not None
            seconds.append(beats.last.due - beats.last.at)
        assert seconds == pytest.approx([0.1, 0.1, 0.1])
        beats.stop()
        sight.close()

    run_with_fake_clock(main())


def test_a_loop_that_does_not_run_says_nothing() -> None:
    async def main() -> None:
        beats, sight = listening()
        await asyncio.sleep(1.0)
        assert beats.last is not None
        beats.pause()
        assert beats.last is None
        await asyncio.sleep(1.0)
        assert beats.last is None
        beats.resume()
        await asyncio.sleep(1.0)
        assert beats.last is not None
        beats.stop()
        beats.stop()
        sight.close()

    run_with_fake_clock(main())


def test_a_child_process_leaves_the_pulse_alone() -> None:
    async def main() -> None:
        beats, sight = listening()
        [pulse] = pulses()
        beats.forked()
        assert pulses() == []
        assert pulse.listeners == []
        pulse.pause()
        sight.close()

    run_with_fake_clock(main())


def test_a_beat_that_is_awaited() -> None:
    beat = Beat(at=10.0, due=10.1, delay=0.0, cpu=0.0, others=0.0)
    assert is_awaited(beat, 10.02)
    assert not is_awaited(beat, 10.11)
    # Of a calm loop it comes late enough for something to happen before.
    assert not is_awaited(beat._replace(due=10.5), 10.5 - SOON - 0.01)
    assert not is_awaited(None, 10.0)
