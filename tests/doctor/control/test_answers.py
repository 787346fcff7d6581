"""What a process says of itself: how much of it, and that it is not counted twice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.collector import Collector, failure
from eyewall.doctor.control import answers
from eyewall.doctor.control.commands import Patient, answer_to
from eyewall.doctor.watch import Watch
from eyewall.guard import registry
from eyewall.guard.registry import Entry
from eyewall.loop import process

Run = Callable[[Any], Any]


class Thing:
    """Something that is open."""

    def __init__(self, number: int) -> None:
        self.number = number

    def _live_entry(self) -> Entry:
        return Entry(
            "thing", self, "peer", "", str(self.number), float(self.number), 0.0, 0, 0, lambda _: None
        )


def test_of_many_open_things_some_are_told_from_all_over(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        things = [Thing(number) for number in range(100)]
        for each in things:
            registry.websockets.add(each)
        watch = Watch(loop, Collector(), [])
        patient = Patient(watch.collector, lambda: [watch])
        said = await asyncio.to_thread(answer_to, patient, "state", {"limit": 10, "wait": 20})
        assert said["open"]["counts"]["websockets"] == 100
        told = [int(each["label"]) for each in said["open"]["entries"]["websockets"]]
        assert told == list(range(0, 100, 10))
        assert "websockets" in said["open"]["sampled"]
        # What the guard says of it is the same number.
        [item] = [each for each in said["guard"] if each["name"] == "websockets"]
        assert item["state"] == {"open": 100}
        said = await asyncio.to_thread(answer_to, patient, "state", {"limit": 100, "wait": 20})
        assert len(said["open"]["entries"]["websockets"]) == 100
        assert "websockets" not in said["open"]["sampled"]
        for each in things:
            registry.websockets.discard(each)

    run(main())


def test_a_loop_that_is_blocked_tells_how_much_is_open(run: Run) -> None:
    async def main() -> None:
        watch = Watch(asyncio.get_running_loop(), Collector(), [])
        thing = Thing(1)
        registry.websockets.add(thing)
        # It is this thread that would have to get to it.
        said = answer_to(Patient(watch.collector, lambda: [watch]), "state", {"wait": 0.001})
        assert said["open"]["counts"]["websockets"] == 1
        assert "the loop did not answer within" in said["open"]["missing"]
        assert "entries" not in said["open"]
        registry.websockets.discard(thing)

    run(main())


def test_findings_have_a_number_that_changes_with_them() -> None:
    collector = Collector()
    patient = Patient(collector, list)
    before = answer_to(patient, "state", {})["findings"]
    assert answer_to(patient, "state", {})["findings"] == before
    # Also one that nobody has been told of yet.
    collector.post(failure("A detector", ValueError("none")))
    after = answer_to(patient, "state", {})["findings"]
    assert after != before
    collector.report(failure("A detector", ValueError("none")))
    assert answer_to(patient, "state", {})["findings"] != after


def test_no_more_findings_than_asked_for() -> None:
    collector = Collector()
    for name in "abcde":
        collector.report(failure(f"Detector {name}", ValueError("none")))
    said = answer_to(Patient(collector, list), "findings", {"limit": 2})
    assert (len(said["findings"]), said["left_out"]) == (2, 3)
    said = answer_to(Patient(collector, list), "findings", {})
    assert (len(said["findings"]), said["left_out"]) == (5, 0)


def test_whose_worker_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    said = answer_to(Patient(Collector(), list), "process", {})
    assert (said["title"], said["group"]) == ("", None)
    monkeypatch.setattr(process, "_task_id", 2)
    said = answer_to(Patient(Collector(), list), "process", {})
    assert (said["title"], said["group"]) == ("worker 3", os.getppid())


def test_tasks_that_change_too_fast_are_not_known_and_all_else_is(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("changed size during iteration")

    async def main() -> None:
        watch = Watch(asyncio.get_running_loop(), Collector(), [])
        monkeypatch.setattr(answers.asyncio, "all_tasks", fails)
        said = answer_to(Patient(watch.collector, lambda: [watch]), "state", {"wait": 0.001})
        monkeypatch.undo()
        assert said["missing"] == ["the tasks of a loop change too fast to be listed"]
        assert said["process"]["loops"][0]["tasks"] is None
        assert said["threads"] >= 1

    run(main())
