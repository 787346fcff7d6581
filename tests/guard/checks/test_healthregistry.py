"""The registry: what runs when, how often, for how long, and what is reported."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import math
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base import probe as slots
from eyewall.guard import health as shared
from eyewall.guard.checks.healthregistry import MOST_CHECKS, Check, Health
from eyewall.guard.deadlines.deadline import Deadline, _current, remaining
from eyewall.guard.inventory import Inventory, Item
from eyewall.guard.verdict import Status, Verdict
from eyewall.testing.fakeclock import run_with_fake_clock

Run = Callable[[Coroutine[Any, Any, Any]], Any]
#: Seconds after which something that should have happened has not.
PATIENCE = 20.0


def registry(items: Inventory | None = None, **options: Any) -> Health:
    """A registry in the time of the running loop, without jitter."""
    return Health("tested", items=items, clock=asyncio.get_running_loop().time, chance=lambda: 0.5, **options)


class Dependency:
    """Something that a check asks."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.well = True
        self.takes = 0.0

    async def __call__(self) -> None:
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.takes)
        if not self.well:
            raise ConnectionError("refused")


# -- on demand ----------------------------------------------------------------------------------------------


def test_a_report_runs_what_is_due_and_nothing_else() -> None:
    async def main() -> None:
        health, dependency = registry(), Dependency()
        health.add("database", dependency, interval=10.0)
        assert not health.now().ok
        assert (await health.report()).ok
        await asyncio.sleep(9.0)
        assert (await health.report()).line("database").age == 9.0
        await asyncio.sleep(1.0)
        assert (await health.report()).line("database").age == 0.0
        assert dependency.asked == [0.0, 10.0]

    run_with_fake_clock(main())


def test_a_thousand_reports_at_once_run_a_check_once() -> None:
    async def main() -> None:
        health, dependency = registry(), Dependency()
        dependency.takes = 2.0
        health.add("database", dependency)
        reports = await asyncio.gather(*[health.report() for _ in range(1000)])
        assert all(report.ok for report in reports)
        assert dependency.asked == [0.0]
        assert reports[0].line("database").seconds == pytest.approx(2.0)

    run_with_fake_clock(main())


def test_who_asked_and_leaves_takes_no_run_along() -> None:
    async def main() -> None:
        health, dependency = registry(), Dependency()
        dependency.takes = 2.0
        health.add("database", dependency)
        first = asyncio.ensure_future(health.report())
        await asyncio.sleep(1.0)
        second = asyncio.ensure_future(health.report())
        first.cancel()
        assert (await second).ok
        assert dependency.asked == [0.0]

    run_with_fake_clock(main())


def test_a_report_waits_no_longer_than_its_deadline_and_the_check_goes_on() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        health, dependency = registry(), Dependency()
        dependency.takes = 2.0
        health.add("database", dependency)
        token = _current.set(Deadline(0.5, loop.time))
        report = await health.report()
        _current.reset(token)
        assert (report.ok, loop.time()) == (False, 0.5)
        assert (await health.report()).ok
        assert dependency.asked == [0.0]

    run_with_fake_clock(main())


def test_only_liveness_is_asked_for_liveness() -> None:
    async def main() -> None:
        health, database, self_test = registry(), Dependency(), Dependency()
        health.add("database", database)
        health.add("self", self_test, probe="live")
        database.well = False
        # No result is no reason for a restart.
        assert health.now("live").ok
        assert (await health.report("live")).ok
        assert (database.asked, self_test.asked) == ([], [0.0])
        assert not (await health.report("ready")).ok
        assert (await health.report("live")).ok
        self_test.well = False
        for _ in range(2):
            await asyncio.sleep(10.0)
            report = await health.report("live")
        assert report.summary() == "not live: self (ConnectionError: refused)"
        assert health.now("ready").line("self").verdict.status is Status.FAIL

    run_with_fake_clock(main())


def test_what_is_excluded_is_neither_run_nor_counted() -> None:
    async def main() -> None:
        health, dependency = registry(), Dependency()
        health.add("database", dependency)
        report = await health.report(exclude=["database", "nothing"])
        assert report.ok
        assert report.unmatched == ("nothing",)
        assert dependency.asked == []

    run_with_fake_clock(main())


# -- what a check says --------------------------------------------------------------------------------------


async def _no() -> bool:
    return False


async def _poor() -> Verdict:
    return Verdict.warning("slow")


async def _odd() -> Any:
    return 3


async def _raise() -> None:
    raise LookupError


