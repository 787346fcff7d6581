"""Pools of anything: lending, waiting, checking, opening that fails, leaks, the end. Time is a fake clock's."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyewall.guard.backoff import Backoff
from eyewall.guard.inventory import inventory
from eyewall.guard.lifecycle.drain import Drain, process_drain
from eyewall.guard.pools.pool import PoolClosed, PoolFull, PoolTimeout, PoolUnavailable, ResourcePool
from eyewall.guard.verdict import Verdict
from eyewall.testing.fakeclock import run_with_fake_clock
from tests.waiting import turns, until

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Thing:
    """A resource; `works` is what a check says."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.works = True
        self.closed = False

    async def aclose(self) -> None:
        assert not self.closed
        self.closed = True

    # As awkward as resources are: equal to each other, and not hashable.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    __hash__ = None  # type: ignore[assignment]


class Factory:
    """Opens things. `open` does what is asked of it: `delay`, and `errors`, which come first."""

    def __init__(self) -> None:
        self.made: list[Thing] = []
        self.errors: list[BaseException] = []
        self.delay = 0.0
        self.attempts: list[float] = []

    async def open(self) -> Thing:
        self.attempts.append(asyncio.get_running_loop().time())
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.errors:
            raise self.errors.pop(0)
        thing = Thing(len(self.made))
        self.made.append(thing)
        return thing

    def pool(self, **options: Any) -> ResourcePool[Thing]:
        options = {"name": "things", "backoff": Backoff(1.0, most=8.0, jitter=0.0), **options}
        return ResourcePool(self.open, **options)

    @property
    def alive(self) -> list[int]:
        return [thing.number for thing in self.made if not thing.closed]


def works(thing: Thing) -> bool:
    return thing.works


async def hold(pool: ResourcePool[Thing], seconds: float, seen: list[int] | None = None) -> int:
    async with pool.acquire() as thing:
        if seen is not None:
            seen.append(thing.number)
        await asyncio.sleep(seconds)
        return thing.number


def test_a_resource_is_used_again_the_latest_first(run: Run) -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(max_size=2) as pool:
            first, second = await pool.acquire(), await pool.acquire()
            numbers = first.resource.number, second.resource.number
            assert numbers == (0, 1)
            first.release()
            second.release()
            second.release()
            async with pool.acquire() as thing:
                assert thing.number == 1
            assert pool.counters()["opened"] == 2
            assert pool.counters()["acquired"] == 3
            assert (pool.state()["idle"], pool.state()["lent"]) == (2, 0)
            with pytest.raises(RuntimeError, match="no resource"):
                _ = first.resource
        assert factory.alive == []

    run(main())


def test_those_who_wait_are_served_in_their_order(run: Run) -> None:
    async def main() -> None:
        factory = Factory()
        order: list[int] = []

        async def visit(pool: ResourcePool[Thing], number: int) -> None:
            async with pool.acquire():
                order.append(number)
                await asyncio.sleep(0)

        async with factory.pool(max_size=2) as pool:
            await asyncio.gather(*(visit(pool, number) for number in range(20)))
            assert order == list(range(20))
            assert len(factory.made) == 2
            assert pool.histograms()["wait"].count == 20

    run(main())


def test_a_wait_ends_with_its_time_and_says_who_has_the_resource() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(max_size=1, timeout=3.0) as pool:
            async with pool.acquire():
                with pytest.raises(PoolTimeout) as raised:
                    await pool.acquire()
                assert asyncio.get_running_loop().time() == pytest.approx(3.0)
                assert "test_pool.py" in str(raised.value)
                assert "for 3.0 s" in str(raised.value)
                assert (raised.value.status, raised.value.limit) == (503, "pool things")
                assert isinstance(raised.value, TimeoutError)
                with pytest.raises(PoolTimeout):
                    await pool.acquire(timeout=0.5)
                assert asyncio.get_running_loop().time() == pytest.approx(3.5)
            assert pool.counters()["timeouts"] == 2
            assert await hold(pool, 0) == 0

    run_with_fake_clock(main())


