"""Hooks: their order, their timeouts, and what happens when one fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.deadlines.deadline import remaining
from eyewall.guard.deadlines.timeouts import timeout
from eyewall.guard.lifecycle.drain import Drain
from eyewall.guard.lifecycle.hooks import Lifecycle, LifecycleError, StartupFailed
from eyewall.testing.fakeclock import run_with_fake_clock


class Diary:
    """A lifecycle whose hooks note that they run."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.drain = Drain(lambda: asyncio.get_running_loop().time())
        self.lifecycle = Lifecycle("app", drain=self.drain)

    def part(self, name: str, *after: str, up: Any = None, down: Any = None, **times: float) -> None:
        async def start() -> None:
            self.entries.append(f"+{name}")
            if up is not None:
                await up()

        def stop() -> Any:
            self.entries.append(f"-{name}")
            return None if down is None else down()

        self.lifecycle.on_startup(name, after=after, **times)(start)
        self.lifecycle.on_shutdown(name, **times)(stop)


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def fail() -> None:
    raise ValueError("on purpose")


def test_parts_start_in_the_order_of_their_dependencies_and_shut_down_in_the_reverse(
    run: Callable[..., None],
) -> None:
    diary = Diary()
    diary.part("web", "cache", "database")
    diary.part("cache", "settings")
    diary.part("database", "settings")
    diary.part("settings")

    async def main() -> None:
        async with diary.lifecycle:
            assert diary.entries == ["+settings", "+cache", "+database", "+web"]
            assert diary.drain.participants == [diary.lifecycle]
            diary.entries.clear()
        assert diary.entries == ["-web", "-database", "-cache", "-settings"]
        assert diary.drain.participants == []

    run(main())


def test_a_part_may_have_either_hook_and_functions_of_both_kinds(run: Callable[..., None]) -> None:
    entries: list[str] = []
    lifecycle = Lifecycle(drain=Drain())

    @lifecycle.on_startup()
    def first() -> None:
        entries.append("first")

    @lifecycle.on_shutdown("last", after=["first"])
    async def last() -> None:
        entries.append("last")

    async def main() -> None:
        await lifecycle.startup()
        await lifecycle.startup()
        assert entries == ["first"]
        assert lifecycle.pending() == ["hook: last"]
        assert await lifecycle.shutdown() == []
        assert await lifecycle.shutdown() == []
        assert entries == ["first", "last"]
        assert lifecycle.pending() == []

    run(main())


def test_a_startup_that_fails_is_named_and_what_has_started_is_shut_down(run: Callable[..., None]) -> None:
    diary = Diary()
    diary.part("settings")
    diary.part("database", "settings", up=fail)
    diary.part("web", "database")

    async def main() -> None:
        with pytest.raises(
            StartupFailed, match="the startup hook 'database' failed: ValueError: on purpose"
        ) as caught:
            await diary.lifecycle.startup()
        assert isinstance(caught.value.__cause__, ValueError)
        assert caught.value.part == "database"

    run(main())
    assert diary.entries == ["+settings", "+database", "-settings"]
    assert diary.drain.participants == []


def test_a_startup_that_hangs_is_named_with_what_it_waits_for() -> None:
    diary = Diary()
    diary.part("database", up=forever, timeout=3.0)

    async def main() -> None:
        with pytest.raises(
            StartupFailed,
            match=r"'database' failed: the timeout of 3 s has passed while waiting for .*create_future",
        ):
            await diary.lifecycle.startup()
        assert asyncio.get_running_loop().time() == pytest.approx(3.0, abs=0.01)

    run_with_fake_clock(main())


def test_a_plain_hook_that_takes_too_long_has_failed(run: Callable[..., None]) -> None:
    lifecycle = Lifecycle(drain=Drain())

    @lifecycle.on_startup(timeout=0.0)
    def slow() -> None:
        began = time.monotonic()
        while time.monotonic() <= began:
            pass

    async def main() -> None:
        with pytest.raises(StartupFailed, match="the startup hook 'slow', which took"):
            await lifecycle.startup()

    run(main())


def test_a_startup_that_is_cancelled_shuts_down_what_has_started(run: Callable[..., None]) -> None:
    diary = Diary()
    diary.part("settings")
    diary.part("database", "settings", up=forever)

    async def main() -> None:
        task = asyncio.create_task(diary.lifecycle.startup())
        while "+database" not in diary.entries:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert diary.entries == ["+settings", "+database", "-settings"]


