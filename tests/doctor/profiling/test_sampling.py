"""Profiling by looking at where threads and tasks stand."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.profiling import sampling
from eyewall.doctor.profiling.recording import Frame
from eyewall.doctor.profiling.sampling import OTHER, WAITING, Looking, Profiles, Recorder, profile
from eyewall.doctor.sweep import references

from ..patient import turns

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="clocks of threads are Linux'")


def test_stacks_add_up() -> None:
    a, b, c = Frame("a", "a.py", 1), Frame("b", "b.py", 2), Frame("c", "", 0)
    recorder = Recorder(most=2)
    recorder.add((a, b), 0.25)
    recorder.add((a,), 0.5)
    recorder.add((a, b), 0.5)
    recorder.add((), 1.0)
    recorder.add((c,), 0.0)
    assert recorder.answer() == [[["a (a.py:1)", "b (b.py:2)"], 0.75], [["a (a.py:1)"], 0.5]]
    # Of further ones only the time is known.
    recorder.add((a, c), 2.0)
    recorder.add((b, c), 2.0)
    assert recorder.answer()[0] == [[str(OTHER)], 4.0]


def stand(reached: threading.Event, leave: threading.Event) -> None:
    reached.set()
    while not leave.is_set():
        time.sleep(0.001)  # stands


def test_by_wall_where_a_thread_stands() -> None:
    reached, leave = threading.Event(), threading.Event()
    thread = threading.Thread(target=stand, args=(reached, leave), name="stands")
    thread.start()
    try:
        reached.wait()
        recorder = Recorder()
        looking = Looking("wall", recorder)
        looking.look(10.0)
        # Nothing has passed yet.
        assert recorder.seconds == {}
        looking.look(10.25)
        [(stack, seconds)] = [each for each in recorder.seconds.items() if each[0][0].function == "stands"]
        assert seconds == 0.25
        assert any(each.function == "stand" for each in stack)
        # Not the one that looks.
        assert not any(each[0].function == threading.current_thread().name for each in recorder.seconds)
    finally:
        leave.set()
        thread.join()


@linux
def test_by_cpu_who_works() -> None:
    reached, leave = threading.Event(), threading.Event()

    def work() -> None:
        reached.set()
        while not leave.is_set():
            sum(range(1000))

    threads = [
        threading.Thread(target=work, name="works"),
        threading.Thread(target=leave.wait, name="waits"),
    ]
    for each in threads:
        each.start()
    try:
        reached.wait()
        recorder = Recorder()
        looking = Looking("cpu", recorder)

        def used(name: str) -> float:
            return sum(seconds for stack, seconds in recorder.seconds.items() if stack[0].function == name)

        looking.look(0.0)
        while used("works") < 0.05:
            time.sleep(0.001)
            looking.look(0.0)
        # To begin takes a little.
        assert used("waits") < used("works")
    finally:
        leave.set()
        for each in threads:
            each.join()


@linux
def test_a_thread_that_has_ended_has_no_clock() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    # To be joined is not yet to be gone.
    while sampling._cpu_of(thread) > 0.0:
        time.sleep(0.001)
    assert sampling._cpu_of(None) == 0.0
    assert sampling._cpu_of(threading.current_thread()) > 0.0


def test_by_wall_tasks_that_wait(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "TASKS", 5)

    async def waits() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        tasks = [asyncio.create_task(waits()) for _ in range(20)]
        # Other tests may have left theirs to the garbage collector: of all, only these.
        found = [each for each in references(None) if each() in tasks]
        assert len(found) == len(tasks)
        monkeypatch.setattr(sampling, "references", lambda _: found)
        await turns()
        recorder = Recorder()
        looking = Looking("wall", recorder)

        def look() -> None:
            looking.look(10.0)
            looking.look(10.5)

        # Not in the loop's thread, which would be the one that looks.
        await asyncio.to_thread(look)
        waiting = {stack: seconds for stack, seconds in recorder.seconds.items() if stack[0] == WAITING}
        assert any(stack[1].function.endswith("waits") for stack in waiting)
        # Some stand for all.
        assert sum(waiting.values()) == pytest.approx(0.5 * 20)
        for each in tasks:
            each.cancel()

    run(main())


class Started:
    """Profiles whose threads a test runs, on a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.threads: list[Callable[[], None]] = []
        self.profiles = Profiles(lambda: self.now, self.threads.append)
        self.patient = Patient(Collector(), list)
        monkeypatch.setattr(sampling, "profiles", self.profiles)
        # Not that of the module itself: other threads sleep, too.
        monkeypatch.setattr(sampling, "time", SimpleNamespace(**{**vars(time), "sleep": self._sleep}))

    def _sleep(self, seconds: float) -> None:
        self.now += max(seconds, 0.01)

    def ask(self, **arguments: Any) -> dict[str, Any]:
        return profile(self.patient, **arguments)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    return Started(monkeypatch)


def code_of(started: Started, **arguments: Any) -> str:
    with pytest.raises(ControlError) as caught:
        started.ask(**arguments)
    return caught.value.code


def test_a_profile(started: Started) -> None:
    name = started.ask(seconds=5, clock="wall")["id"]
    assert name.startswith(f"{os.getpid()}-")
    started.now += 2.0
    assert started.ask(id=name) == {"id": name, "clock": "wall", "seconds": 5.0, "left": 3.0}
    # Two would be in each other's way.
    assert code_of(started, seconds=1) == "busy"
    started.threads[0]()
    answer = started.ask(id=name)
    assert (answer["left"], answer["unit"]) == (0.0, "seconds")
    assert all(isinstance(stack, list) and seconds > 0.0 for stack, seconds in answer["stacks"])
    # It may be asked for again, and by several.
    assert started.ask(id=name) == answer
    assert code_of(started, id="another") == "not-found"


@pytest.mark.parametrize(
    "wrong", [{}, {"seconds": 0}, {"seconds": True}, {"seconds": 1e9}, {"seconds": 1, "clock": "sun"}]
)
def test_what_is_no_question(started: Started, wrong: dict[str, Any]) -> None:
    assert code_of(started, **wrong) == "arguments"
    assert started.threads == []


def test_some_are_kept_for_some_time(started: Started) -> None:
    names = []
    for _ in range(sampling.KEPT + 2):
        names.append(started.ask(seconds=1, clock="wall")["id"])
        started.threads.pop()()
    assert [name in started.profiles._runs for name in names] == [False, False] + [True] * sampling.KEPT
    started.now += sampling.KEEP + 1.0
    last = started.ask(seconds=1, clock="wall")["id"]
    assert list(started.profiles._runs) == [last]


def test_one_that_fails_says_so(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Looking, now: float) -> None:
        raise OSError("no more threads")

    monkeypatch.setattr(Looking, "look", fail)
    name = started.ask(seconds=5, clock="wall")["id"]
    started.threads[0]()
    assert code_of(started, id=name) == "failed"
    # And the next one may begin.
    assert started.ask(seconds=5, clock="wall")["id"] != name


def test_a_child_has_none(started: Started) -> None:
    name = started.ask(seconds=5, clock="wall")["id"]
    started.profiles.forked()
    assert code_of(started, id=name) == "not-found"