def test_a_wait_ends_with_the_deadline_of_the_work_at_hand() -> None:
    async def main() -> None:
        from eyewall.guard.deadlines import deadline

        loop = asyncio.get_running_loop()
        async with Factory().pool(max_size=1) as pool, pool.acquire():
            deadline._current.set(deadline.Deadline(loop.time() + 2.0, loop.time))
            with pytest.raises(PoolTimeout):
                await pool.acquire()
            assert loop.time() == pytest.approx(2.0)

    run_with_fake_clock(main())


def test_more_than_may_wait_are_refused(run: Run) -> None:
    async def main() -> None:
        async with Factory().pool(max_size=2, max_waiting=1) as pool:
            # Two are opened, one waits for them.
            tasks = [asyncio.create_task(hold(pool, 0)) for _ in range(4)]
            await asyncio.wait(tasks)
            errors = [task.exception() for task in tasks]
            assert errors[:3] == [None] * 3
            assert isinstance(errors[3], PoolFull)
            assert "max_waiting=1" in str(errors[3])
            assert pool.counters()["refused"] == 1

    run(main())


def test_one_who_gives_up_loses_nothing_of_others(run: Run) -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(max_size=1) as pool:
            lease = await pool.acquire()
            waiting = [asyncio.create_task(hold(pool, 0)) for _ in range(3)]
            await turns(3)
            waiting[1].cancel()
            await turns(3)
            # The turn of the first comes together with its end.
            lease.release()
            waiting[0].cancel()
            await asyncio.wait(waiting)
            assert [task.cancelled() for task in waiting] == [True, True, False]
            assert pool.state()["idle"] == 1
            assert factory.alive == [0]

    run(main())


def test_what_is_being_opened_for_one_who_gave_up_is_kept_for_others() -> None:
    async def main() -> None:
        factory = Factory()
        factory.delay = 5.0
        async with factory.pool() as pool:
            with pytest.raises(PoolTimeout):
                await pool.acquire(timeout=1.0)
            task = asyncio.create_task(hold(pool, 0))
            task.cancel()
            await asyncio.wait([task])
            await asyncio.sleep(5.0)
            assert pool.state()["idle"] == 1
            assert await hold(pool, 0) == 0
            assert len(factory.made) == 1

    run_with_fake_clock(main())


def test_what_comes_back_first_serves_one_for_whom_another_is_being_opened() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool() as pool:
            lease = await pool.acquire()
            factory.delay = 5.0
            task = asyncio.create_task(hold(pool, 0))
            await asyncio.sleep(1.0)
            lease.release()
            assert await task == 0
            assert asyncio.get_running_loop().time() == pytest.approx(1.0)

    run_with_fake_clock(main())


def test_a_request_lends_neither_its_deadline_nor_its_context_to_what_is_opened(run: Run) -> None:
    async def main() -> None:
        from eyewall.guard.deadlines import deadline

        left: list[float | None] = []

        async def open() -> Thing:
            left.append(deadline.remaining())
            return Thing(0)

        loop = asyncio.get_running_loop()
        async with ResourcePool(open, name="context") as pool:
            deadline._current.set(deadline.Deadline(loop.time() + 60.0, loop.time))
            await hold(pool, 0)
            assert left == [None]

    run(main())


# -- opening that fails ---------------------------------------------------------------------------------


