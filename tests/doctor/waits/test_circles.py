"""Tasks that wait for each other, in circles of locks and of awaits."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import importlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any

import pytest

from eyewall.doctor.finding import Finding, Subject
from eyewall.doctor.places import Place
from eyewall.guard.breakers.bulkhead import Bulkhead
from eyewall.guard.pools.pool import ResourcePool
from eyewall.loop import gen

from ..lines import line_of
from ..patient import turns
from .looking import looking

LOCKS = ["asyncio", "tornado.locks", "eyewall.loop.locks", "anyio"]


def lock_of(module: str) -> Any:
    return importlib.import_module(module).Lock()


async def nested(outer: Any, inner: Any) -> None:
    async with outer:  # outer
        await asyncio.sleep(0)
        async with inner:  # inner
            pass


def deadlock_of(
    run: Callable[..., None], start: Callable[[], Iterable[Coroutine[Any, Any, None]]]
) -> Finding:
    """Returns the one finding of tasks that `start` makes the coroutines of, which is a deadlock of locks."""
    found: list[Finding] = []

    async def main() -> None:
        with looking() as eye:
            await eye.start(*start())
            found.extend(eye.after(3))

    run(main())
    [finding] = found
    assert finding.rule == "lock-deadlock"
    return finding


def crossed(
    one: Callable[..., Coroutine[Any, Any, None]],
    other: Callable[..., Coroutine[Any, Any, None]],
    module: str = "asyncio",
) -> Callable[[], Iterable[Coroutine[Any, Any, None]]]:
    """Two that take two locks, each in the other's order."""

    def start() -> Iterable[Coroutine[Any, Any, None]]:
        a, b = lock_of(module), lock_of(module)
        return [one(a, b), other(b, a)]

    return start


def taken(finding: Finding) -> set[Place]:
    return {places[0] for name, places in finding.evidence.stacks.items() if name.endswith("taken at")}


@pytest.mark.parametrize("module", LOCKS)
def test_two_locks_in_two_orders(run: Callable[..., None], module: str) -> None:
    async def main() -> None:
        with looking() as eye:
            a, b = lock_of(module), lock_of(module)
            await eye.start(nested(a, b), nested(b, a))
            assert eye.look() == []
            assert eye.look() == []
            [finding] = eye.after(3)
            assert finding.rule == "lock-deadlock"
            assert finding.place == line_of(nested, "# inner")
            assert finding.evidence.counts == {"tasks": 2}
            assert taken(finding) == {line_of(nested, "# outer")}
            assert finding.subject in (Subject(task="one"), Subject(task="two"))
            # It is told once.
            assert [each.count for each in eye.after(60)] == [1]

    run(main())


@pytest.mark.parametrize("module", LOCKS[:3])
def test_a_lock_that_is_taken_twice(run: Callable[..., None], module: str) -> None:
    def twice() -> Iterable[Coroutine[Any, Any, None]]:
        lock = lock_of(module)
        return [nested(lock, lock)]

    finding = deadlock_of(run, twice)
    assert finding.summary.startswith("A task waits for a lock that it holds itself")
    assert finding.place == line_of(nested, "# inner")


def test_three_locks_with_others_that_wait_for_them(run: Callable[..., None]) -> None:
    async def main() -> None:
        with looking(slice_=2) as eye:
            a, b, c = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
            await eye.start(nested(a, b), nested(b, c), nested(c, a), nested(a, a), nested(b, b))
            [finding] = eye.after(10, looks=40)
            assert finding.evidence.counts == {"tasks": 3}

    run(main())


def test_locks_behind_context_managers_and_stacks(run: Callable[..., None]) -> None:
    @contextlib.asynccontextmanager
    async def locked(lock: asyncio.Lock) -> AsyncIterator[None]:
        async with lock:
            yield

    async def managed(outer: asyncio.Lock, inner: asyncio.Lock) -> None:
        async with locked(outer):
            await asyncio.sleep(0)
            async with inner:
                pass

    async def stacked(outer: asyncio.Lock, inner: asyncio.Lock) -> None:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(outer)
            await asyncio.sleep(0)
            await stack.enter_async_context(inner)

    deadlock_of(run, crossed(managed, stacked))


def test_a_generator_that_holds_a_lock_while_it_is_gone_through(run: Callable[..., None]) -> None:
    async def rows(lock: asyncio.Lock) -> AsyncIterator[int]:
        async with lock:
            yield 1

    async def reads(outer: asyncio.Lock, inner: asyncio.Lock) -> None:
        async for _ in rows(outer):
            await asyncio.sleep(0)
            async with inner:
                pass

    deadlock_of(run, crossed(reads, reads))


