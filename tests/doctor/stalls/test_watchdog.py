"""How the watchdog goes on with a loop that has much to do: by a clock of the test's, without a thread."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.stalls.kinds import Doing, Kind, Sample
from eyewall.doctor.stalls.sight import Began
from eyewall.doctor.stalls.stack import EMPTY
from eyewall.doctor.stalls.turn import Tick
from eyewall.doctor.stalls.vigil import SLACK
from eyewall.doctor.stalls.watchdog import DUMP, PAUSE, STEADY, Watchdog

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it watches where Linux is")


class Busy:
    """What is seen of a loop that computes all the time, until it is `idle`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.idle = False
        self.began: Began | None = None
        self.used: float | None = None
        self.recalled: Tick | None = None

    def glance(self, late: float, answer: object) -> Tick | None:
        return None if self.idle else self.look(late, 0.0)

    def look(self, late: float, held: float, *, marked: bool = True) -> Tick:
        return Tick(self._now(), late, held, cpu=self.cpu(), idle=self.idle)

    def cpu(self) -> float:
        return self._now() if self.used is None else self.used

    def turn_began(self) -> Began | None:
        return self.began

    def mark(self) -> int:
        return 1

    def recall(self, tick: Tick) -> None:
        self.recalled = tick

    def seize(self) -> None:
        pass

    def sample(self, tick: Tick, dumper: object) -> Sample:
        return Sample(tick.now, Doing(Kind.NATIVE, "it keeps the interpreter"), EMPTY, 0.1)

    def learn(self, answer: object) -> bool:
        return False


