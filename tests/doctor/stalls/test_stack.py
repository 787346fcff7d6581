"""Frames as data."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from eyewall.doctor.places import stack_of
from eyewall.doctor.stalls import stack

from ..lines import line_of


def squares(number: int) -> int:
    number += 1
    return number * number  # last


def either(number: int) -> int:  # begins
    if number:
        return 1
    return 2


def on_its_own(job: Callable[[], int]) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(job).result()


def as_asyncio_has_it(job: Callable[[], int]) -> None:
    async def main() -> None:
        await asyncio.to_thread(job)

    asyncio.run(main())


@pytest.mark.parametrize("executes", [on_its_own, as_asyncio_has_it])
def test_the_job_that_has_just_returned(
    executes: Callable[[Callable[[], int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[stack.Stack] = []
    real = concurrent.futures.Future.set_result

    def after_it(self: concurrent.futures.Future[object], result: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            frames: list[FrameType] = stack_of(sys._getframe().f_back)
            seen.append(stack.with_job(stack.read(frames), frames))
        real(self, result)

    monkeypatch.setattr(concurrent.futures.Future, "set_result", after_it)
    executes(functools.partial(squares, 3))
    executes(functools.partial(either, 3))
    executes(functools.partial(pow, 3, 2))
    assert seen[0].place == line_of(squares, "# last")
    assert seen[1].place == line_of(either, "# begins")
    assert seen[2].places[-1].function == "_WorkItem.run"


class Ends:
    seen = stack.EMPTY

    def __call__(self, number: int, frame: FrameType | None) -> None:
        Ends.seen = stack.read(stack_of(sys._getframe()), stack.signal_handlers())


def _ends_as(name: int, number: int, frame: FrameType | None) -> None:
    Ends()(number, frame)
    Ends.seen = stack.read(stack_of(sys._getframe()), stack.signal_handlers())


@functools.wraps(_ends_as)
def _decorated(*arguments: Any) -> None:
    Ends.seen = stack.read(stack_of(sys._getframe()), stack.signal_handlers())


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(Ends(), id="an object"),
        pytest.param(functools.partial(_ends_as, 99), id="a partial, with a number of its own"),
        pytest.param(_decorated, id="one that takes whatever comes"),
        pytest.param(lambda number, frame: _decorated(number, frame), id="one that another one calls"),
    ],
)
def test_whatever_handles_a_signal(handler: Any) -> None:
    before = signal.signal(signal.SIGUSR2, handler)
    try:
        signal.raise_signal(signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert [each.handles for each in Ends.seen.spots if each.handles] == [signal.SIGUSR2]


def test_one_that_is_called_like_any_other_function_handles_none() -> None:
    before = signal.signal(signal.SIGUSR2, _decorated)
    try:
        _decorated(12, None)
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert not any(each.handles for each in Ends.seen.spots)
