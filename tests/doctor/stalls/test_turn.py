"""When a loop is blocked: ticks in, blocks out, without a thread or a clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.stalls.turn import Block, Shape, Tick, Turn


class Scene:
    """A turn that is looked at, and what is seen, as it goes on from the last look."""

    def __init__(self) -> None:
        self.turn = Turn(threshold=0.25, starved=0.5)
        self.tick = Tick(100.0)
        self.blocks: list[Block] = []
        self.turn.tick(self.tick)

    def look(self, seconds: float, **seen: object) -> list[Block]:
        self.tick = self.tick._replace(now=self.tick.now + seconds, late=0.0, held=0.0)._replace(**seen)
        found = self.turn.tick(self.tick)
        self.blocks += found
        return found

    def busy(self, seconds: float, step: float = 0.05, *, cpu: float = 0.0, mark: object = 1) -> None:
        """So many seconds in one callback, with a share of CPU."""
        for _ in range(round(seconds / step)):
            self.look(step, cpu=self.tick.cpu + step * cpu, idle=False, mark=mark)

    def answer(self, seconds: float = 0.0, cpu: float | None = None) -> list[Block]:
        found = self.turn.answered(self.tick.now + seconds, self.tick.cpu if cpu is None else cpu)
        self.blocks += found
        return found


def test_an_idle_loop_is_left_alone() -> None:
    scene = Scene()
    for _ in range(1000):
        assert scene.look(0.05) == []
    assert not scene.turn.pinged


def test_a_loop_that_answers_is_not_blocked() -> None:
    scene = Scene()
    for _ in range(1000):
        scene.look(0.05, idle=False, cpu=scene.tick.cpu + 0.05)
        assert scene.turn.pinged
        scene.answer(0.01)
    assert scene.blocks == []


def test_a_callback_is_told_of_while_it_lasts_and_when_it_is_over() -> None:
    scene = Scene()
    scene.busy(10.0)
    first = scene.blocks[0]
    assert (first.shape, first.over, first.first) == (Shape.ONE, False, True)
    assert first.ended - first.began == pytest.approx(0.25, abs=0.06)
    assert all(not block.first for block in scene.blocks[1:])
    [last] = scene.answer(0.01)
    assert (last.shape, last.over, last.first) == (Shape.ONE, True, False)
    assert last.wall == pytest.approx(10.0, abs=0.06)
    assert last.cpu == 0.0
    assert not scene.turn.pinged


def test_what_ends_between_two_looks_is_told_of_once() -> None:
    scene = Scene()
    scene.busy(0.2, cpu=1.0)
    assert scene.blocks == []
    [block] = scene.answer(0.1, cpu=0.3)
    assert (block.over, block.first) == (True, True)
    assert block.wall == pytest.approx(0.3)
    assert block.cpu == pytest.approx(0.3)


def test_none_has_begun_before_the_last_answer() -> None:
    scene = Scene()
    scene.look(0.1, idle=False, cpu=0.1, mark=1)
    scene.answer(0.09, cpu=0.19)
    # At work all the time, but in this callback only since then.
    scene.look(0.1, idle=False, cpu=0.2, mark=2)
    assert scene.look(0.2, idle=False, cpu=0.4, mark=2) == []
    [block] = scene.look(0.1, idle=False, cpu=0.5, mark=2)
    assert block.wall == pytest.approx(0.31)
    assert block.cpu == pytest.approx(0.31)


def test_the_cpu_time_tells_when_it_began() -> None:
    scene = Scene()
    scene.look(0.05, idle=False, cpu=0.04, mark=1)
    scene.busy(0.4, cpu=1.0)
    [block] = scene.answer()
    assert block.wall == pytest.approx(0.44)


def test_after_a_block_the_next_one_is_another() -> None:
    scene = Scene()
    for _ in range(3):
        scene.busy(0.5)
        scene.answer()
        scene.look(0.05, idle=True)
    assert [block.first for block in scene.blocks].count(True) == 3
    assert [block.over for block in scene.blocks].count(True) == 3


def test_one_that_blocks_among_many_that_do_not() -> None:
    scene = Scene()
    for mark in range(5):
        scene.busy(0.06, 0.02, mark=mark)
    scene.busy(0.5, mark="slow")
    scene.look(0.02, mark="next")
    assert {block.shape for block in scene.blocks} == {Shape.ONE}
    assert [block.over for block in scene.blocks].count(True) == 1
    assert scene.blocks[-1].wall == pytest.approx(0.5, abs=0.1)
    scene.answer()
    assert scene.blocks[-1].over


def test_many_callbacks_together() -> None:
    scene = Scene()
    for mark in range(50):
        scene.busy(0.02, 0.02, cpu=1.0, mark=mark)
    assert scene.blocks[0].shape is Shape.MANY
    assert scene.blocks[0].ended - scene.blocks[0].began == pytest.approx(0.5, abs=0.05)
    [last] = scene.answer()
    assert (last.shape, last.over) == (Shape.MANY, True)
    assert last.wall == pytest.approx(1.0, abs=0.05)
    assert last.callbacks == 49


def test_many_callbacks_that_end_soon_enough() -> None:
    scene = Scene()
    for mark in range(20):
        scene.busy(0.02, 0.02, cpu=1.0, mark=mark)
    assert scene.answer() == []


def test_a_stopped_process() -> None:
    # SIGSTOP, a debugger, a machine that sleeps: the watchdog stands still as well, and has waited for nothing.
    scene = Scene()
    assert scene.look(60.0, late=59.95, idle=True) == []
    assert scene.look(60.0, late=59.95, idle=False, mark=1) == []
    assert scene.look(60.0, late=59.95, idle=False, mark=1) == []
    assert scene.answer() == []


def test_neighbours_that_take_the_cpu() -> None:
    scene = Scene()
    for _ in range(100):
        scene.look(0.05, idle=False, mark=1, cpu=scene.tick.cpu + 0.001, delay=scene.tick.delay + 0.049)
    assert scene.answer() == []


def test_a_stop_is_not_counted_twice() -> None:
    # A watchdog that has no CPU comes late, and the loop's thread tells of the same time.
    scene = Scene()
    scene.busy(0.1)
    scene.look(5.0, late=4.95, delay=4.95, idle=False, mark=1)
    scene.busy(0.2)
    assert scene.blocks[0].wall == pytest.approx(0.3, abs=0.1)
    assert scene.blocks[0].unscheduled == pytest.approx(4.95)


def test_a_call_that_keeps_the_interpreter_is_over_when_it_is_seen() -> None:
    scene = Scene()
    [block] = scene.look(3.0, late=2.95, held=2.9, cpu=2.98, idle=True)
    assert (block.shape, block.first) == (Shape.ONE, True)
    assert block.wall == pytest.approx(2.98)
    assert block.held == pytest.approx(2.9)
    [block] = scene.answer(0.001)
    assert (block.over, block.first) == (True, False)


def test_a_call_that_sleeps_with_the_interpreter() -> None:
    scene = Scene()
    scene.look(0.05, idle=False, mark=1)
    [block] = scene.look(3.0, late=2.95, held=2.9, idle=False, mark=1)
    assert block.shape is Shape.ONE
    assert block.held == pytest.approx(2.9)


def test_somebody_who_sleeps_with_the_interpreter_while_the_loop_is_idle() -> None:
    # It can't be known who.
    scene = Scene()
    assert scene.look(3.0, late=2.95, held=2.9, idle=True) == []


def test_another_thread_that_keeps_the_interpreter() -> None:
    scene = Scene()
    [block] = scene.look(3.0, late=2.95, held=2.9, others=2.95, idle=True)
    assert block.shape is Shape.THREAD
    [block] = scene.answer()
    assert (block.shape, block.over) == (Shape.THREAD, True)


def test_another_thread_that_keeps_the_interpreter_on_a_busy_machine() -> None:
    # Ten others want its CPU.
    scene = Scene()
    [block] = scene.look(6.5, late=6.45, held=6.4, others=0.9, idle=True)
    assert block.shape is Shape.THREAD
    scene = Scene()
    scene.busy(0.1)
    [block] = scene.look(6.5, late=6.45, held=6.4, others=0.9, cpu=0.02, idle=False)
    assert block.shape is Shape.THREAD


def test_two_calls_one_after_the_other() -> None:
    # Between two looks, one callback ended and the next one began.
    scene = Scene()
    scene.look(0.05, idle=False, mark=1, cpu=0.01)
    blocks = scene.look(1.0, late=0.95, held=0.95, cpu=1.01, idle=False, mark=2)
    assert [(block.over, block.first) for block in blocks] == [(True, True)]
    assert scene.answer() == []


def test_a_loop_that_stops_running() -> None:
    scene = Scene()
    scene.busy(0.2)
    scene.turn.rest(None)
    assert not scene.turn.pinged
    assert scene.answer() == []
    scene.look(10.0, idle=True)
    assert scene.look(0.05, idle=True) == []


@pytest.mark.parametrize("seen", [{"delay": 3.0}, {"lost": 3.0}])
def test_a_loop_that_goes_on_before_the_watchdog_does(seen: dict[str, float]) -> None:
    # Neither had a CPU; then the loop's thread has answered before anybody could look.
    scene = Scene()
    scene.busy(0.1)
    assert scene.turn.answered(scene.tick.now + 3.0, scene.tick.cpu, **seen) == []
    # What it has used a CPU for counts.
    scene.busy(0.1)
    [block] = scene.turn.answered(scene.tick.now + 3.0, scene.tick.cpu + 0.5, **seen)
    assert block.wall == pytest.approx(0.5, abs=0.06)


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 5.0),
            st.floats(0.0, 1.0),
            st.floats(0.0, 1.0),
            st.booleans(),
            st.integers(0, 2),
            st.booleans(),
        ),
        max_size=50,
    )
)
def test_no_block_is_longer_than_what_passed(
    looks: list[tuple[float, float, float, bool, int, bool]],
) -> None:
    scene = Scene()
    told = False
    for seconds, cpu, delay, idle, mark, answers in looks:
        late = max(0.0, seconds - 0.05)
        scene.look(
            seconds,
            late=late,
            held=late * cpu,
            cpu=scene.tick.cpu + seconds * cpu * (1 - delay),
            delay=scene.tick.delay + seconds * delay,
            idle=idle,
            mark=mark,
        )
        if answers:
            scene.answer()
        assert scene.turn.lag >= 0.0
    for block in scene.blocks:
        assert 100.0 <= block.began <= block.ended <= scene.tick.now
        assert block.wall <= block.ended - block.began + 1e-9
        assert not block.first or block.wall >= 0.25 - 1e-9
        # A block that is over was begun, and is told of once more at most.
        assert block.first or told
        told = not block.over


@given(
    st.lists(
        st.tuples(st.floats(0.0, 0.2), st.floats(0.0, 0.2), st.floats(0.0, 1.0), st.floats(0.0, 0.2)),
        max_size=8,
    ),
    st.floats(0.01, 2.0),
)
def test_a_busy_loop_that_answers_in_time_goes_on_as_if_it_were_looked_at(
    looks: list[tuple[float, float, float, float]], blocked: float
) -> None:
    one, other = Scene(), Scene()
    for scene in (one, other):
        scene.look(0.05, idle=False, cpu=scene.tick.cpu + 0.05)
    for answered, then, share, waited in looks:
        at, now = one.tick.now + answered, one.tick.now + answered + then
        cpu = one.tick.cpu + answered * share
        tick = one.tick._replace(now=now, cpu=cpu + then * share, delay=one.tick.delay + waited, mark=None)
        one_before = other.tick.delay
        if not other.turn.is_prompt(at, now):
            break
        assert one.turn.answered(at, cpu) == []
        assert one.turn.tick(tick) == []
        other.turn.go_on(at, cpu, one_before, tick, 10.0)
        for scene in (one, other):
            scene.turn.mark(None)
            scene.tick = tick
    for scene in (one, other):
        scene.busy(blocked)
        scene.answer(0.01)
    assert one.blocks == other.blocks


def test_what_many_callbacks_have_taken_is_not_put_down_to_the_last_one() -> None:
    scene = Scene()
    scene.busy(0.05, cpu=1.0)
    at, cpu = scene.tick.now, scene.tick.cpu
    scene.tick = scene.tick._replace(now=at + 0.1, cpu=cpu + 0.1)
    scene.turn.go_on(at, cpu, 0.0, scene.tick, 0.05)
    assert scene.turn.lag == pytest.approx(0.05)


def test_what_is_not_to_be_passed_over() -> None:
    scene = Scene()
    assert not scene.turn.is_prompt(100.0, 100.0)
    scene.busy(0.1)
    assert scene.turn.is_prompt(scene.tick.now, scene.tick.now + 0.2)
    # Something may have to be told of the turn that has ended, or of the one that has begun.
    assert not scene.turn.is_prompt(scene.tick.now + 0.25, scene.tick.now + 0.25)
    assert not scene.turn.is_prompt(scene.tick.now, scene.tick.now + 0.26)
    scene.busy(0.3)
    assert not scene.turn.is_prompt(scene.tick.now, scene.tick.now)


def well(scene: Scene, seconds: float, step: float = 0.1) -> None:
    """The loop computes, a little at a time, and says so by itself."""
    for _ in range(round(seconds / step)):
        seen = scene.tick._replace(
            now=scene.tick.now + step, cpu=scene.tick.cpu + step, idle=False, mark=None
        )
        scene.tick = seen
        scene.turn.carry_on(seen)
        assert not scene.turn.pinged


def test_a_loop_that_is_well_and_then_blocked() -> None:
    scene = Scene()
    scene.look(0.05, idle=False, cpu=0.05)
    well(scene, 60.0)
    scene.busy(0.2)
    assert scene.turn.pinged
    assert scene.blocks == []
    scene.busy(0.2)
    first = scene.blocks[0]
    assert (first.shape, first.over, first.first) == (Shape.ONE, False, True)
    assert first.ended - first.began == pytest.approx(0.25, abs=0.06)


def test_what_a_loop_has_done_while_it_was_well_is_no_block() -> None:
    scene = Scene()
    scene.look(0.05, idle=False, cpu=0.05)
    well(scene, 1.0)
    # It has computed all the time, but the callback that runs now began not so long ago.
    scene.turn.since(scene.tick.now + 0.2)
    scene.look(0.25, idle=False, cpu=scene.tick.cpu + 0.25)
    assert scene.turn.pinged
    assert scene.turn.lag == pytest.approx(0.05)
    assert scene.blocks == []


def test_one_that_sleeps_is_known_to_have_been_at_work() -> None:
    scene = Scene()
    scene.turn.since(scene.tick.now + 0.04, at_work=True)
    scene.look(0.1, idle=False)
    assert scene.turn.lag == pytest.approx(0.06)
    # It said so of that look.
    scene.answer()
    scene.look(0.1, idle=False)
    assert scene.turn.lag == 0.0


def test_one_that_is_idle_was_not_at_work() -> None:
    scene = Scene()
    scene.turn.since(scene.tick.now + 0.04, at_work=True)
    assert scene.look(0.1) == []
    assert not scene.turn.pinged


def test_one_that_is_seen_late_may_not_have_been_at_work() -> None:
    scene = Scene()
    scene.turn.since(scene.tick.now + 0.04, at_work=True)
    scene.look(0.4, idle=False, late=0.3)
    assert scene.turn.lag == pytest.approx(0.0)


def test_a_moment_before_the_last_look_says_nothing() -> None:
    scene = Scene()
    scene.turn.since(scene.tick.now + 1.0)
    scene.turn.rest(None)
    scene.turn.since(1000.0)
    scene.look(0.1, idle=False, cpu=1.0)
    well(scene, 0.2)
    scene.turn.since(scene.tick.now - 1.0)
    scene.busy(0.3, cpu=1.0)
    assert scene.blocks[0].ended - scene.blocks[0].began == pytest.approx(0.3, abs=0.06)