async def _cancel() -> None:
    raise asyncio.CancelledError


class _Callable:
    async def __call__(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("function", "verdict"),
    [
        (_no, Verdict.failing("it says no")),
        (_poor, Verdict.warning("slow")),
        (_odd, Verdict.failing("it returned int; a check returns None, a bool or a Verdict")),
        (_raise, Verdict.failing("LookupError")),
        (_cancel, Verdict.failing("it was cancelled")),
        (_Callable(), Verdict.passing()),
        (functools.partial(_Callable.__call__, _Callable()), Verdict.passing()),
        (lambda: True, Verdict.passing()),
        (lambda: False, Verdict.failing("it says no")),
        (lambda: {}["x"], Verdict.failing("KeyError: 'x'")),
        (lambda: exit(3), Verdict.failing("SystemExit: 3")),
        (lambda: _no(), Verdict.failing("it returned a coroutine: declare the check with async def")),
    ],
)
def test_what_results_mean(run: Run, function: Any, verdict: Verdict) -> None:
    async def main() -> Verdict:
        health = Health(items=None)
        health.add("one", function)
        return (await health.report()).line("one").verdict

    assert run(main()) == verdict


def test_a_function_that_blocks_runs_off_the_loop(run: Run) -> None:
    async def main() -> None:
        loop_thread, seen = threading.get_ident(), []
        go_on = threading.Event()
        asyncio.get_running_loop().call_later(0.01, go_on.set)

        def check() -> bool:
            seen.append(threading.get_ident())
            # Only the loop can let it go on.
            return go_on.wait(PATIENCE)

        health = Health(items=None)
        health.add("files", check, timeout=PATIENCE)
        assert (await health.report()).ok
        assert seen != [loop_thread]

    run(main())


def test_a_check_has_the_context_of_whoever_added_it(run: Run) -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")

    async def main() -> None:
        seen: list[tuple[str, float | None]] = []

        async def ask() -> None:
            seen.append((who.get(), remaining()))

        health = Health(items=None)
        who.set("owner")
        token = _current.set(Deadline(0.0, lambda: 0.0))
        health.add("async", ask)
        health.add("sync", lambda: seen.append((who.get(), remaining())))
        _current.reset(token)
        who.set("a request")
        assert (await health.report()).ok
        # A deadline is that of one piece of work, and a check is another.
        assert seen == [("owner", None), ("owner", None)]

    run(main())


# -- too slow -----------------------------------------------------------------------------------------------


def test_a_check_that_takes_too_long_has_failed_and_is_cancelled() -> None:
    async def main() -> None:
        health, dependency = registry(), Dependency()
        dependency.takes = 100.0
        check = health.add("database", dependency, timeout=2.0, interval=10.0)
        report = await health.report()
        assert report.line("database").verdict == Verdict.failing("no answer within 2 s")
        assert asyncio.get_running_loop().time() == 2.0
        dependency.takes = 0.0
        await asyncio.sleep(10.0)
        assert (await health.report()).ok
        assert check.counters() == {"runs": 2, "failures": 1, "timeouts": 1}

    run_with_fake_clock(main())


def test_one_that_swallows_its_cancellation_is_not_run_beside_itself() -> None:
    async def main() -> None:
        health = registry()
        running = most = 0
        let_go = asyncio.Event()

        async def stubborn() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            while not let_go.is_set():
                try:
                    await let_go.wait()
                except asyncio.CancelledError:
                    continue
            running -= 1

        health.add("stubborn", stubborn, timeout=1.0, interval=10.0)
        await health.report()
        await asyncio.sleep(10.0)
        report = await health.report()
        assert report.line("stubborn").verdict.detail.startswith("a run of 11 s ago has not ended")
        let_go.set()
        await asyncio.sleep(10.0)
        assert (await health.report()).ok
        assert most == 1

    run_with_fake_clock(main())


def test_a_thread_that_hangs_is_not_joined_by_another(run: Run) -> None:
    async def main() -> None:
        now, begun, let_go, threads = 0.0, threading.Event(), threading.Event(), []

        def hang() -> None:
            threads.append(threading.current_thread())
            begun.set()
            let_go.wait(PATIENCE)

        health = Health(items=None, clock=lambda: now, chance=lambda: 0.5)
        health.add("share", hang, timeout=0.001, interval=10.0)
        for _ in range(3):
            await health.report()
            now += 10.0
        # The thread may begin later than its time is up.
        await asyncio.to_thread(begun.wait, PATIENCE)
        assert len(threads) == 1
        # It must not keep the process from ending.
        assert threads[0].daemon
        let_go.set()
        await asyncio.to_thread(threads[0].join, PATIENCE)
        while not (await health.report()).line("share").verdict.detail.startswith("no answer"):
            # The thread's word has reached the loop once it is run again.
            now += 10.0
            if health.now().ok:
                break
        assert len(threads) == 2

    run(main())


