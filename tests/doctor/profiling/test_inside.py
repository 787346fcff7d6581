"""A profile from inside always ends, and there is one at a time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eyewall.cli.recording import from_inside
from eyewall.doctor.collector import Collector
from eyewall.doctor.control.commands import Patient, answer_to
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.profiling import inside
from eyewall.doctor.profiling.summary import summarize

from ..patient import turns

pytestmark = pytest.mark.one_build

yappi = pytest.importorskip("yappi")


@pytest.fixture
def patient() -> Iterator[Patient]:
    yield Patient(Collector(), list)
    inside._run.forked()
    assert not yappi.is_running()


def ask(patient: Patient, command: str, **arguments: Any) -> Any:
    return answer_to(patient, command, arguments)


def test_what_was_counted_is_told_once(patient: Patient) -> None:
    ask(patient, "profile-start", clock="cpu", seconds=100.0)
    assert yappi.is_running()
    sorted(range(10), key=lambda number: -number)
    said = ask(patient, "profile-stop")
    assert not yappi.is_running()
    assert said["clock"] == "cpu"
    assert said["left_out"] == 0
    function = next(
        each for each in said["functions"] if each["file"] == __file__ and "lambda" in each["function"]
    )
    assert function["calls"] == 10
    with pytest.raises(ControlError) as caught:
        ask(patient, "profile-stop")
    assert caught.value.code == "not-found"


def test_one_at_a_time(patient: Patient) -> None:
    ask(patient, "profile-start", clock="wall", seconds=100.0)
    with pytest.raises(ControlError) as caught:
        ask(patient, "profile-start", clock="wall", seconds=100.0)
    assert caught.value.code == "busy"
    assert "already" in str(caught.value)
    assert ask(patient, "profile-stop")["clock"] == "wall"


def test_a_profile_of_the_programs_own_is_left_alone(patient: Patient) -> None:
    yappi.start()
    try:
        with pytest.raises(ControlError) as caught:
            ask(patient, "profile-start", clock="cpu", seconds=1.0)
        assert caught.value.code == "busy"
        assert yappi.is_running()
    finally:
        yappi.stop()
        yappi.clear_stats()


@pytest.mark.parametrize(
    "arguments",
    [
        {"clock": "sun", "seconds": 1.0},
        {"clock": "cpu", "seconds": 0},
        {"clock": "cpu", "seconds": 1e9},
        {"clock": "cpu", "seconds": "1"},
        {"clock": "cpu", "seconds": True},
        {"clock": "cpu"},
    ],
)
def test_wrong_wishes(patient: Patient, arguments: dict[str, Any]) -> None:
    with pytest.raises(ControlError) as caught:
        ask(patient, "profile-start", **arguments)
    assert caught.value.code == "arguments"
    assert not yappi.is_running()


def test_without_yappi(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yappi", None)
    with pytest.raises(ControlError) as caught:
        ask(patient, "profile-start", clock="cpu", seconds=1.0)
    assert caught.value.code == "not-installed"
    assert "eyewall[profile]" in str(caught.value)
    monkeypatch.undo()


class Timers:
    """Timers that a test makes expire."""

    def __init__(self) -> None:
        self.made: list[tuple[float, Any, tuple[Any, ...]]] = []

    def __call__(self, seconds: float, action: Any, arguments: tuple[Any, ...]) -> threading.Thread:
        self.made.append((seconds, action, arguments))
        timer = threading.Thread(target=int)
        timer.cancel = lambda: None  # type: ignore[attr-defined]
        return timer

    def expire(self) -> None:
        """The last one is over."""
        _, action, arguments = self.made[-1]
        action(*arguments)


def test_it_ends_without_its_asker(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    timers = Timers()
    monkeypatch.setattr(inside.threading, "Timer", timers)
    ask(patient, "profile-start", clock="cpu", seconds=7.0)
    assert timers.made[0][0] == 7.0
    timers.expire()
    assert not yappi.is_running()
    # It is kept for whoever comes late, and not for another profile ...
    with pytest.raises(ControlError):
        ask(patient, "profile-start", clock="cpu", seconds=7.0)
    # ... but not for ever.
    assert timers.made[1][0] == inside.KEPT
    timers.expire()
    with pytest.raises(ControlError) as caught:
        ask(patient, "profile-stop")
    assert caught.value.code == "not-found"
    ask(patient, "profile-start", clock="cpu", seconds=7.0)
    ask(patient, "profile-stop")


def test_a_child_is_not_profiled(patient: Patient) -> None:
    ask(patient, "profile-start", clock="cpu", seconds=100.0)
    inside._run.forked()
    assert not yappi.is_running()
    with pytest.raises(ControlError):
        ask(patient, "profile-stop")


def test_an_answer_has_a_limit(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "FUNCTIONS", 2)
    ask(patient, "profile-start", clock="cpu", seconds=100.0)
    sorted(range(10), key=lambda number: len(str(abs(number))))
    said = ask(patient, "profile-stop")
    assert len(said["functions"]) == 2
    assert said["left_out"] > 0
    assert all(number < 2 for each in said["functions"] for number, _ in each["callees"])


def test_who_is_interrupted_ends_it(patient: Patient) -> None:
    def interrupt(seconds: float) -> None:
        assert yappi.is_running()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_inside(lambda name, **given: ask(patient, name, **given), 200, interrupt)
    assert not yappi.is_running()


async def _load() -> None:
    await turns(3)


async def _handle() -> None:
    await _load()
    sum(range(1000))


def test_coroutines(patient: Patient, run: Any) -> None:
    def work(seconds: float) -> None:
        run(_handle())

    recorded = from_inside(lambda name, **given: ask(patient, name, **given), 200, work)
    row = next(row for row in summarize(recorded.cpu, recorded.wall).entries if row.name == "_handle")
    assert row.kind == "coroutine"
    assert row.place.startswith(__file__)
    assert not yappi.is_running()
