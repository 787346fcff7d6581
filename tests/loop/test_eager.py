from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading

import pytest

from eyewall.loop.eager import start_task

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


def start(coro, context=None):
    return start_task(coro, asyncio.get_running_loop(), context)


async def forever():
    await asyncio.get_running_loop().create_future()


def from_callback(function):
    """Calls `function` where no task is current, as protocols call; returns what it returns."""
    future = asyncio.get_running_loop().create_future()

    def call():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    asyncio.get_running_loop().call_soon(call)
    return future


# Where a task is started: inside of another task, and in a callback of the loop.
async def in_task(function):
    return function()


@pytest.fixture(params=[in_task, from_callback], ids=["in_task", "in_callback"])
def at(request):
    return request.param


def test_finishes_at_once_without_suspension(run, at):
    async def work():
        return 42

    def go():
        task = start(work())
        assert type(task) is asyncio.Task
        assert task.done()
        return task

    async def main():
        task = await at(go)
        assert task.result() == 42
        assert await task == 42

    run(main())


def test_goes_on_after_a_suspension(run, at):
    async def work(steps):
        steps.append("first")
        await asyncio.sleep(0)
        steps.append("second")
        return steps

    def go():
        steps = []
        task = start(work(steps))
        assert steps == ["first"]
        assert not task.done()
        assert task in asyncio.all_tasks()
        return task

    async def main():
        task = await at(go)
        assert await task == ["first", "second"]

    run(main())


def test_current_task(run, at):
    seen = []

    async def work():
        seen.append(asyncio.current_task())
        assert asyncio.current_task() in asyncio.all_tasks()
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    def go():
        before = asyncio.current_task()
        task = start(work())
        assert asyncio.current_task() is before
        return task

    async def main():
        task = await at(go)
        await task
        assert seen == [task, task]

    run(main())


def test_exception_in_the_first_step(run, at):
    async def work():
        raise ValueError("first step")

    async def main():
        task = await at(lambda: start(work()))
        assert task.done()
        with pytest.raises(ValueError, match="first step"):
            await task

    run(main())


def test_exception_nobody_reads_is_reported(run):
    async def work():
        raise ValueError("unread")

    async def main():
        reports = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reports.append(context))
        start(work())
        gc.collect()
        assert [str(r["exception"]) for r in reports] == ["unread"]
        assert "never retrieved" in reports[0]["message"]

    run(main())


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exit_in_the_first_step_is_raised(run, error):
    async def work():
        raise error()

    async def main():
        before = asyncio.current_task()
        with pytest.raises(error):
            start(work())
        assert asyncio.current_task() is before
        await asyncio.sleep(0)

    run(main())


def test_cancel(run, at):
    async def work(log):
        try:
            await forever()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main():
        log = []
        task = await at(lambda: start(work(log)))
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert log == ["cancelled"]

    run(main())


def test_cancelling_itself_in_the_first_step(run, at):
    async def work():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    async def main():
        task = await at(lambda: start(work()))
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_timeout(run, at):
    async def work():
        try:
            async with asyncio.timeout(0):
                await forever()
        except TimeoutError:
            return "timed out", asyncio.current_task().cancelling()

    async def main():
        assert await (await at(lambda: start(work()))) == ("timed out", 0)

    run(main())


def test_task_group(run, at):
    async def child(i):
        await asyncio.sleep(0)
        return i

    async def work():
        async with asyncio.TaskGroup() as group:
            children = [group.create_task(child(i)) for i in range(3)]
        return [c.result() for c in children]

    async def failing():
        async with asyncio.TaskGroup() as group:
            group.create_task(forever())
            group.create_task(broken())

    async def broken():
        raise LookupError

    async def main():
        assert await (await at(lambda: start(work()))) == [0, 1, 2]
        with pytest.raises(ExceptionGroup) as caught:
            await (await at(lambda: start(failing())))
        assert caught.group_contains(LookupError)

    run(main())


def test_context_is_a_copy(run, at):
    async def work():
        assert variable.get() == "outside"
        variable.set("inside")
        await asyncio.sleep(0)
        return variable.get()

    def go():
        variable.set("outside")
        task = start(work())
        assert variable.get() == "outside"
        return task

    async def main():
        assert await (await at(go)) == "inside"

    run(main())


def test_given_context(run, at):
    async def work():
        variable.set("changed")

    async def main():
        context = contextvars.copy_context()
        task = await at(lambda: start(work(), context))
        assert task.done()
        assert context[variable] == "changed"
        assert variable.get() == "none"

    run(main())


def test_context_in_use_is_entered_later(run):
    async def work():
        variable.set("changed")

    async def main():
        context = contextvars.copy_context()
        task = context.run(lambda: start(work(), context))
        assert not task.done()
        await task
        assert context[variable] == "changed"

    run(main())


def test_nested(run, at):
    order = []

    async def inner(level):
        order.append(level)
        me = asyncio.current_task()
        if level < 5:
            task = start(inner(level + 1))
            assert asyncio.current_task() is me
            assert task.done() is (level + 1 > 3)
        if level <= 3:
            await asyncio.sleep(0)
        assert asyncio.current_task() is me
        order.append(-level)
        return level

    async def main():
        await (await at(lambda: start(inner(0))))
        await asyncio.sleep(0)
        assert order == [0, 1, 2, 3, 4, 5, -5, -4, -3, -2, -1, 0]

    run(main())


def test_awaits_another_eager_task(run):
    async def inner():
        await asyncio.sleep(0)
        return "inner"

    async def outer():
        return await start(inner())

    async def main():
        assert await start(outer()) == "inner"

    run(main())


