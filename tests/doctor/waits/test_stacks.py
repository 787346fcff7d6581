"""Every task and thread: where it stands, what it waits for, and who holds that."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from eyewall import doctor
from eyewall.doctor.waits.stackstext import text_of
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.loop import gen, locks, queues
from eyewall.web.accounting import Steps

from ..lines import line_of
from ..patient import turns
from .looking import looking


async def waits_for(awaitable: Any) -> Any:
    return await awaitable  # here


async def takes(lock: Any) -> None:
    async with lock:  # taken
        await asyncio.Event().wait()


async def told(coro: Coroutine[Any, Any, Any], name: str = "subject") -> dict[str, Any]:
    """What the stacks say of a task that runs `coro`, which is then cancelled."""
    task = asyncio.create_task(coro, name=name)
    await turns(10)
    [found] = [each for each in doctor.stacks().as_json()["tasks"] if each["name"] == name]
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    json.dumps(found)
    return dict(found)


def test_a_chain_through_coroutines_and_generators(run: Callable[..., None]) -> None:
    async def rows() -> AsyncIterator[int]:
        await waits_for(asyncio.sleep(60))
        yield 1

    async def reads() -> None:
        async for _ in rows():
            pass

    async def main() -> None:
        found = await told(reads())
        assert [each["function"].rpartition(".")[2] for each in found["chain"]] == [
            "reads",
            "rows",
            "waits_for",
            "sleep",
        ]
        assert found["place"]["line"] == line_of(waits_for, "# here").line
        assert found["state"] == "waiting"
        assert found["waits_for"]["kind"] == "timer"
        assert 50 < found["waits_for"]["seconds_left"] <= 60

    run(main())


def test_a_chain_through_generator_based_coroutines(run: Callable[..., None]) -> None:
    def part() -> Any:
        yield asyncio.sleep(60)

    @gen.coroutine
    def inner() -> Any:
        yield from part()

    @gen.coroutine
    def outer() -> Any:
        yield inner()

    async def main() -> None:
        found = await told(waits_for(outer()))
        names = [each["function"].rpartition(".")[2] for each in found["chain"]]
        assert names == ["waits_for", "outer", "inner", "part"]
        # What is yielded becomes a task of its own.
        assert found["waits_for"]["kind"] == "task"

    run(main())


def test_a_chain_through_tornados_own_coroutines(run: Callable[..., None]) -> None:
    tornado_gen = pytest.importorskip("tornado.gen")

    @tornado_gen.coroutine
    def inner(future: Any) -> Any:
        yield future

    @tornado_gen.coroutine
    def outer(future: Any) -> Any:
        yield inner(future)

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        found = await told(waits_for(outer(future)))
        names = [each["function"].rpartition(".")[2] for each in found["chain"]]
        assert names == ["waits_for", "outer", "inner"]
        future.set_result(None)
        await turns()

    run(main())


@pytest.mark.parametrize("make", [asyncio.Lock, locks.Lock])
def test_who_holds_a_lock_and_where_it_was_taken(run: Callable[..., None], make: Callable[[], Any]) -> None:
    async def main() -> None:
        lock = make()
        holder = asyncio.create_task(takes(lock), name="holder")
        await turns()
        found = await told(takes(lock))
        assert found["waits_for"]["kind"] == "lock"
        [held] = found["waits_for"]["held_by"]
        assert held["task"] == "holder"
        assert held["line"] == line_of(takes, "# taken").line
        [holding] = [each for each in doctor.stacks().as_json()["tasks"] if each["name"] == "holder"]
        assert [each["line"] for each in holding["holds"]] == [line_of(takes, "# taken").line]
        holder.cancel()

    run(main())


def test_a_lock_that_was_taken_otherwise(run: Callable[..., None]) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        taking = asyncio.ensure_future(lock.acquire())
        await taking
        found = await told(takes(lock))
        assert found["waits_for"]["held_by"] == []
        assert "it is not known who holds it" in text_of(
            {"pid": 1, "time": "", "tasks": [found], "threads": []}
        )

    run(main())


def test_a_lock_that_was_acquired_by_hand(run: Callable[..., None]) -> None:
    async def acquires(lock: asyncio.Lock, release: asyncio.Event) -> None:
        await lock.acquire()  # acquired
        try:
            await release.wait()
        finally:
            lock.release()

    async def main() -> None:
        lock = asyncio.Lock()
        holder = asyncio.create_task(acquires(lock, asyncio.Event()), name="holder")
        await asyncio.sleep(0)
        [held] = (await told(takes(lock)))["waits_for"]["held_by"]
        assert (held["task"], held["line"]) == ("holder", line_of(acquires, "# acquired").line)
        holder.cancel()

    run(main())


def test_what_is_waited_for(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        event, condition, queue = asyncio.Event(), asyncio.Condition(), asyncio.Queue[None](1)
        own_event, own_queue = locks.Event(), queues.Queue[None]()
        queue.put_nowait(None)

        async def notified() -> None:
            async with condition:
                await condition.wait()

        async def grouped() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(event.wait(), name="first")
                group.create_task(event.wait(), name="second")

        async def limited() -> None:
            async with asyncio.timeout(60):
                await event.wait()

        async def own(method: Callable[[], Any]) -> None:
            await method()

        helper = asyncio.create_task(event.wait(), name="helper")
        expected: list[tuple[Coroutine[Any, Any, Any], str, list[str]]] = [
            (waits_for(event.wait()), "event", []),
            (notified(), "condition", []),
            (queue.put(None), "queue", []),
            (waits_for(queue.join()), "queue", []),
            (waits_for(asyncio.Queue().get()), "queue", []),
            (own(own_event.wait), "event", []),
            (own(own_queue.get), "queue", []),
            (waits_for(asyncio.shield(helper)), "task", ["helper"]),
            (waits_for(asyncio.gather(asyncio.shield(helper))), "task", ["helper"]),
            (waits_for(asyncio.wait([helper])), "task", ["helper"]),
            (grouped(), "tasks", ["first", "second"]),
            (limited(), "event", []),
            (waits_for(loop.create_future()), "future", []),
            # It is cancelled with this one.
            (waits_for(helper), "task", ["helper"]),
        ]
        for coro, kind, tasks in expected:
            found = (await told(coro))["waits_for"]
            assert (found["kind"], sorted(found["tasks"])) == (kind, tasks)

    run(main())


def test_time_that_is_left(run: Callable[..., None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await asyncio.Event().wait()

    async def main() -> None:
        for coro in (limited(), asyncio.wait_for(asyncio.Event().wait(), 60)):
            found = await told(coro)
            assert 50 < found["waits_for"]["seconds_left"] <= 60
        assert (await told(asyncio.Event().wait()))["waits_for"]["seconds_left"] is None

    run(main())


def test_a_stream_and_its_peer(run: Callable[..., None]) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        found = await told(reader.read(1))
        assert found["waits_for"]["kind"] == "socket"
        writer.close()
        await writer.wait_closed()
        theirs.close()

    run(main())


@pytest.mark.parametrize("own", [True, False])
def test_a_job_in_an_executor(run: Callable[..., None], own: bool) -> None:
    begun, end = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        end.wait(60)  # job

    async def main() -> None:
        executor: Any = ThreadExecutor("jobs", workers=1) if own else ThreadPoolExecutor(1)
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(waits_for(loop.run_in_executor(executor, job)), name="runs")
        while not begun.is_set():
            await asyncio.sleep(0.001)
        await turns()
        [found] = [each for each in doctor.stacks().as_json()["tasks"] if each["name"] == "runs"]
        assert found["waits_for"]["kind"] == "executor"
        assert f"at {line_of(job, '# job')}" in found["waits_for"]["words"]
        end.set()
        await task
        executor.shutdown()

    try:
        run(main())
    finally:
        end.set()


def test_a_task_that_runs(run: Callable[..., None]) -> None:
    def asks() -> dict[str, Any]:
        return doctor.stacks().as_json()  # asks

    async def runs() -> dict[str, Any]:
        return asks()

    async def main() -> None:
        data = await asyncio.create_task(runs(), name="runs")
        [found] = [each for each in data["tasks"] if each["name"] == "runs"]
        assert found["state"] == "running"
        assert line_of(asks, "# asks").line in [each["line"] for each in found["chain"]]
        assert found["waits_for"] is None
        assert "MainThread" in [each["name"] for each in data["threads"]]

    run(main())


def test_a_measured_task_that_runs(run: Callable[..., None]) -> None:
    async def asks() -> dict[str, Any]:
        [found] = [each for each in doctor.stacks().as_json()["tasks"] if each["name"] == "measured"]
        return dict(found)

    async def main() -> None:
        found = await asyncio.create_task(Steps(asks()), name="measured")
        assert found["state"] == "running"
        assert found["place"]["line"] == line_of(asks, "doctor.stacks()").line

    run(main())


def test_another_thread_asks(run: Callable[..., None]) -> None:
    async def main() -> None:
        task = asyncio.create_task(takes(asyncio.Lock()), name="holder")
        await turns()
        stacks = await asyncio.to_thread(doctor.stacks)
        assert "task holder" in stacks.text()
        assert "holds lock" in stacks.text()
        task.cancel()

    run(main())


def test_how_long_a_task_has_waited(run: Callable[..., None]) -> None:
    async def main() -> None:
        with looking() as eye:
            await eye.start(takes(asyncio.Lock()))
            eye.now = eye.loop.time()
            eye.after(5)
            eye.now -= 5
            [found] = [each for each in doctor.stacks().as_json()["tasks"] if each["name"] == "one"]
            assert found["age"] is not None
            assert not found["begun"]
            assert found["waiting"] is not None

    run(main())


def test_a_tree(run: Callable[..., None]) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        holder = asyncio.create_task(takes(lock), name="holder")
        await turns()
        waiter = asyncio.create_task(takes(lock), name="waiter")
        parent = asyncio.create_task(waits_for(waiter), name="parent")
        await turns()
        lines = [line for line in doctor.stacks().tree().splitlines() if line.lstrip().startswith("task ")]
        depth = {line.split()[1]: len(line) - len(line.lstrip()) for line in lines}
        assert depth["parent"] < depth["waiter"] < depth["holder"]
        for task in (holder, waiter, parent):
            task.cancel()

    run(main())


@pytest.mark.parametrize("shielded", [False, True])
def test_the_last_of_those_that_are_gathered(run: Callable[..., None], shielded: bool) -> None:
    """Each of them knows who waits for it, and is not to be taken for what waits for that."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        gate = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            jobs = [loop.run_in_executor(pool, int), loop.run_in_executor(pool, gate.wait, 60)]
            await jobs[0]
            found = await told(waits_for(asyncio.gather(*jobs[:1], *map(asyncio.shield, jobs[1:]))))
            assert found["waits_for"]["kind"] == "executor"
            gate.set()
        ended, open_one = loop.create_future(), loop.create_future()
        ended.set_result(None)
        gathering = asyncio.gather(ended, open_one)
        await turns()
        found = await told(waits_for(asyncio.shield(gathering) if shielded else gathering))
        assert found["waits_for"]["kind"] == "future"
        gathering.cancel()
        await turns()

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no task can begin at once before 3.12")
def test_a_task_in_its_first_step_and_the_one_that_started_it(run: Callable[..., None]) -> None:
    def make(coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        kind: Any = asyncio.Task
        task: asyncio.Task[Any] = kind(coro, loop=asyncio.get_running_loop(), name=name, eager_start=True)
        return task

    async def inner() -> None:
        found.append(doctor.stacks().as_json())  # looked
        await asyncio.Event().wait()

    async def outer() -> asyncio.Task[Any]:
        return make(inner(), "inner")

    async def main() -> None:
        task = await asyncio.create_task(outer(), name="outer")
        tasks = {each["name"]: each for each in found[0]["tasks"]}
        for name in ("outer", "inner"):
            assert tasks[name]["state"] == "running"
            assert tasks[name]["waits_for"] is None
        # Each stack ends where the other one's begins.
        functions = [each["function"].rpartition(".")[2] for each in tasks["outer"]["chain"]]
        assert functions == ["outer", "make"]
        assert tasks["outer"]["place"]["function"].endswith("make")
        assert tasks["inner"]["chain"][0]["line"] == line_of(inner, "# looked").line
        [later] = [each for each in doctor.stacks().as_json()["tasks"] if each["name"] == "inner"]
        assert later["state"] == "waiting"
        task.cancel()
        await asyncio.wait([task])

    found: list[dict[str, Any]] = []
    run(main())


def test_a_job_in_a_thread_of_anyio(run: Callable[..., None]) -> None:
    anyio = pytest.importorskip("anyio")  # of FastAPI
    begun, go_on = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        go_on.wait()  # the job

    async def main() -> None:
        task = asyncio.create_task(anyio.to_thread.run_sync(job), name="subject")
        try:
            while not begun.is_set():
                await asyncio.sleep(0)
            [found] = [each for each in doctor.stacks().as_json()["tasks"] if each["name"] == "subject"]
        finally:
            go_on.set()
            await task
        words = found["waits_for"]["words"]
        assert words == f"a job in thread AnyIO worker thread at {line_of(job, '# the job')}"

    run(main())


def test_threads_of_the_doctor_are_one_line() -> None:
    go_on = threading.Event()
    threads = [threading.Thread(target=go_on.wait, name=name) for name in ("eyewall-watchdog", "mine")]
    for each in threads:
        each.start()
    try:
        found = doctor.stacks()
    finally:
        go_on.set()
        for each in threads:
            each.join()
    for text in (found.text(), found.tree()):
        assert "thread mine\n" in text
        assert "thread eyewall-watchdog\n" not in text
        assert text.splitlines()[-1] == "1 thread of the doctor: eyewall-watchdog"


def test_of_many_that_are_alike_some_are_shown(run: Callable[..., None]) -> None:
    async def main() -> None:
        lock = asyncio.Lock()
        own = asyncio.current_task()
        assert own is not None
        holder = asyncio.create_task(takes(lock), name="holder")
        await turns(3)
        tasks = [asyncio.create_task(takes(lock), name=f"waiter-{each}") for each in range(20)]
        other = asyncio.create_task(waits_for(asyncio.sleep(60)), name="other")
        await turns(3)
        data = doctor.stacks().as_json()
        assert text_of(data).count("\ntask waiter-") == 20
        text = text_of(data, every=False)
        told = [line.partition(" (")[0] for line in text.splitlines() if line.startswith("task ")]
        # In other threads there may be loops of fixtures.
        ours = {f"task {each.get_name()}" for each in (own, holder, other, *tasks)}
        assert [each for each in told if each in ours] == [
            f"task {own.get_name()}",
            "task holder",
            "task other",
            "task waiter-0",
            "task waiter-1",
        ]
        more = "waiter-2, waiter-3, waiter-4, waiter-5, waiter-6, …"
        assert f"\n18 more tasks (takes) stand there: {more}\n" in text
        for each in (holder, other, *tasks):
            each.cancel()
        await asyncio.gather(holder, other, *tasks, return_exceptions=True)

    run(main())


def test_a_future_that_a_timer_completes() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        future, other = loop.create_future(), loop.create_future()
        # As Tornado's `gen.sleep` does, through its loop.
        loop.call_later(60, functools.partial(print), functools.partial(lambda: future.set_result(None)))
        found = await told(waits_for(future))
        assert found["waits_for"]["words"] == "a timer"
        assert 0 < found["waits_for"]["seconds_left"] <= 60
        assert (await told(waits_for(other)))["waits_for"]["kind"] == "future"

    # uvloop shows no timers.
    asyncio.run(main())


def test_futures_that_are_gathered_are_no_tasks(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(3)]
        found = await told(waits_for(asyncio.gather(*futures)))
        assert found["waits_for"]["words"] == "3 futures"
        task = asyncio.create_task(asyncio.sleep(60), name="sleeper")
        futures = [loop.create_future() for _ in range(2)]
        found = await told(waits_for(asyncio.gather(task, *futures)))
        assert found["waits_for"]["words"] == "1 task: sleeper; and 2 futures"
        task.cancel()

    run(main())