def test_nobody_waits_for_what_cannot_be_opened_and_attempts_become_rarer() -> None:
    async def main() -> None:
        factory = Factory()
        factory.errors = [ConnectionRefusedError(f"no {number}") for number in range(3)]
        loop = asyncio.get_running_loop()
        async with factory.pool(max_size=4) as pool:
            results = await asyncio.gather(*(hold(pool, 0) for _ in range(3)), return_exceptions=True)
            assert all(isinstance(each, PoolUnavailable) for each in results)
            # Three were tried at once, since three were wanted.
            assert len(factory.attempts) == 3
            factory.errors = [ConnectionRefusedError("still"), ConnectionRefusedError("and again")]
            for _ in range(40):
                with contextlib.suppress(PoolUnavailable):
                    await hold(pool, 0)
                await asyncio.sleep(0.5)
            waits = [
                later - earlier
                for earlier, later in zip(factory.attempts[2:], factory.attempts[3:], strict=False)
            ]
            # 1 s after the first three, which are one failure; then 2 and 4.
            assert waits == pytest.approx([1.0, 2.0, 4.0], abs=0.6)
            assert len(factory.attempts) == 6
            assert not pool.state()["failing"]
            assert loop.time() == pytest.approx(20.0)

    run_with_fake_clock(main())


def test_the_error_says_why_and_when_to_come_again() -> None:
    async def main() -> None:
        factory = Factory()
        factory.errors = [ConnectionRefusedError("nobody listens")]
        async with factory.pool() as pool:
            assert pool.health() == Verdict.passing("0 of 10 lent, 0 wait")
            for _ in range(2):
                with pytest.raises(PoolUnavailable, match="nobody listens") as raised:
                    await pool.acquire()
                assert isinstance(raised.value.__cause__, ConnectionRefusedError)
                assert raised.value.retry_after == pytest.approx(1.0)
            assert len(factory.attempts) == 1
            assert pool.health() == Verdict.warning(
                "cannot open a resource: ConnectionRefusedError('nobody listens')"
            )

    run_with_fake_clock(main())


def test_opening_that_hangs_is_given_up() -> None:
    async def main() -> None:
        factory = Factory()
        factory.delay = 1e6
        async with factory.pool(open_timeout=2.0) as pool:
            with pytest.raises(PoolUnavailable, match="open_timeout=2 s"):
                await pool.acquire()
            assert asyncio.get_running_loop().time() == pytest.approx(2.0)
            assert pool.state()["open"] == 0

    run_with_fake_clock(main())


def test_those_who_can_have_what_is_lent_wait_for_it_when_opening_fails() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool() as pool:
            lease = await pool.acquire()
            factory.errors = [ConnectionRefusedError()]
            task = asyncio.create_task(hold(pool, 0))
            await asyncio.sleep(0.5)
            assert not task.done()
            # And a second attempt is made without anybody asking for it.
            await asyncio.sleep(1.0)
            assert await task == 1
            lease.release()

    run_with_fake_clock(main())


# -- checks ---------------------------------------------------------------------------------------------


def test_what_was_idle_is_checked_before_it_is_lent() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(check=works, check_after=5.0) as pool:
            assert await hold(pool, 0) == 0
            factory.made[0].works = False
            # Within this time it counts as one that works.
            assert await hold(pool, 0) == 0
            await asyncio.sleep(6.0)
            assert await hold(pool, 0) == 1
            await turns()
            assert factory.alive == [1]
            assert pool.state()["open"] == 1

    run_with_fake_clock(main())


def test_after_a_check_that_failed_all_older_ones_are_checked() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(check=works, check_after=5.0, max_size=3) as pool:
            await asyncio.gather(*(hold(pool, 1.0) for _ in range(3)))
            await asyncio.sleep(4.5)
            # One is used, so that it would not be checked for a while.
            used = await hold(pool, 0)
            await asyncio.sleep(1.0)
            for thing in factory.made:
                thing.works = False
            leases = [await pool.acquire() for _ in range(3)]
            first = leases[0].resource.number
            assert first == used
            assert sorted(lease.resource.number for lease in leases[1:]) == [3, 4]
            for lease in leases:
                lease.release()
            assert await hold(pool, 0) in (used, 3, 4)

    run_with_fake_clock(main())