def test_all_shutdown_hooks_run_even_when_one_fails_or_hangs(caplog: pytest.LogCaptureFixture) -> None:
    diary = Diary()
    diary.part("a")
    diary.part("b", down=fail)
    diary.part("c", down=forever, timeout=2.0)
    diary.part("d")

    async def main() -> None:
        await diary.lifecycle.startup()
        diary.entries.clear()
        hanging, failing = await diary.lifecycle.shutdown()
        assert hanging.startswith("hook: c failed: the timeout of 2 s has passed while waiting for")
        assert failing == "hook: b failed: ValueError: on purpose"

    run_with_fake_clock(main())
    assert diary.entries == ["-d", "-c", "-b", "-a"]
    assert "The shutdown hook 'b' failed: ValueError: on purpose" in caplog.text


def test_the_drain_runs_them_and_its_report_names_those_that_failed() -> None:
    diary = Diary()
    for number in range(3):
        diary.part(f"part {number}", down=forever, timeout=60.0)
    diary.part("last")

    async def main() -> None:
        await diary.lifecycle.startup()
        assert diary.lifecycle.pending() == ["hook: last", "hook: part 2", "hook: part 1", "hook: part 0"]
        report = await diary.drain.run(10.0)
        # One has taken all of the time; for the others a little was left.
        assert asyncio.get_running_loop().time() == pytest.approx(14.0, abs=0.01)
        [step] = report.steps
        assert step.error is None
        assert step.found == ["hook: last", "hook: part 2", "hook: part 1", "hook: part 0"]
        assert [each[: len("hook: part 0 failed")] for each in step.left] == [
            f"hook: part {number} failed" for number in (2, 1, 0)
        ]
        assert step.held_by[0] == "hook: part 0, which runs"

    run_with_fake_clock(main())
    assert diary.entries[-4:] == ["-last", "-part 2", "-part 1", "-part 0"]


def test_hooks_are_not_bound_by_the_deadline_of_whoever_starts_them() -> None:
    diary = Diary()
    seen: list[float | None] = []

    async def note() -> None:
        seen.append(remaining())

    diary.part("a", up=note, timeout=50.0)

    async def main() -> None:
        async with timeout(1.0):
            await diary.lifecycle.startup()

    run_with_fake_clock(main())
    assert seen == [pytest.approx(50.0)]


def test_contradictions() -> None:
    diary = Diary()
    diary.part("a", "b")
    with pytest.raises(LifecycleError, match="the part 'a' comes after 'b', which has no hooks"):
        diary.lifecycle.order()
    diary.part("b", "a")
    with pytest.raises(LifecycleError, match=r"the parts wait for each other: [ab] after [ab] after [ab]"):
        diary.lifecycle.order()
    with pytest.raises(LifecycleError, match="'a' has a startup hook already"):
        diary.part("a")
    with pytest.raises(LifecycleError, match="'a' has a shutdown hook already"):
        diary.lifecycle.on_shutdown("a")(print)
    with pytest.raises(LifecycleError, match="a list of names"):
        diary.lifecycle.on_startup("c", after="a")(print)
    with pytest.raises(ValueError, match="a number of seconds"):
        diary.lifecycle.on_startup("d", timeout=-1.0)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=10), st.randoms())
def test_every_part_comes_after_those_it_names(after: list[list[int]], random: Any) -> None:
    """Parts that only name ones with a smaller number have no cycle, in whichever order they are defined."""
    lifecycle = Lifecycle(drain=Drain())
    numbers = list(range(len(after)))
    random.shuffle(numbers)
    for number in numbers:
        names = [str(other) for other in after[number] if other < number]
        lifecycle.on_startup(str(number), after=names)(print)
    order = lifecycle.order()
    assert sorted(order) == sorted(map(str, numbers))
    for number in numbers:
        for other in after[number]:
            if other < number:
                assert order.index(str(other)) < order.index(str(number))


def test_a_hook_in_which_something_was_cancelled_has_failed_like_any_other() -> None:
    """As where a hook cancels a task, and waits for it: that is nobody telling the hooks to stop."""
    diary = Diary()

    async def ends_its_task() -> None:
        task = asyncio.ensure_future(forever())
        await asyncio.sleep(0)
        task.cancel()
        await task

    diary.part("first")
    diary.part("second", down=ends_its_task)

    async def main() -> None:
        await diary.lifecycle.startup()
        diary.entries.clear()
        report = await diary.drain.run(10.0)
        assert not report.clean
        assert [line for line in report.lines() if "second failed: CancelledError" in line]

    run_with_fake_clock(main())
    assert diary.entries == ["-second", "-first"]


def test_who_tells_the_hooks_to_stop_is_obeyed() -> None:
    diary = Diary()
    diary.part("first")
    diary.part("second", down=forever)

    async def main() -> None:
        await diary.lifecycle.startup()
        ending = asyncio.ensure_future(diary.lifecycle.shutdown())
        await asyncio.sleep(1.0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending

    run_with_fake_clock(main())
    assert diary.entries == ["+first", "+second", "-second"]
