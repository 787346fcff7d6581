"""Loops that wait for themselves: in threads of their own, looked at from here, and freed again."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_all
from typing import Any

import pytest

from eyewall.doctor.finding import Finding
from eyewall.doctor.waits.loopwaits import loop_waits_for_itself
from tests.conftest import loop_factory

from ..lines import line_of

#: Seconds after which nothing comes any more.
LONG = 60.0


class Blocked:
    """A loop in a thread, which runs `action(loop, self)` in the middle of a coroutine. `free` ends what it does."""

    def __init__(self, kind: str, action: Callable[[Blocked], None], *, holder: bool = False) -> None:
        self.loop = loop_factory(kind)()
        self.action = action
        self.holder = holder
        self.free: Callable[[], object] = lambda: None
        self.lock = threading.Lock()
        self.gate = asyncio.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        with contextlib.closing(self.loop):
            self.loop.run_until_complete(self.main())

    async def main(self) -> None:
        task = asyncio.create_task(self.holds(), name="holder") if self.holder else None
        await asyncio.sleep(0)
        self.action(self)
        self.gate.set()
        if task is not None:
            await task
        await asyncio.sleep(0)

    async def holds(self) -> None:
        with self.lock:  # taken
            await self.gate.wait()

    def look(self) -> Finding | None:
        assert self.thread.ident is not None
        return loop_waits_for_itself(sys._current_frames(), self.loop, self.thread.ident)

    def found(self) -> Finding:
        end = time.monotonic() + LONG
        while (finding := self.look()) is None:
            assert time.monotonic() < end
            time.sleep(0.001)
        return finding


@contextlib.contextmanager
def blocked(kind: str, action: Callable[[Blocked], None], *, holder: bool = False) -> Iterator[Blocked]:
    patient = Blocked(kind, action, holder=holder)
    patient.thread.start()
    try:
        yield patient
    finally:
        patient.free()
        patient.thread.join(LONG)
        assert not patient.thread.is_alive()


async def nothing() -> None:
    pass


def waits(future: Future[Any]) -> None:
    with contextlib.suppress(BaseException):
        future.result()  # waits


def for_a_coroutine(patient: Blocked) -> None:
    future = asyncio.run_coroutine_threadsafe(nothing(), patient.loop)
    patient.free = future.cancel
    waits(future)


def for_a_thread(patient: Blocked) -> None:
    future = asyncio.run_coroutine_threadsafe(nothing(), patient.loop)
    patient.free = future.cancel
    thread = threading.Thread(target=waits, args=(future,))
    thread.start()
    thread.join()  # waits


def for_a_job(patient: Blocked) -> None:
    future = asyncio.run_coroutine_threadsafe(nothing(), patient.loop)
    patient.free = future.cancel
    with ThreadPoolExecutor(1) as executor:
        waits(executor.submit(waits, future))


def for_an_event(patient: Blocked) -> None:
    event = threading.Event()
    patient.free = event.set
    patient.loop.call_soon_threadsafe(event.set)
    event.wait()  # waits


def for_several(patient: Blocked) -> None:
    future = asyncio.run_coroutine_threadsafe(nothing(), patient.loop)
    patient.free = future.cancel
    with ThreadPoolExecutor(1) as executor:
        wait_for_all([executor.submit(waits, future) for _ in range(2)])  # waits


def answers(future: Future[Any], replies: queue.Queue[int]) -> None:
    waits(future)
    replies.put(1)


def for_an_answer(patient: Blocked) -> None:
    future = asyncio.run_coroutine_threadsafe(nothing(), patient.loop)
    patient.free = future.cancel
    replies: queue.Queue[int] = queue.Queue()
    thread = threading.Thread(target=answers, args=(future, replies))
    thread.start()
    replies.get()  # waits
    thread.join()


class Box:
    """Something that comes once."""

    def __init__(self) -> None:
        self.news = threading.Condition()
        self.full = False

    def fill(self) -> None:
        with self.news:
            self.full = True
            self.news.notify_all()


def for_a_condition(patient: Blocked) -> None:
    box = Box()
    patient.free = box.fill
    patient.loop.call_soon_threadsafe(box.fill)
    with box.news:
        box.news.wait_for(lambda: box.full)  # waits


@pytest.mark.parametrize(
    ("action", "where"),
    [
        (for_several, for_several),
        (for_an_answer, for_an_answer),
        (for_a_condition, for_a_condition),
        (for_a_coroutine, waits),
        (for_a_thread, for_a_thread),
        (for_a_job, waits),
        (for_an_event, for_an_event),
    ],
)
def test_a_loop_that_waits_for_itself(
    event_loop_kind: str, action: Callable[[Blocked], None], where: Callable[..., Any]
) -> None:
    with blocked(event_loop_kind, action) as patient:
        finding = patient.found()
        assert finding.rule == "loop-waits-for-itself"
        assert finding.place == line_of(where, "# waits")


def with_a_lock(patient: Blocked) -> None:
    lock = patient.lock
    patient.free = lock.release
    with lock:  # waits
        pass
    # The one who frees gives back what the holder has.
    lock.acquire()


def calling_acquire(patient: Blocked) -> None:
    patient.free = patient.lock.release
    patient.lock.acquire()  # waits


@pytest.mark.parametrize("action", [with_a_lock, calling_acquire])
def test_a_lock_that_a_suspended_coroutine_has(
    event_loop_kind: str, action: Callable[[Blocked], None]
) -> None:
    with blocked(event_loop_kind, action, holder=True) as patient:
        finding = patient.found()
        assert finding.rule == "loop-waits-for-itself"
        assert finding.place == line_of(action, "# waits")
        [held] = [places for name, places in finding.evidence.stacks.items() if "holder holds it" in name]
        assert held == (line_of(Blocked.holds, "# taken"),)


def has_and_waits(lock: Any, future: Future[Any], begun: threading.Event) -> None:
    with lock:  # taken
        begun.set()
        waits(future)


@pytest.mark.parametrize("kind_of_lock", [threading.Lock, threading.RLock])
def test_a_lock_that_a_thread_has_which_waits_for_the_loop(
    event_loop_kind: str, kind_of_lock: Callable[[], Any]
) -> None:
    def act(patient: Blocked) -> None:
        lock, begun = kind_of_lock(), threading.Event()
        future = asyncio.run_coroutine_threadsafe(nothing(), patient.loop)
        patient.free = future.cancel
        thread = threading.Thread(target=has_and_waits, args=(lock, future, begun), name="other")
        thread.start()
        begun.wait()
        with lock:  # waits
            pass
        thread.join()

    with blocked(event_loop_kind, act) as patient:
        finding = patient.found()
        assert finding.rule == "loop-waits-for-itself"
        assert finding.place == line_of(act, "# waits")
        [held] = [places for name, places in finding.evidence.stacks.items() if "other holds it" in name]
        assert held == (line_of(has_and_waits, "# taken"),)


def for_a_lock_of_a_thread(patient: Blocked, end: threading.Event) -> None:
    lock, begun = threading.Lock(), threading.Event()

    def has() -> None:
        with lock:
            begun.set()
            end.wait()

    thread = threading.Thread(target=has)
    thread.start()
    begun.wait()
    with lock:
        pass
    thread.join()


def for_a_lock_while_another_waits(patient: Blocked, end: threading.Event) -> None:
    mine, other, begun = threading.Lock(), threading.Lock(), threading.Event()
    future = asyncio.run_coroutine_threadsafe(nothing(), patient.loop)
    thread = threading.Thread(target=has_and_waits, args=(other, future, begun))
    thread.start()
    begun.wait()
    mine.acquire()
    threading.Thread(target=lambda: (end.wait(), mine.release())).start()
    with mine:
        pass
    future.cancel()
    thread.join()


def for_another_thread(patient: Blocked, end: threading.Event) -> None:
    thread = threading.Thread(target=end.wait)
    thread.start()
    thread.join()


def for_other_work(patient: Blocked, end: threading.Event) -> None:
    with ThreadPoolExecutor(1) as executor:
        executor.submit(end.wait).result()


def for_an_event_of_others(patient: Blocked, end: threading.Event) -> None:
    end.wait()


def while_a_coroutine_has_a_lock(patient: Blocked, end: threading.Event) -> None:
    # It knows the lock, but does not want it.
    assert patient.lock.locked()
    end.wait()


@pytest.mark.parametrize(
    "action",
    [
        for_another_thread,
        for_other_work,
        for_an_event_of_others,
        while_a_coroutine_has_a_lock,
        for_a_lock_of_a_thread,
        for_a_lock_while_another_waits,
    ],
)
def test_a_loop_that_waits_for_others(
    event_loop_kind: str, action: Callable[[Blocked, threading.Event], None]
) -> None:
    end, begun = threading.Event(), threading.Event()

    def act(patient: Blocked) -> None:
        begun.set()
        action(patient, end)

    with blocked(event_loop_kind, act, holder=True) as patient:
        patient.free = end.set
        assert begun.wait(LONG)
        for _ in range(20):
            assert patient.look() is None
            time.sleep(0.001)