class Scene:
    """A watchdog that looks when it is told to, at a loop that does nothing but what is told here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.pings = 0
        self.armed: list[float] = []
        self.collector = Collector()
        self.watchdog = Watchdog(asyncio.get_running_loop(), self.collector, 0.25, 0.5)
        self.sight = Busy(lambda: self.now)
        parts: Any = self.watchdog
        parts._sight.close()
        parts._sight = self.sight
        parts._call_soon = self._ping
        parts._dumper = SimpleNamespace(
            arm=self.armed.append, disarm=lambda: None, was_replaced=lambda: False, setting=lambda _: None
        )
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        parts._turn.rest(Tick(self.now))

    def _ping(self, answer: object) -> None:
        self.pings += 1

    def look(self, seconds: float, late: float = 0.0) -> float | None:
        self.now += seconds
        return self.watchdog._look(late)

    def answers(self) -> None:
        """The loop answers the ping, one hundredth of a second ago."""
        answer: Any = SimpleNamespace(at=self.now - 0.01, cpu=self.now - 0.01, delay=0.0)
        self.watchdog._answers.append(answer)

    def beats(self, due: float = 0.1) -> None:
        """The pulse has just beaten."""
        self.watchdog._beats.note(self.now, self.now + due, 0.0, self.now, 0.0)

    @property
    def is_asking(self) -> bool:
        return self.watchdog._beat is None

    def until_it_need_not_ask(self) -> None:
        # Until it is known whether it answers, it is looked at often.
        assert self.look(0.05) == 0.02
        for _ in range(STEADY):
            self.answers()
            self.beats()
            self.look(0.05)
            assert self.watchdog._beat is None
        assert self.pings == 1 + STEADY
        self.answers()
        self.beats()
        self.look(0.05)
        assert self.watchdog._beat is not None
        assert self.pings == 1 + STEADY


@pytest.fixture
def on_loop(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Scene], None]], None]:
    def runs(test: Callable[[Scene], None]) -> None:
        async def main() -> None:
            with monkeypatch.context() as patch:
                test(Scene(patch))

        asyncio.run(main())

    return runs


def test_a_loop_that_answers_is_asked_again_until_its_pulse_says_enough(on_loop: Any) -> None:
    def test(scene: Scene) -> None:
        scene.until_it_need_not_ask()
        pings = scene.pings
        for _ in range(100):
            # Right after each beat that is due.
            scene.beats()
            assert scene.look(0.02) == pytest.approx(0.08 + SLACK)
            scene.now += 0.08
            assert not scene.watchdog._turn.pinged
        assert scene.pings == pings
        # Always before the interpreter could have been kept for so long that nobody looks.
        assert all(seconds >= SLACK + DUMP for seconds in scene.armed[-100:])
        assert len(scene.armed) > 100

    on_loop(test)


@pytest.mark.parametrize("why", ["overdue", "overdue, and seen late", "calm", "gone"])
def test_one_whose_pulse_does_not_say_enough_is_asked(on_loop: Any, why: str) -> None:
    def test(scene: Scene) -> None:
        scene.until_it_need_not_ask()
        pings = scene.pings
        if why == "calm":
            scene.beats(due=0.5)
        elif why == "gone":
            scene.watchdog._beats.forget()
        late = 0.09 if why == "overdue, and seen late" else 0.0
        scene.look(0.1 + SLACK + late, late)
        assert scene.is_asking
        assert scene.pings == pings + 1
        assert scene.watchdog._turn.pinged
        # It has computed all the time, and may have ended many callbacks since the last look.
        assert scene.watchdog._turn.lag == pytest.approx(PAUSE + late)

    on_loop(test)


def test_one_that_is_idle_need_not_be_asked_at_all_while_it_beats(on_loop: Any) -> None:
    def test(scene: Scene) -> None:
        scene.sight.idle = True
        scene.look(0.05)
        assert scene.is_asking
        scene.beats()
        assert scene.look(0.02) == pytest.approx(0.08 + SLACK)
        assert not scene.is_asking
        # What was seen last is the beat.
        assert scene.sight.recalled == Tick(scene.now - 0.02, cpu=scene.now - 0.02, idle=False)
        assert scene.pings == 0
        # Then it blocks: there is no other beat.
        scene.sight.idle = False
        scene.look(0.08 + SLACK)
        assert scene.is_asking
        assert scene.pings == 1

    on_loop(test)


@pytest.mark.parametrize(
    ("began", "lag"),
    [
        # A beat is due every tenth of a second, and the look is a fiftieth later.
        pytest.param(None, 0.05 + SLACK, id="unknown"),
        pytest.param((0.01, True), 0.09 + SLACK, id="its first callback runs"),
        pytest.param((0.08, True), 0.02 + SLACK, id="its first callback runs for a moment"),
        pytest.param((0.01, False), 0.05 + SLACK, id="others came before"),
        pytest.param((0.08, False), 0.02 + SLACK, id="others came before, for a moment"),
        pytest.param((-0.5, True), 0.05 + SLACK, id="not the turn of now"),
    ],
)
def test_one_that_sleeps_has_done_so_since_before_it_was_to_beat(
    on_loop: Any, began: tuple[float, bool] | None, lag: float
) -> None:
    def test(scene: Scene) -> None:
        scene.sight.idle = True
        scene.look(0.05)
        scene.beats()
        scene.sight.used = scene.now
        if began is not None:
            scene.sight.began = Began(scene.now + began[0], began[1])
        scene.look(0.02)
        assert not scene.is_asking
        scene.sight.idle = False
        scene.look(0.08 + SLACK)
        assert scene.watchdog._turn.pinged
        assert scene.watchdog._turn.lag == pytest.approx(lag)

    on_loop(test)


def test_one_that_computes_has_been_in_its_first_callback_for_as_long_as_it_says(on_loop: Any) -> None:
    def test(scene: Scene) -> None:
        scene.until_it_need_not_ask()
        scene.sight.began = Began(scene.now - 0.04, True)
        scene.look(0.1 + SLACK)
        assert scene.watchdog._turn.lag == pytest.approx(0.14 + SLACK)

    on_loop(test)


@pytest.mark.parametrize("is_trusted", [False, True])
@pytest.mark.parametrize("beats_when", [0.1, 0.5])
def test_one_that_has_beaten_meanwhile_was_not_blocked_before(
    on_loop: Any, is_trusted: bool, beats_when: float
) -> None:
    """Nobody has kept the interpreter: this thread did not get it, in any of many short turns."""

    def test(scene: Scene) -> None:
        scene.watchdog._waited_for_interpreter = lambda late: late  # type: ignore[method-assign]
        if is_trusted:
            scene.until_it_need_not_ask()
        else:
            scene.beats()
        for _ in range(round(beats_when / 0.1)):
            scene.now += 0.1
            scene.beats()
        rest = 0.6 - beats_when
        scene.look(rest, 0.6)
        found = [each.rule for each in scene.collector.findings()]
        assert found == (["loop-blocked-native"] if rest >= 0.25 else [])
        assert scene.watchdog._turn.lag == pytest.approx(rest)

    on_loop(test)


def test_one_whose_beat_came_late_may_have_been_blocked_before_that(on_loop: Any) -> None:
    def test(scene: Scene) -> None:
        scene.watchdog._waited_for_interpreter = lambda late: late  # type: ignore[method-assign]
        scene.look(0.05)
        scene.answers()
        scene.beats()
        scene.look(0.05)
        scene.answers()
        # When it was over, the loop was quicker to beat than this thread to look.
        scene.now += 0.6
        scene.beats()
        scene.look(0.01, 0.6)
        assert [each.rule for each in scene.collector.findings()] == ["loop-blocked-native"]

    on_loop(test)


def test_a_collection_that_begins_while_it_is_asked_whether_it_has_ended(
    on_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter changes hands where one is about to begin, and again where it is about to say that it is over."""

    def test(scene: Scene) -> None:
        scene.watchdog._waited_for_interpreter = lambda late: late  # type: ignore[method-assign]
        garbage: Any = scene.watchdog._garbage
        scene.look(0.05)
        scene.answers()
        scene.look(0.01)
        scene.answers()
        sleeps = 0

        def sleep(seconds: float) -> None:
            nonlocal sleeps
            sleeps += 1
            if sleeps == 1:
                scene.now += 0.6
            else:
                garbage._called("stop", {"generation": 2, "collected": 7})

        monkeypatch.setattr(time, "sleep", sleep)
        garbage._called("start", {})
        scene.look(0.0)
        (found,) = scene.collector.findings()
        assert found.rule == "loop-blocked-gc"
        assert found.evidence.counts["objects freed"] == 7

    on_loop(test)


def test_one_that_has_nothing_to_do_any_more_is_left_alone(on_loop: Any) -> None:
    def test(scene: Scene) -> None:
        scene.until_it_need_not_ask()
        pings = scene.pings
        scene.sight.idle = True
        scene.beats(due=0.5)
        scene.look(0.02)
        assert scene.is_asking
        assert not scene.watchdog._turn.pinged
        assert scene.pings == pings

    on_loop(test)


def test_one_that_does_not_run_any_more(on_loop: Any) -> None:
    def test(scene: Scene) -> None:
        scene.until_it_need_not_ask()
        scene.beats()
        scene.watchdog.pause()
        assert scene.watchdog._beats.last is None

    on_loop(test)