@pytest.mark.parametrize("module", ["eyewall.loop.locks", "tornado.locks"])
def test_generator_based_coroutines(run: Callable[..., None], module: str) -> None:
    @gen.coroutine
    def nests(outer: Any, inner: Any) -> Any:
        with (yield outer.acquire()):  # outer
            yield gen.moment
            with (yield inner.acquire()):  # inner
                pass

    async def waits(outer: Any, inner: Any) -> None:
        await nests(outer, inner)

    finding = deadlock_of(run, crossed(waits, waits, module))
    assert finding.place is not None
    assert finding.place.source.endswith("# inner")
    assert {place.source[-7:] for place in taken(finding)} == {"# outer"}


def test_two_that_await_each_other(run: Callable[..., None]) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def awaits() -> None:
        while not tasks:
            await asyncio.sleep(0)
        await tasks[1]

    async def waits() -> None:
        while not tasks:
            await asyncio.sleep(0)
        # Where both await directly, asyncio follows the circle until the stack is full when one is cancelled.
        await asyncio.wait([tasks[0]])

    async def main() -> None:
        with looking() as eye:
            await eye.start(awaits(), waits())
            tasks.extend(eye.tasks)
            await turns()
            [finding] = eye.after(3)
            assert finding.rule == "await-cycle"
            assert finding.place == line_of(awaits, "tasks[1]")
            assert finding.evidence.counts == {"tasks": 2}

    run(main())


def test_a_circle_over_gather_and_shield(run: Callable[..., None]) -> None:
    tasks: list[asyncio.Task[None]] = []

    async def gathers() -> None:
        while not tasks:
            await asyncio.sleep(0)
        await asyncio.gather(asyncio.shield(tasks[1]))

    async def awaits() -> None:
        while not tasks:
            await asyncio.sleep(0)
        await asyncio.wait([tasks[0]])

    async def main() -> None:
        with looking() as eye:
            await eye.start(gathers(), awaits())
            tasks.extend(eye.tasks)
            await turns()
            [finding] = eye.after(3)
            assert finding.rule == "await-cycle"

    run(main())