@given(
    st.lists(
        st.tuples(
            st.floats(1.0, 20.0), st.floats(0.5, 5.0), st.lists(st.floats(0.0, 12.0), min_size=1, max_size=4)
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.floats(0.0, 15.0), max_size=10),
    st.booleans(),
)
def test_whatever_is_asked_when_no_check_runs_twice_at_once_or_too_often(
    checks: list[tuple[float, float, list[float]]], pauses: list[float], kept: bool
) -> None:
    """`checks`: interval, timeout, and how long the runs take."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        health = registry()
        spans: list[list[list[float]]] = []

        def checked(times: list[float]) -> Callable[[], Coroutine[Any, Any, None]]:
            mine: list[list[float]] = []
            spans.append(mine)
            takes = itertools.cycle(times)

            async def check() -> None:
                span = [loop.time(), math.inf]
                mine.append(span)
                try:
                    await asyncio.sleep(next(takes))
                finally:
                    span[1] = loop.time()

            return check

        for number, (interval, limit, times) in enumerate(checks):
            health.add(str(number), checked(times), interval=interval, timeout=limit)
        longest = max(limit for _, limit, _ in checks)
        if kept:
            health.start()

        async def ask() -> None:
            began = loop.time()
            report = await health.report()
            assert loop.time() - began <= longest + 1e-6
            assert all(line.age is not None for line in report.lines)

        asking = []
        for pause in pauses:
            await asyncio.sleep(pause)
            asking.append(asyncio.ensure_future(ask()))
        await asyncio.gather(*asking)
        await health.stop()
        for mine, (interval, limit, _) in zip(spans, checks, strict=True):
            for (start, end), following in itertools.zip_longest(mine, mine[1:]):
                assert end - start <= limit + 1e-6
                if following is not None:
                    assert following[0] >= end + interval - 1e-6
            if kept and pauses:
                # In the background none is forgotten.
                gaps = [later[0] - sooner[0] for sooner, later in itertools.pairwise(mine)]
                assert all(gap <= interval + limit + 1e-3 for gap in gaps)

    run_with_fake_clock(main())


# -- in the background --------------------------------------------------------------------------------------


def test_checks_run_at_their_intervals_from_start_to_stop() -> None:
    async def main() -> None:
        health, often, rarely = registry(), Dependency(), Dependency()
        health.add("often", often, interval=10.0)
        health.add("rarely", rarely, interval=25.0)
        async with health:
            health.start()
            assert health.kept
            await asyncio.sleep(52.0)
            assert health.now().ok
            late = Dependency()
            health.add("late", late, interval=100.0)
            await asyncio.sleep(1.0)
        assert not health.kept
        await asyncio.sleep(1000.0)
        assert often.asked == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
        assert rarely.asked == [0.0, 25.0, 50.0]
        assert late.asked == [52.0]

    run_with_fake_clock(main())


def test_stopping_cancels_what_runs_and_it_can_start_again() -> None:
    async def main() -> None:
        health, dependency = registry(), Dependency()
        dependency.takes = 3.0
        health.add("database", dependency)
        async with health:
            await asyncio.sleep(1.0)
        assert health.now().line("database").verdict.detail == "there is no result yet"
        async with health:
            await asyncio.sleep(3.5)
            assert health.now().ok
        assert dependency.asked == [0.0, 1.0]

    run_with_fake_clock(main())


def test_a_loop_that_was_closed_over_it_leaves_it_usable(run: Run) -> None:
    health = Health(items=None)
    health.add("hangs", lambda: None)
    loop = asyncio.new_event_loop()

    async def begin() -> None:
        health.start()

    loop.run_until_complete(begin())
    # Not how a program should end: its tasks are neither cancelled nor awaited.
    left = asyncio.all_tasks(loop)
    loop.run_until_complete(asyncio.sleep(0))
    left |= asyncio.all_tasks(loop)
    loop.close()

    async def main() -> None:
        assert (await health.report()).ok
        async with health:
            await asyncio.wait_for(health.wait_started(), PATIENCE)

    run(main())
    assert slots.drain_begin.fire is None
    for task in left:
        # Nobody else is to be told of what was left on purpose.
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_changes_are_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, str]] = []

    def listen(item: object, event: str, details: object) -> None:
        if isinstance(item, Check):
            told.append((item.name, event))

    async def main() -> None:
        health, dependency = registry(), Dependency()
        health.add("database", dependency, interval=10.0)
        async with health:
            await asyncio.sleep(5.0)
            dependency.well = False
            await asyncio.sleep(10.0)
            assert health.now().ok
            assert told == []
            await asyncio.sleep(10.0)
            assert not health.now().ok
            await asyncio.sleep(50.0)
            dependency.well = True
            await asyncio.sleep(10.0)
            assert health.now().ok

    detach = slots.guard_event.attach(listen)
    try:
        with caplog.at_level(logging.INFO, "tornado.general"):
            run_with_fake_clock(main())
    finally:
        detach()
    assert told == [("database", "failing"), ("database", "passing")]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Health check 'database' fails (critical): ConnectionError: refused"),
        ("INFO", "Health check 'database' passes again"),
    ]


# -- start, drain, items ------------------------------------------------------------------------------------


def test_the_start_is_over_when_steps_are_done_and_critical_checks_have_passed() -> None:
    async def main() -> None:
        health, dependency, mail = registry(), Dependency(), Dependency()
        dependency.well = mail.well = False
        migrated = health.expect("migrations")
        health.add("database", dependency, interval=10.0)
        health.add("mail", mail, criticality="degraded")
        health.add("warm-up", Dependency(), probe="startup")
        async with health:
            starting = asyncio.ensure_future(health.wait_started())
            await asyncio.sleep(15.0)
            assert health.now("startup").summary() == (
                "not started: start:migrations (not done yet), database (ConnectionError: refused)"
            )
            assert health.now("ready").line("start:migrations").verdict.status is Status.FAIL
            dependency.well = True
            await asyncio.sleep(10.0)
            assert not starting.done()
            assert not health.now("ready").ok
            migrated()
            await starting
            assert health.now("startup").ok
            assert health.now("ready").summary() == "ready, degraded: mail"
            # The start stays over, whatever comes then.
            dependency.well = False
            await asyncio.sleep(30.0)
            health.add("later", dependency)
            assert health.now("startup").ok
            assert not health.now("ready").ok

    run_with_fake_clock(main())


def test_who_looks_too_early_does_not_end_the_start(run: Run) -> None:
    async def main() -> None:
        health, well = Health(items=None, clock=lambda: now), False
        # As whoever lists all items does.
        assert health.state()["started"]
        health.add("database", lambda: well)
        assert not (await health.report("startup")).ok
        well = True
        nonlocal now
        now += 100.0
        assert (await health.report("startup")).ok
        warm = health.expect("warm-up")
        assert not health.now("startup").ok
        warm()
        assert health.now("startup").ok

    now = 0.0
    run(main())


def test_nothing_waits_for_a_start_that_nobody_brings_about(run: Run) -> None:
    async def main() -> None:
        health = Health(items=None)
        await health.wait_started()
        other = Health(items=None)
        other.expect("migrations")
        with pytest.raises(RuntimeError, match="start"):
            await other.wait_started()

    run(main())


def test_readiness_is_off_while_draining_and_liveness_is_not(run: Run) -> None:
    async def main() -> None:
        health = Health(items=None)
        health.draining = True
        assert (await health.report("ready")).summary() == "not ready: draining (the process is about to end)"
        assert (await health.report("live")).ok
        assert (await health.report("ready", exclude=["draining"])).ok

    run(main())


def test_a_registry_that_runs_follows_the_drain_of_the_process(run: Run) -> None:
    async def main() -> None:
        health = Health(items=None)
        async with health:
            assert health.now().ok
            assert slots.drain_begin.fire is not None
            slots.drain_begin.fire(object())
            assert not health.now().ok
        assert slots.drain_begin.fire is None

    run(main())


class Breaker(Item):
    kind = "breaker"
    verdict: Verdict | None = None

    def health(self) -> Verdict | None:
        return self.verdict


def test_items_of_the_guard_contribute(run: Run) -> None:
    async def main() -> None:
        items = Inventory()
        mail, pay = Breaker("mail"), Breaker("pay me")
        items.enter(mail)
        items.enter(pay)
        health = Health(items=items)
        assert (await health.report()).lines == ()
        mail.verdict, pay.verdict = Verdict.passing(), Verdict.warning("open")
        assert (await health.report()).summary() == "ready, degraded: breaker:pay_me"
        health.weigh("breaker", "critical")
        assert (await health.report()).summary() == "not ready: breaker:pay_me (open)"
        health.weigh("breaker", "informational", "pay me")
        assert (await health.report()).summary() == "ready"
        mail.verdict = Verdict.failing("open")
        assert not (await health.report()).ok
        health.weigh("breaker", "degraded", "mail")
        assert (await health.report()).summary() == "ready, degraded: breaker:mail"
        assert (await health.report("live")).ok

    run(main())


def test_a_mistake_in_an_item_costs_no_readiness(run: Run) -> None:
    class Broken(Item):
        kind = "broken"

        def health(self) -> Verdict | None:
            raise AttributeError("size")

    async def main() -> None:
        items = Inventory()
        broken = Broken("one")
        items.enter(broken)
        report = await Health(items=items).report()
        assert report.summary() == "ready, degraded: broken:one"
        assert report.line("broken:one").verdict.detail == "it could not be asked: AttributeError: size"

    run(main())


def test_the_loop_contributes_while_the_registry_runs(run: Run) -> None:
    async def main() -> None:
        health = Health("lagging")
        async with health:
            assert (await health.report()).line("loop:main").verdict.status is not Status.WARN
            assert (await health.report("live")).line("heartbeat").verdict == Verdict.passing()

    run(main())


def test_a_report_can_be_made_in_another_thread(run: Run) -> None:
    async def main() -> None:
        async with Health(items=None) as health:
            health.add("one", Dependency())
            await asyncio.wait_for(health.wait_started(), PATIENCE)
            assert (await asyncio.to_thread(health.now)).ok

    run(main())


# -- names and numbers --------------------------------------------------------------------------------------


def test_names_are_harmless_and_unique(run: Run) -> None:
    health = Health(items=None)
    health.add("a/b.c-1", lambda: True)
    with pytest.raises(ValueError, match="already"):
        health.add("a/b.c-1", lambda: True)
    for name in ("", "a b", "a:b", "a\nb", "ä", "x" * 101):
        with pytest.raises(ValueError, match="made of"):
            health.add(name, lambda: True)
        with pytest.raises(ValueError, match="made of"):
            health.expect(name)
    health.remove("a/b.c-1")
    health.add("a/b.c-1", lambda: True)
    with pytest.raises(ValueError, match="not a valid"):
        health.now("healthy")


def test_a_registry_takes_so_many_checks() -> None:
    health = Health(items=None)
    for number in range(MOST_CHECKS - 1):
        health.add(str(number), lambda: True)
    health.expect("step")
    for more in (lambda: health.add("one", lambda: True), lambda: health.expect("two")):
        with pytest.raises(ValueError, match="MOST_CHECKS"):
            more()
    # One that is known already.
    health.expect("step")


def test_a_removed_check_is_not_run_to_its_end() -> None:
    async def main() -> None:
        health, dependency = registry(), Dependency()
        dependency.takes = 5.0
        health.add("database", dependency)
        async with health:
            await asyncio.sleep(1.0)
            health.remove("database")
            await asyncio.sleep(50.0)
            assert dependency.asked == [0.0]
            assert health.now().ok

    run_with_fake_clock(main())


def test_a_decorated_function_stays_what_it_is(run: Run) -> None:
    health = Health(items=None)

    @health.check("database", criticality="degraded")
    async def database() -> bool:
        return True

    async def main() -> None:
        assert await database() is True
        report = await health.report()
        assert report.line("database").criticality == "degraded"

    run(main())


def test_its_state_is_an_item_s() -> None:
    health = Health("whole", items=None)
    check = health.add("database", lambda: True)
    assert health.state() == {
        "live": "pass",
        "ready": "fail",
        "started": False,
        "draining": False,
        "checks": 1,
    }
    assert check.state()["detail"] == "there is no result yet"
    assert shared.name == "health"


def test_who_waits_for_a_start_that_is_given_up_is_told(run: Run) -> None:
    async def main() -> None:
        health = Health(items=None)
        health.expect("never")
        health.start()
        waiting = asyncio.ensure_future(health.wait_started())
        await asyncio.sleep(0)
        await health.stop()
        with pytest.raises(RuntimeError, match="nothing would ever start"):
            await asyncio.wait_for(waiting, PATIENCE)

    run(main())
