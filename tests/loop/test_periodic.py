from __future__ import annotations

import asyncio
import datetime
import itertools
import random

import pytest

from eyewall.loop.concurrent import Future
from eyewall.loop.periodic import PeriodicCallback
from eyewall.loop.timeouts import sleep


def run_for(loop, seconds):
    loop.call_later(seconds, loop.stop)
    loop.start()


def test_calls(clock_loop):
    start = clock_loop.time()
    times = []
    periodic = PeriodicCallback(lambda: times.append(clock_loop.time() - start), 10_000)
    assert not periodic.is_running()
    periodic.start()
    periodic.start()
    assert periodic.is_running()
    assert periodic.io_loop is clock_loop
    run_for(clock_loop, 35)
    assert times == pytest.approx([10, 20, 30])
    periodic.stop()
    assert not periodic.is_running()
    run_for(clock_loop, 35)
    assert len(times) == 3
    periodic.start()
    run_for(clock_loop, 15)
    assert times[3:] == pytest.approx([80])
    periodic.stop()


def test_timedelta():
    periodic = PeriodicCallback(print, datetime.timedelta(minutes=1, milliseconds=500))
    assert periodic.callback_time == 60_500


@pytest.mark.parametrize("time", [0, -1, datetime.timedelta()])
def test_no_period(time):
    with pytest.raises(ValueError, match="Periodic callback must have a positive callback_time"):
        PeriodicCallback(print, time)


@pytest.mark.parametrize("jitter", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("drawn", [0.0, 0.25, 0.5, 0.999])
def test_jitter(clock_loop, monkeypatch, jitter, drawn):
    monkeypatch.setattr(random, "random", lambda: drawn)
    times = []
    start = clock_loop.time()
    periodic = PeriodicCallback(lambda: times.append(clock_loop.time() - start), 10_000, jitter=jitter)
    periodic.start()
    period = 10 * (1 + jitter * (drawn - 0.5))
    run_for(clock_loop, 2.5 * period)
    assert times == pytest.approx([period, 2 * period])
    periodic.stop()


def test_late_calls_are_left_out(clock_loop):
    start = clock_loop.time()
    times = []
    durations = [0, 25, 0, 10, 0, 0]

    def slow():
        times.append(clock_loop.time() - start)
        # The callback blocks: time passes, and the loop sees none of it.
        clock_loop.asyncio_loop.clock.now += durations[len(times) - 1]

    periodic = PeriodicCallback(slow, 10_000)
    periodic.start()
    run_for(clock_loop, 85)
    periodic.stop()
    assert times == pytest.approx([10, 20, 50, 60, 80])


def test_clock_that_is_set_back(clock_loop, monkeypatch):
    real = type(clock_loop).time
    offset = 0.0
    monkeypatch.setattr(type(clock_loop), "time", lambda self: real(self) + offset)
    calls = []
    periodic = PeriodicCallback(lambda: calls.append(clock_loop.asyncio_loop.time()), 10_000)
    periodic.start()
    run_for(clock_loop, 15)
    offset = -3.0
    run_for(clock_loop, 50)
    periodic.stop()
    # The one that is waited for comes; the others are one period apart by the clock that was set back.
    gaps = [b - a for a, b in itertools.pairwise(calls)]
    assert gaps == pytest.approx([10, 13, 10, 10, 10])


def test_coroutines_do_not_overlap(clock_loop):
    log = []
    start = clock_loop.time()

    async def work():
        log.append(("begin", round(clock_loop.time() - start)))
        await asyncio.sleep(25)
        log.append(("end", round(clock_loop.time() - start)))

    periodic = PeriodicCallback(work, 10_000)
    periodic.start()
    run_for(clock_loop, 68)
    periodic.stop()
    assert log == [("begin", 10), ("end", 35), ("begin", 40), ("end", 65)]


@pytest.mark.parametrize("kind", ["plain", "coroutine", "future"])
def test_errors_are_logged_and_calls_go_on(clock_loop, app_records, kind):
    error = KeyError("periodic")

    def plain():
        raise error

    async def coroutine():
        await asyncio.sleep(1)
        raise error

    def future():
        result = Future()
        clock_loop.call_later(1, result.set_exception, error)
        return result

    callback = {"plain": plain, "coroutine": coroutine, "future": future}[kind]
    periodic = PeriodicCallback(callback, 10_000)
    periodic.start()
    run_for(clock_loop, 25)
    periodic.stop()
    assert app_records.messages == [f"Exception in callback {callback!r}"] * 2
    assert app_records.errors == [error] * 2


def test_stopping_and_starting_within_a_call(clock_loop):
    calls = []

    async def work():
        calls.append(clock_loop.time())
        await sleep(25)
        periodic.stop()
        periodic.start()
        await sleep(1)

    periodic = PeriodicCallback(work, 10_000)
    periodic.start()
    run_for(clock_loop, 60)
    assert len(calls) == 2
    periodic.stop()


def test_real_loops(io_loop):
    calls = []

    def call():
        calls.append(1)
        if len(calls) == 3:
            # A loop that is told to stop may finish its turn; a callback that was stopped is not called again.
            periodic.stop()
            io_loop.stop()

    periodic = PeriodicCallback(call, 1)
    periodic.start()
    io_loop.start()
    assert len(calls) == 3