def test_a_lock_and_an_await(run: Callable[..., None]) -> None:
    """One holds the lock and waits for the other's end, the other waits for the lock."""

    async def helper(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def holds(lock: asyncio.Lock) -> None:
        async with lock:
            await asyncio.create_task(helper(lock))

    deadlock_of(run, lambda: [holds(asyncio.Lock())])


def test_a_task_group_in_a_lock(run: Callable[..., None]) -> None:
    async def helper(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def holds(lock: asyncio.Lock) -> None:
        async with lock, asyncio.TaskGroup() as group:
            group.create_task(helper(lock))
            group.create_task(helper(lock))

    deadlock_of(run, lambda: [holds(asyncio.Lock())])


@pytest.mark.parametrize("places", [2, 3])
def test_a_semaphore_is_stuck_when_all_who_hold_it_are(run: Callable[..., None], places: int) -> None:
    async def main() -> None:
        with looking() as eye:
            semaphore = asyncio.BoundedSemaphore(places)
            lock = asyncio.Lock()
            # Two hold the semaphore and wait for the lock, whose holder waits for the semaphore.
            await eye.start(nested(semaphore, lock), nested(semaphore, lock), nested(lock, semaphore))
            found = eye.after(20)
            if places == 2:
                [finding] = found
                assert finding.rule == "lock-deadlock"
            else:
                assert found == []

    run(main())


def test_a_semaphore_whose_places_nobody_knows(run: Callable[..., None]) -> None:
    async def gives_back(semaphore: asyncio.Semaphore, gate: asyncio.Event) -> None:
        await gate.wait()
        semaphore.release()

    async def main() -> None:
        with looking() as eye:
            semaphore, lock, gate = asyncio.Semaphore(1), asyncio.Lock(), asyncio.Event()
            await eye.start(nested(semaphore, lock), nested(lock, semaphore), gives_back(semaphore, gate))
            assert eye.after(20) == []
            eye.tasks[-1].cancel()
            await asyncio.wait(eye.tasks[-1:])
            [finding] = eye.after(20)
            assert finding.rule == "lock-deadlock"

    run(main())


def test_a_semaphore_taken_again_while_others_wait_for_it(run: Callable[..., None]) -> None:
    async def store(semaphore: asyncio.Semaphore) -> None:
        await semaphore.acquire()
        semaphore.release()

    async def refresh(semaphore: asyncio.Semaphore) -> None:
        await semaphore.acquire()
        try:
            await store(semaphore)
        finally:
            semaphore.release()

    async def main() -> None:
        with looking() as eye:
            semaphore = asyncio.Semaphore(1)
            # What the other two would give back they have to get first.
            await eye.start(*(refresh(semaphore) for _ in range(3)))
            [finding] = eye.after(20)
            assert finding.rule == "lock-deadlock"
            assert finding.evidence.counts == {"tasks": 1}

    run(main())


def test_a_semaphore_that_one_gives_back_who_waits_no_longer_than_a_timeout(run: Callable[..., None]) -> None:
    async def twice(semaphore: asyncio.Semaphore) -> None:
        await semaphore.acquire()
        await semaphore.acquire()

    async def gives_up(semaphore: asyncio.Semaphore) -> None:
        try:
            await asyncio.wait_for(semaphore.acquire(), 1000)
        finally:
            semaphore.release()

    async def main() -> None:
        with looking() as eye:
            semaphore = asyncio.Semaphore(1)
            await eye.start(twice(semaphore), gives_up(semaphore))
            assert eye.after(20) == []

    run(main())


def test_pools_and_bulkheads(run: Callable[..., None]) -> None:
    async def twice(pool: ResourcePool[object]) -> None:
        async with pool.acquire():
            await asyncio.sleep(0)
            async with pool.acquire():  # again
                pass

    async def main() -> None:
        with looking() as eye:
            pool = ResourcePool(object, lambda _: None, name="db", max_size=2)
            async with pool:
                await eye.start(twice(pool), twice(pool))
                [finding] = eye.after(3)
                assert finding.rule == "lock-deadlock"
                assert finding.place == line_of(twice, "# again")
                for task in eye.tasks:
                    task.cancel()
                await asyncio.wait(eye.tasks)
        with looking() as eye:
            bulkhead = Bulkhead("reports", 1)
            await eye.start(nested(bulkhead, bulkhead))
            [finding] = eye.after(3)
            assert finding.rule == "lock-deadlock"

    run(main())


async def by_hand(outer: Any, inner: Any) -> None:
    await outer.acquire()  # acquired
    try:
        await asyncio.sleep(0)
        await inner.acquire()  # acquiring
        inner.release()
    finally:
        outer.release()


@pytest.mark.parametrize("module", ["asyncio", "tornado.locks", "eyewall.loop.locks"])
def test_locks_that_are_taken_by_hand(run: Callable[..., None], module: str) -> None:
    async def main() -> None:
        with looking() as eye:
            a, b = lock_of(module), lock_of(module)
            await eye.start(by_hand(a, b), by_hand(b, a))
            [finding] = eye.after(3)
            assert finding.rule == "lock-deadlock"
            assert finding.place == line_of(by_hand, "# acquiring")
            assert taken(finding) == {line_of(by_hand, "# acquired")}

    run(main())


class Account:
    """Has a lock, as an attribute."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def transfer(self, other: Account) -> None:
        await self.lock.acquire()
        try:
            await asyncio.sleep(0)
            async with other.lock:
                pass
        finally:
            self.lock.release()


def test_locks_that_are_attributes(run: Callable[..., None]) -> None:
    async def main() -> None:
        with looking() as eye:
            a, b = Account(), Account()
            await eye.start(a.transfer(b), b.transfer(a))
            [finding] = eye.after(3)
            assert finding.rule == "lock-deadlock"

    run(main())


# -- programs that are well -----------------------------------------------------------------------------


def test_a_lock_that_many_wait_for(run: Callable[..., None]) -> None:
    async def works(lock: asyncio.Lock, gate: asyncio.Event) -> None:
        async with lock:
            await gate.wait()

    async def main() -> None:
        with looking() as eye:
            lock, gate = asyncio.Lock(), asyncio.Event()
            await eye.start(*[works(lock, gate) for _ in range(50)])
            assert eye.after(60) == []

    run(main())


@pytest.mark.parametrize("module", ["asyncio", "tornado.locks", "eyewall.loop.locks"])
def test_a_condition_gives_its_lock_back(run: Callable[..., None], module: str) -> None:
    async def consumes(condition: Any) -> None:
        async with condition:
            await condition.wait()

    async def waits(condition: Any) -> None:
        await condition.wait()

    async def main() -> None:
        with looking() as eye:
            condition = importlib.import_module(module).Condition()
            await eye.start(*[(consumes if module == "asyncio" else waits)(condition) for _ in range(3)])
            assert eye.after(60) == []

    run(main())


def test_who_waits_with_a_timeout_gets_out(run: Callable[..., None]) -> None:
    async def patient(outer: asyncio.Lock, inner: asyncio.Lock) -> None:
        async with outer:
            await asyncio.sleep(0)
            async with asyncio.timeout(100):
                async with inner:
                    pass

    async def impatient(outer: asyncio.Lock, inner: asyncio.Lock) -> None:
        async with outer:
            await asyncio.sleep(0)
            await asyncio.wait_for(inner.acquire(), 100)

    async def main() -> None:
        from eyewall.loop import locks

        async def tornado_like(outer: locks.Lock, inner: locks.Lock) -> None:
            async with outer:
                await asyncio.sleep(0)
                await inner.acquire(datetime.timedelta(seconds=100))

        with looking() as eye:
            a, b = asyncio.Lock(), asyncio.Lock()
            c, d = asyncio.Lock(), asyncio.Lock()
            e, f = locks.Lock(), locks.Lock()
            await eye.start(patient(a, b), nested(b, a), impatient(c, d), nested(d, c))
            await eye.start(tornado_like(e, f), nested(f, e))
            assert eye.after(30) == []

    run(main())


def test_locks_in_one_order(run: Callable[..., None]) -> None:
    async def works(a: asyncio.Lock, b: asyncio.Lock, gate: asyncio.Event) -> None:
        async with a, b:
            await gate.wait()

    async def main() -> None:
        with looking() as eye:
            a, b, gate = asyncio.Lock(), asyncio.Lock(), asyncio.Event()
            await eye.start(*[works(a, b, gate) for _ in range(5)], nested(a, b), nested(b, b))
            assert eye.after(60) == []

    run(main())


def test_a_lock_that_was_given_back_by_hand(run: Callable[..., None]) -> None:
    async def takes_turns(mine: asyncio.Lock, other: asyncio.Lock, gate: asyncio.Event) -> None:
        await mine.acquire()
        await asyncio.sleep(0)
        mine.release()
        await other.acquire()
        await gate.wait()

    async def helped(lock: asyncio.Lock, other: asyncio.Lock) -> None:
        def give_back() -> None:
            lock.release()

        await lock.acquire()
        give_back()
        await asyncio.sleep(0)
        await other.acquire()

    async def main() -> None:
        with looking() as eye:
            a, b, gate = asyncio.Lock(), asyncio.Lock(), asyncio.Event()
            await eye.start(takes_turns(a, b, gate), takes_turns(b, a, gate))
            await eye.start(nested(b, a), nested(a, b))
            assert eye.after(30) == []
        with looking() as eye:
            a, b, gate = asyncio.Lock(), asyncio.Lock(), asyncio.Event()
            # Both seem to hold one: the first has given it back, in a function that it called.
            await eye.start(helped(a, b), by_hand(a, b), takes_turns(b, b, gate))
            assert eye.after(30) == []

    run(main())


def test_parents_wait_for_their_children(run: Callable[..., None]) -> None:
    async def child(gate: asyncio.Event) -> None:
        await gate.wait()

    async def parent(gate: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(child(gate))

    async def gathers(gate: asyncio.Event) -> None:
        await asyncio.gather(*[child(gate) for _ in range(20)])

    async def main() -> None:
        with looking() as eye:
            gate = asyncio.Event()
            await eye.start(parent(gate), gathers(gate))
            assert eye.after(60) == []

    run(main())


def test_nothing_is_asked_of_objects_of_the_program(run: Callable[..., None]) -> None:
    asked: list[str] = []

    class Curious:
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

        def __eq__(self, other: object) -> bool:
            asked.append("==")
            return False

        __hash__ = None  # type: ignore[assignment]

        async def __aenter__(self) -> None:
            pass

        async def __aexit__(self, *error: object) -> None:
            pass

    async def works(thing: Curious, lock: asyncio.Lock, queue: asyncio.Queue[Curious]) -> None:
        async with thing, lock:
            await queue.put(thing)

    async def main() -> None:
        with looking() as eye:
            lock, queue = asyncio.Lock(), asyncio.Queue[Curious](1)
            queue.put_nowait(Curious())
            await eye.start(works(Curious(), lock, queue), works(Curious(), lock, queue))
            assert eye.after(100) == []
            assert asked == []

    run(main())
