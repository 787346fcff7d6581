"""Those who wait for a future that nobody else has; and programs in which somebody has it, one way or another."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import signal
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from eyewall.doctor.waits.orphans import is_main
from eyewall.loop import gen, locks, queues

from ..lines import line_of
from ..patient import turns
from .looking import looking


class Box:
    """Has anything."""

    content: Any = None


async def named() -> None:
    future = asyncio.get_running_loop().create_future()
    await future  # named


def test_a_future_that_only_the_waiter_has(run: Callable[..., None]) -> None:
    async def main() -> None:
        with looking() as eye:
            await eye.start(named())
            assert eye.after(4) == []
            [finding] = eye.after(8)
            assert finding.rule == "future-orphaned"
            assert finding.place == line_of(named, "# named")
            assert finding.summary.startswith("A task waits for a future that nobody else refers to")
            assert [each.count for each in eye.after(1000)] == [1]

    run(main())


async def local_event() -> None:
    event = asyncio.Event()
    await event.wait()


async def local_queue() -> None:
    queue: asyncio.Queue[None] = asyncio.Queue()
    await queue.get()


async def local_tornado_event() -> None:
    event = locks.Event()
    await event.wait()


async def local_tornado_queue() -> None:
    queue = queues.Queue[None]()
    await queue.get()


async def in_a_box() -> None:
    box = Box()
    box.content = {"reply": asyncio.get_running_loop().create_future()}
    await box.content["reply"]


async def with_a_callback() -> None:
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: future)
    await future


async def behind_a_coroutine() -> None:
    async def inner(future: asyncio.Future[None]) -> None:
        await future

    future = asyncio.get_running_loop().create_future()
    await inner(future)


async def behind_a_generator() -> None:
    @gen.coroutine
    def inner() -> Any:
        future = asyncio.get_running_loop().create_future()
        yield future

    await inner()


@pytest.mark.parametrize(
    "sick",
    [
        local_event,
        local_queue,
        local_tornado_event,
        local_tornado_queue,
        in_a_box,
        with_a_callback,
        behind_a_coroutine,
        behind_a_generator,
    ],
)
def test_what_leads_to_the_future_is_the_waiters_too(
    run: Callable[..., None], sick: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    async def main() -> None:
        with looking() as eye:
            await eye.start(sick())
            [finding] = eye.after(10)
            assert finding.rule == "future-orphaned"

    run(main())


def test_a_future_that_is_lost_later(run: Callable[..., None]) -> None:
    waiting: dict[str, asyncio.Future[None]] = {}

    async def asks(key: str) -> None:
        waiting[key] = future = asyncio.get_running_loop().create_future()
        await future

    async def main() -> None:
        with looking() as eye:
            await eye.start(asks("a"))
            assert eye.after(30) == []
            # Another one asks with the same key.
            await eye.start(asks("a"))
            [finding] = eye.after(100)
            assert finding.subject is not None
            assert finding.subject.task == "one"

    run(main())


def test_a_request(run: Callable[..., None]) -> None:
    class RequestHandler:
        request = Box()

        async def get(self) -> None:
            await asyncio.Future()  # get

    async def main() -> None:
        with looking() as eye:
            RequestHandler.request.method, RequestHandler.request.path = "GET", "/report"  # type: ignore[attr-defined]
            await eye.start(RequestHandler().get())
            [finding] = eye.after(10)
            assert finding.place == line_of(RequestHandler.get, "# get")
            assert str(finding.subject).startswith("request GET /report")

    run(main())


# -- somebody has it ------------------------------------------------------------------------------------

_variable: ContextVar[Any] = ContextVar("variable")
_kept: list[Any] = []


def kept(future: asyncio.Future[None]) -> None:
    _kept.append(future)


def closed_over(future: asyncio.Future[None]) -> None:
    _kept.append(lambda: future.set_result(None))


def in_a_partial(future: asyncio.Future[None]) -> None:
    _kept.append(functools.partial(future.set_result, None))


def weakly(future: asyncio.Future[None]) -> None:
    _kept.append(weakref.ref(future))


def in_a_weak_set(future: asyncio.Future[None]) -> None:
    _kept.append(weakref.WeakSet([future]))


def timed(future: asyncio.Future[None]) -> None:
    asyncio.get_running_loop().call_later(3600, future.set_result, None)


def timed_in_a_closure(future: asyncio.Future[None]) -> None:
    asyncio.get_running_loop().call_later(3600, lambda: future.set_result(None))


def signalled(future: asyncio.Future[None]) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, future.set_result, None)


def signalled_by_python(future: asyncio.Future[None]) -> None:
    signal.signal(signal.SIGUSR2, lambda *_: future.set_result(None))


def readable(future: asyncio.Future[None]) -> None:
    pair = socket.socketpair()
    asyncio.get_running_loop().add_reader(pair[0], future.set_result, None)
    _kept.extend(pair)


def chained(future: asyncio.Future[None]) -> None:
    other = asyncio.get_running_loop().create_future()
    other.add_done_callback(lambda _: future.set_result(None))
    asyncio.get_running_loop().call_later(3600, other.set_result, None)


def in_a_generator(future: asyncio.Future[None]) -> None:
    def steps() -> Any:
        yield
        future.set_result(None)

    generator = steps()
    next(generator)
    _kept.append(generator)


def in_a_context(future: asyncio.Future[None]) -> None:
    context = copy_context()
    context.run(_variable.set, future)
    _kept.append(context)


def in_a_thread(future: asyncio.Future[None]) -> None:
    loop, end = asyncio.get_running_loop(), threading.Event()

    def waits() -> None:
        end.wait(60)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))

    thread = threading.Thread(target=waits)
    thread.start()
    _kept.append(end)


def in_another_task(future: asyncio.Future[None]) -> None:
    async def completes(gate: asyncio.Event) -> None:
        await gate.wait()
        future.set_result(None)

    gate = asyncio.Event()
    _kept.extend((gate, asyncio.ensure_future(completes(gate))))


def let_go() -> None:
    """Ends what those have begun that hold something."""
    for each in _kept:
        if isinstance(each, threading.Event):
            each.set()
        elif isinstance(each, socket.socket):
            asyncio.get_running_loop().remove_reader(each)
            each.close()
    _kept.clear()


@contextmanager
def own_signal() -> Iterator[None]:
    """Puts back the handler of the signal of which one may have taken hold."""
    before = signal.getsignal(signal.SIGUSR2)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR2, before)


HOLDERS = [
    kept,
    closed_over,
    in_a_partial,
    weakly,
    in_a_weak_set,
    timed,
    timed_in_a_closure,
    signalled,
    signalled_by_python,
    readable,
    chained,
    in_a_generator,
    in_a_context,
    in_a_thread,
    in_another_task,
]


@pytest.mark.parametrize("hold", HOLDERS)
@pytest.mark.parametrize("what", ["future", "event", "box"])
def test_a_future_that_somebody_has(run: Callable[..., None], hold: Callable[[Any], None], what: str) -> None:
    if what == "box" and hold is weakly:
        what = "future"

    class Settable(asyncio.Event):
        def set_result(self, _: object) -> None:
            self.set()

        def done(self) -> bool:
            return self.is_set()

    class Holder(Box):
        def set_result(self, _: object) -> None:
            self.content.set_result(None)

        def done(self) -> bool:
            return bool(self.content.done())

    async def waits() -> None:
        if what == "event":
            event = Settable()
            hold(event)
            await event.wait()
        elif what == "box":
            box = Holder()
            box.content = asyncio.get_running_loop().create_future()
            hold(box)
            await box.content
        else:
            future = asyncio.get_running_loop().create_future()
            hold(future)
            await future

    async def main() -> None:
        with looking() as eye:
            await eye.start(waits())
            assert eye.after(1000, looks=40) == []
            let_go()

    with own_signal():
        run(main())


# -- programs that are well -----------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["asyncio", "eyewall.loop.locks", "tornado.locks"])
def test_an_event_that_somebody_may_set(run: Callable[..., None], module: str) -> None:
    async def waits(event: Any) -> None:
        await event.wait()

    async def main() -> None:
        with looking() as eye:
            event = importlib.import_module(module).Event()
            await eye.start(waits(event), waits(event))
            assert eye.after(1000, looks=40) == []

    run(main())


def test_consumers_that_have_nothing_to_do(run: Callable[..., None]) -> None:
    async def consumes(queue: Any) -> None:
        while True:
            await queue.get()

    async def main() -> None:
        with looking() as eye:
            first, second = asyncio.Queue[None](), queues.Queue[None]()
            await eye.start(*[consumes(queue) for queue in (first, second) for _ in range(3)])
            assert eye.after(1000, looks=40) == []

    run(main())


def test_who_runs_until_cancelled(run: Callable[..., None]) -> None:
    async def serves() -> None:
        await asyncio.Future()

    async def keeps_open() -> None:
        await asyncio.Event().wait()

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        yield

    async def within() -> None:
        async with opened():
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        with looking() as eye:
            await eye.start(serves(), keeps_open(), within())
            assert eye.after(1000, looks=40) == []

    run(main())


def test_the_main_task_may_wait_for_ever(run: Callable[..., None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        assert is_main(task)
        stop = loop.create_future()
        with looking() as eye:
            found: list[Any] = []
            loop.call_later(0.01, lambda: (found.append(eye.after(1000, looks=40)), stop.set_result(None)))
            # The timer has it, besides being the main task: that one is told apart by `is_main`.
            await stop
            assert found == [[]]
        other = asyncio.create_task(asyncio.sleep(0))
        assert not is_main(other)
        await other

    run(main())


def test_a_wait_with_a_timeout(run: Callable[..., None]) -> None:
    async def limited() -> None:
        event = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), 3600)

    async def scoped() -> None:
        future = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(3600):
            await future

    async def main() -> None:
        with looking() as eye:
            await eye.start(limited(), scoped())
            assert eye.after(1000, looks=40) == []

    run(main())


def test_a_timeout_further_up(run: Callable[..., None]) -> None:
    async def grouped() -> None:
        async with asyncio.timeout(3600), asyncio.TaskGroup() as group:
            group.create_task(named())

    async def gathered() -> None:
        async with asyncio.timeout(3600):
            await asyncio.gather(named(), named())

    async def waited_for() -> None:
        await asyncio.wait_for(named(), 3600)

    async def awaited() -> None:
        async with asyncio.timeout(3600):
            await asyncio.create_task(waits_for(asyncio.create_task(named())))

    async def waits_for(task: asyncio.Task[None]) -> None:
        await task

    async def main() -> None:
        with looking() as eye:
            await eye.start(grouped(), gathered(), waited_for(), awaited())
            assert eye.after(1000, looks=40) == []
            await eye.start(asyncio.wait_for(asyncio.Event().wait(), 3600))
            assert eye.after(1000, looks=40) == []

    run(main())


def test_jobs_processes_streams_and_servers(run: Callable[..., None]) -> None:
    end = threading.Event()

    async def job() -> None:
        future = asyncio.get_running_loop().run_in_executor(None, end.wait, 60)
        await future

    async def threaded() -> None:
        await asyncio.to_thread(end.wait, 60)

    async def receives(sock: socket.socket) -> None:
        await asyncio.get_running_loop().sock_recv(sock, 1)

    async def reads(sock: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            await reader.read(1)
        finally:
            writer.close()
            await writer.wait_closed()

    async def runs() -> None:
        process = await asyncio.create_subprocess_exec("sleep", "60")
        try:
            await process.wait()
        finally:
            process.kill()
            await process.wait()

    async def serves() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        await server.serve_forever()

    async def main() -> None:
        first, second = socket.socketpair(), socket.socketpair()
        first[0].setblocking(False)
        with looking() as eye:
            await eye.start(job(), threaded(), receives(first[0]), reads(second[0]), runs(), serves())
            await asyncio.sleep(0.1)
            assert eye.after(1000, looks=40) == []
            end.set()
            for task in eye.tasks:
                task.cancel()
            await asyncio.wait(eye.tasks)
        await turns()
        for each in (*first, second[1]):
            each.close()

    run(main())