def test_leaves_the_loop_as_it_was(run):
    async def work():
        return None

    async def main():
        loop = asyncio.get_running_loop()
        start(work())
        assert "call_soon" not in vars(loop)
        called = []
        loop.call_soon(called.append, 1)
        await asyncio.sleep(0)
        assert called == [1]

    run(main())


def test_keeps_a_replaced_call_soon(run):
    async def work():
        await asyncio.sleep(0)
        return "done"

    async def main():
        loop = asyncio.get_running_loop()
        original = loop.call_soon
        seen = []

        def spy(*args, **kwargs):
            seen.append(args[0])
            return original(*args, **kwargs)

        loop.call_soon = spy
        task = start(work())
        assert vars(loop)["call_soon"] is spy
        assert await task == "done"
        assert seen
        del loop.call_soon

    run(main())


def test_not_a_coroutine(run):
    async def main():
        with pytest.raises(TypeError):
            start("nothing")
        assert "call_soon" not in vars(asyncio.get_running_loop())
        assert await start(asyncio.sleep(0, "fine")) == "fine"

    run(main())


def test_loop_that_does_not_run(new_loop):
    async def work():
        return "later"

    loop = new_loop()
    task = start_task(work(), loop)
    assert not task.done()
    assert loop.run_until_complete(task) == "later"
    loop.close()
    coro = work()
    with pytest.raises(RuntimeError, match="closed"):
        start_task(coro, loop)
    coro.close()


def test_task_factory_is_used(run):
    class Own(asyncio.Task):
        pass

    def factory(loop, coro, **kwargs):
        return Own(coro, loop=loop, **kwargs)

    async def work():
        return "made"

    async def main():
        asyncio.get_running_loop().set_task_factory(factory)
        task = start(work())
        assert type(task) is Own
        assert await task == "made"

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the interpreter has no such factory")
def test_the_factory_of_asyncio_that_starts_at_once():
    async def tell():
        told.append(asyncio.current_task())

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        at_once = start_task(tell(), loop)
        assert at_once.done()
        # In a context that is in use nothing can run at once.
        context = contextvars.copy_context()
        later = context.run(start_task, tell(), loop, context)
        assert not later.done()
        await later
        assert told == [at_once, later]

    told = []
    # uvloop passes it an argument that it takes from Python 3.13.3 on.
    asyncio.run(main())


def test_debug_mode(run):
    async def work():
        await asyncio.sleep(0)
        return "debugged"

    async def main():
        asyncio.get_running_loop().set_debug(True)
        task = start(work())
        assert task._source_traceback[-1].name == "start"
        assert task._source_traceback[-1].filename == __file__
        assert await task == "debugged"

    run(main())


def test_names_are_numbered(run):
    async def main():
        name = start(asyncio.sleep(0)).get_name()
        assert name.startswith("Task-")

    run(main())


@pytest.mark.parametrize("own_context", [False, True])
def test_a_name_that_is_given(run, own_context):
    async def main():
        context = contextvars.copy_context() if own_context else None
        task = start_task(asyncio.sleep(0), asyncio.get_running_loop(), context, "/report")
        assert task.get_name() == "/report"
        await task

    run(main())


def test_threads(new_loop):
    """Two loops that start tasks at the same time do not take each other's steps."""
    failures = []

    async def work(i, name):
        assert threading.current_thread().name == name
        if i % 3 == 0:
            await asyncio.sleep(0)
        return i

    async def main():
        name = threading.current_thread().name
        for i in range(2000):
            task = start(work(i, name))
            assert task.done() is (i % 3 != 0)
            assert await task == i

    def body():
        loop = new_loop()
        try:
            loop.run_until_complete(main())
        except BaseException as error:
            failures.append(error)
        finally:
            loop.close()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=body) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


def interrupt_construction(monkeypatch, action):
    """Runs `action` once in the constructor of the next task, after its step was handed to the loop."""
    if sys.version_info >= (3, 12):
        pytest.skip("no Python code runs in the constructor of an eager task")
    kind = type(asyncio.tasks._all_tasks)
    original = kind.add
    pending = [action]

    def add(self, item):
        original(self, item)
        if pending:
            pending.pop()()

    monkeypatch.setattr(kind, "add", add)


def test_finalizer_schedules_and_creates_within_the_constructor(run, monkeypatch):
    async def other(log):
        log.append("other")
        return "other"

    async def work(log):
        log.append("work")
        return "work"

    async def main():
        log = []
        made = []
        loop = asyncio.get_running_loop()

        def action():
            handle = loop.call_soon(log.append, "callback")
            assert isinstance(handle, asyncio.Handle) or hasattr(handle, "cancel")
            made.append(loop.create_task(other(log)))

        interrupt_construction(monkeypatch, action)
        task = start(work(log))
        assert task.done()
        assert log == ["work"]
        assert await made[0] == "other"
        assert log == ["work", "callback", "other"]
        assert "call_soon" not in vars(loop)

    run(main())


def test_finalizer_starts_within_the_constructor(run, monkeypatch):
    async def work(name):
        return name

    async def main():
        made = []
        loop = asyncio.get_running_loop()
        interrupt_construction(monkeypatch, lambda: made.append(start(work("inner"))))
        task = start(work("outer"))
        assert await asyncio.gather(task, *made) == ["outer", "inner"]
        assert "call_soon" not in vars(loop)
        assert start(work("next")).done()

    run(main())


def test_interrupt_within_the_constructor(run, monkeypatch):
    ran = []

    async def work():
        ran.append(1)

    def interrupt():
        raise KeyboardInterrupt

    async def main():
        interrupt_construction(monkeypatch, interrupt)
        with pytest.raises(KeyboardInterrupt):
            start(work())
        assert "call_soon" not in vars(asyncio.get_running_loop())
        await asyncio.sleep(0)
        assert ran == [1]

    run(main())