def test_a_check_that_hangs_raises_or_is_cancelled_condemns_the_resource() -> None:
    async def main() -> None:
        factory = Factory()
        failing: list[str] = ["hangs"]

        async def check(thing: Thing) -> None:
            if failing[0] == "hangs":
                await asyncio.sleep(1e6)
            if failing[0] == "raises":
                raise ValueError("broken")

        async with factory.pool(check=check, check_after=1.0, check_timeout=3.0) as pool:
            await hold(pool, 0)
            await asyncio.sleep(2.0)
            assert await hold(pool, 0) == 1
            assert asyncio.get_running_loop().time() == pytest.approx(5.0)
            failing[0] = "raises"
            await asyncio.sleep(2.0)
            assert await hold(pool, 0) == 2
            failing[0] = "hangs"
            await asyncio.sleep(2.0)
            task = asyncio.create_task(hold(pool, 0))
            await asyncio.sleep(1.0)
            task.cancel()
            await asyncio.wait([task])
            await turns()
            assert factory.alive == []
            assert pool.state()["open"] == 0

    run_with_fake_clock(main())


def test_new_resources_that_do_not_work_are_not_opened_without_a_pause() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(check=lambda thing: False, check_after=0.0) as pool:
            with pytest.raises(PoolUnavailable, match="when it was new"):
                await pool.acquire()
            assert len(factory.attempts) == 1

    run_with_fake_clock(main())


def test_what_an_error_does_to_the_resource() -> None:
    async def main() -> None:
        factory = Factory()

        async def after(error: BaseException, **options: Any) -> bool:
            """Whether the resource is kept."""
            async with factory.pool(**options) as pool:
                with contextlib.suppress(type(error)):
                    async with pool.acquire() as thing:
                        number = thing.number
                        raise error
                await turns()
                return number in factory.alive

        assert not await after(ValueError())
        assert await after(ValueError(), check=works)
        assert not await after(ValueError(), check=lambda thing: False)
        assert await after(KeyError(), harmless=(LookupError,))
        assert not await after(ValueError(), harmless=(LookupError,))
        for fatal in (ConnectionResetError(), TimeoutError(), EOFError(), asyncio.CancelledError()):
            assert not await after(fatal, check=works)

    run_with_fake_clock(main())


def test_a_resource_that_is_discarded_is_closed_and_makes_room(run: Run) -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(max_size=1) as pool:
            lease = await pool.acquire()
            task = asyncio.create_task(hold(pool, 0))
            await turns(3)
            lease.discard()
            assert await task == 1
            assert factory.alive == [1]
            assert pool.counters()["broken"] == 1

    run(main())


# -- time -----------------------------------------------------------------------------------------------


def test_what_is_not_used_is_closed_but_for_the_least() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(min_size=1, idle_timeout=10.0) as pool:
            await asyncio.gather(*(hold(pool, 1.0) for _ in range(3)))
            await asyncio.sleep(9.0)
            assert len(factory.alive) == 3
            await asyncio.sleep(2.0)
            assert len(factory.alive) == 1
            await asyncio.sleep(100.0)
            assert len(factory.alive) == 1
            assert pool.counters()["expired"] == 2

    run_with_fake_clock(main())


def test_what_is_old_is_replaced() -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(min_size=2, lifetime=100.0) as pool:
            await asyncio.sleep(1.0)
            assert factory.alive == [0, 1]
            await asyncio.sleep(101.0)
            assert factory.alive == [2, 3]
            lease = await pool.acquire()
            number = lease.resource.number
            await asyncio.sleep(101.0)
            # One that is lent is left alone until it comes back.
            assert number in factory.alive
            lease.release()
            await turns()
            assert number not in factory.alive

    run_with_fake_clock(main())


def test_a_pool_that_nobody_has_any_more_goes(run: Run) -> None:
    async def main() -> None:
        pool = Factory().pool(name="gone")
        await hold(pool, 0)
        await turns()
        assert inventory.find("pool", "gone") is pool
        del pool
        gc.collect()
        assert inventory.find("pool", "gone") is None

    run(main())


# -- leaks ----------------------------------------------------------------------------------------------


def test_who_holds_a_resource_for_too_long_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Factory().pool(leak_after=60.0) as pool:
            await hold(pool, 0)
            async with pool.acquire():
                (holder,) = pool.holders()
                assert holder.where.endswith("main")
                assert "test_pool.py:" in holder.where
                await asyncio.sleep(59.0)
                assert not caplog.messages
                await asyncio.sleep(1000.0)
                assert pool.state()["held_longest"] == pytest.approx(1059.0)
            assert pool.holders() == []

    with caplog.at_level(logging.WARNING):
        run_with_fake_clock(main())
    (message,) = caplog.messages
    assert "is held for 60 s, taken at" in message
    assert "test_pool.py:" in message


def test_a_lease_that_is_dropped_is_reported_and_its_resource_closed(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        factory = Factory()
        async with factory.pool(max_size=1) as pool:

            async def forget() -> None:
                await pool.acquire()

            await forget()
            gc.collect()
            assert await hold(pool, 0) == 1
            assert factory.alive == [1]
            assert pool.counters()["leaked"] == 1

    run(main())
    assert "was never given back; it was taken at" in caplog.text
    assert "main.<locals>.forget" in caplog.text


# -- the end --------------------------------------------------------------------------------------------


def test_closing_waits_for_what_is_lent_and_then_does_not() -> None:
    async def main() -> None:
        factory = Factory()
        loop = asyncio.get_running_loop()
        pool = factory.pool(max_size=2)
        short, long = asyncio.create_task(hold(pool, 3.0)), asyncio.create_task(hold(pool, 50.0))
        waiting = asyncio.create_task(hold(pool, 0))
        await asyncio.sleep(0)
        await until(lambda: len(pool.holders()) == 2)
        (holder,) = await pool.close(timeout=10.0)
        assert loop.time() == pytest.approx(10.0, abs=0.1)
        assert await short in (0, 1)
        assert "in hold" in holder.where
        assert factory.alive == []
        with pytest.raises(PoolClosed):
            await waiting
        with pytest.raises(PoolClosed):
            await pool.acquire()
        # It has lost its resource, which is for it to find out; giving it back is no error.
        await long
        assert await pool.close() == ()

    run_with_fake_clock(main())


def test_what_is_checked_while_the_pool_is_closed_is_closed() -> None:
    async def main() -> None:
        factory = Factory()
        healthy = True

        async def check(thing: Thing) -> bool:
            await asyncio.sleep(2.0)
            return healthy

        for answer in (True, False):
            healthy = answer
            pool = factory.pool(check=check, check_after=1.0)
            await hold(pool, 0)
            await asyncio.sleep(5.0)
            task = asyncio.create_task(hold(pool, 0))
            await asyncio.sleep(1.0)
            assert await pool.close() == ()
            with pytest.raises(PoolClosed):
                await task
            await turns()
            assert factory.alive == []
            assert pool.state()["waiting"] == 0

    run_with_fake_clock(main())


def test_a_process_that_drains_closes_its_pools() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        drain = Drain(loop.time)
        factory = Factory()
        pool = factory.pool()
        drain.join(pool)
        assert pool in process_drain.participants
        task = asyncio.create_task(hold(pool, 50.0))
        await asyncio.sleep(1.0)
        report = await drain.run(3.0)
        (left,) = report.left
        assert left.startswith("pool: things, held for 4.0 s, taken at ")
        assert left.endswith("in hold")
        assert factory.alive == []
        await task

    run_with_fake_clock(main())


def test_closing_does_not_wait_for_what_is_being_opened() -> None:
    async def main() -> None:
        factory = Factory()
        factory.delay = 1e6
        pool = factory.pool(open_timeout=1e7)
        task = asyncio.create_task(hold(pool, 0))
        await turns(3)
        assert await pool.close() == ()
        with pytest.raises(PoolClosed):
            await task
        assert asyncio.get_running_loop().time() == 0.0

    run_with_fake_clock(main())


def test_closing_a_resource_may_fail_or_hang(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def close(thing: Thing) -> None:
            if thing.number:
                await asyncio.sleep(1e6)
            raise OSError("cannot close")

        pool = ResourcePool(Factory().open, close, name="stubborn", close_timeout=2.0)
        await asyncio.gather(hold(pool, 1.0), hold(pool, 1.0))
        await pool.close()
        assert asyncio.get_running_loop().time() == pytest.approx(3.0)

    run_with_fake_clock(main())
    assert "closing a resource failed" in caplog.text


def test_resources_without_any_await(run: Run) -> None:
    async def main() -> None:
        closed: list[object] = []
        async with ResourcePool(object, closed.append, name="plain") as pool, pool.acquire() as resource:
            pass
        assert closed == [resource]

    run(main())


def test_a_pool_is_for_one_loop(run: Run) -> None:
    pool = Factory().pool()

    async def main() -> None:
        await hold(pool, 0)

    run(main())
    with pytest.raises(RuntimeError, match="belongs to another event loop"):
        run(main())


def test_sizes_that_do_not_go_together() -> None:
    for options in ({"max_size": 0}, {"min_size": 3, "max_size": 2}, {"max_waiting": -1}):
        with pytest.raises(ValueError, match="a pool needs"):
            Factory().pool(**options)


# -- everything at once ---------------------------------------------------------------------------------

Step = tuple[str, float, float]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("good", "error", "reset", "cancel", "discard")),
            st.sampled_from((0.0, 0.0, 0.5, 2.0)),
            st.sampled_from((0.0, 0.5, 1.0, 3.0)),
        ),
        max_size=40,
    ),
    st.lists(st.booleans(), max_size=10),
    st.lists(st.booleans(), max_size=10),
    st.sampled_from((0.0, 0.7)),
)
def test_whatever_happens_nothing_is_lost_or_lent_twice(
    steps: list[Step], refusals: list[bool], checks: list[bool], delay: float
) -> None:
    async def main() -> None:
        factory = Factory()
        factory.delay = delay
        lent: set[int] = set()

        async def open() -> Thing:
            if refusals and refusals.pop():
                raise ConnectionRefusedError
            assert len(factory.alive) < 3
            return await factory.open()

        async def check(thing: Thing) -> bool:
            await asyncio.sleep(0.1)
            return checks.pop() if checks else True

        def close(thing: Thing) -> None:
            # At once, so that the number of those alive is exact.
            assert thing.number not in lent
            assert not thing.closed
            thing.closed = True

        pool = ResourcePool(
            open, close, name="all", max_size=3, max_waiting=6, timeout=5.0, check=check, check_after=1.0,
            idle_timeout=4.0, lifetime=9.0, open_timeout=2.0, backoff=Backoff(0.5, most=2.0, jitter=0.0),
        )  # fmt: skip

        async def visit(what: str, seconds: float) -> None:
            lease = await pool.acquire()
            number = lease.resource.number
            assert number not in lent
            lent.add(number)
            try:
                await asyncio.sleep(seconds)
            finally:
                lent.discard(number)
                if what == "error":
                    lease.release(ValueError())
                elif what == "reset":
                    lease.release(ConnectionResetError())
                elif what == "discard":
                    lease.discard()
                else:
                    lease.release()

        tasks: list[asyncio.Task[None]] = []
        for what, pause, seconds in steps:
            await asyncio.sleep(pause)
            task = asyncio.create_task(visit(what, seconds))
            tasks.append(task)
            if what == "cancel":
                asyncio.get_running_loop().call_later(0.5, task.cancel)
            assert int(str(pool.state()["open"])) <= 3
        if tasks:
            await asyncio.wait(tasks)
        allowed = (
            PoolTimeout,
            PoolFull,
            PoolUnavailable,
        )
        for task in tasks:
            if not task.cancelled():
                error = task.exception()
                assert error is None or isinstance(error, allowed), error
        await asyncio.sleep(20.0)
        assert (pool.state()["open"], pool.state()["waiting"], factory.alive) == (0, 0, [])
        assert await pool.close() == ()

    logging.disable(logging.WARNING)
    try:
        run_with_fake_clock(main())
    finally:
        logging.disable(logging.NOTSET)
