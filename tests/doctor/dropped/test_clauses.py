"""Which line has swallowed a cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from eyewall.doctor.dropped.clauses import swallowing
from eyewall.doctor.places import frames_of

from ..lines import line_of


class Gate:
    def __await__(self) -> Iterator[None]:
        yield


gate = Gate()


async def rather_than_one_that_raises() -> None:
    try:
        await gate
    except BaseException:  # culprit
        pass
    try:
        pass
    except BaseException as error:
        print(error)
        raise
    await gate


async def raised_for_some() -> None:
    try:
        await gate
    except BaseException as error:  # culprit
        if isinstance(error, KeyboardInterrupt):
            raise
    await gate


async def swallows() -> None:
    try:
        await gate
    except BaseException:  # culprit
        pass


def keep(function: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    @functools.wraps(function)
    async def kept() -> None:
        await function()

    return kept


class Quiet:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if self is None:
            return False
        return kind is not None  # culprit


class Loud:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *args: object) -> bool:
        return False


@contextlib.asynccontextmanager
async def quiet() -> AsyncIterator[None]:
    try:
        yield
    except BaseException:  # culprit
        pass


async def with_an_object() -> None:
    with Loud():
        async with Quiet():
            await gate
    await gate


async def with_a_generator() -> None:
    async with quiet():
        await gate
    await gate


async def with_a_stack() -> None:
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(contextlib.suppress(asyncio.CancelledError))  # culprit
        await gate
    await gate


async def with_an_object_on_a_stack() -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(Quiet())
        await gate
    await gate


class Worker:
    async def run(self) -> None:
        async def step() -> None:
            await self.turn()

        await step()
        await gate

    async def turn(self) -> None:
        try:
            await gate
        except asyncio.CancelledError:  # culprit
            pass


async def by_one_that_is_decorated() -> None:
    await kept()
    await gate


async def by_one_of_an_object(worker: Worker) -> None:
    await worker.turn()
    await gate


async def by_nobody_that_is_known() -> None:
    try:
        await gate
    except BaseException:
        if gate:
            print("ends")
        raise
    finally:
        print("ends")


kept = keep(swallows)


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        (rather_than_one_that_raises, rather_than_one_that_raises),
        (raised_for_some, raised_for_some),
        (with_an_object, Quiet.__aexit__),
        (with_a_generator, inspect.unwrap(quiet)),
        (with_a_stack, with_a_stack),
        (with_an_object_on_a_stack, Quiet.__aexit__),
        (Worker().run, Worker.turn),
        (by_one_that_is_decorated, swallows),
        (functools.partial(by_one_of_an_object, Worker()), Worker.turn),
    ],
    ids=lambda each: getattr(each, "__name__", "partial"),
)
def test_the_line_is_named(
    body: Callable[[], Coroutine[Any, Any, None]], culprit: Callable[..., Any]
) -> None:
    coroutine = body()
    coroutine.send(None)
    coroutine.throw(asyncio.CancelledError())
    frames, _ = frames_of(coroutine)
    found = swallowing(frames)
    assert found is not None
    assert found.place == line_of(culprit, "# culprit")
    with contextlib.suppress(StopIteration, KeyError):
        coroutine.throw(KeyError())


async def closes_several() -> None:
    try:
        await gate
    except asyncio.CancelledError:
        pass
    finally:
        for _ in range(2):
            await gate


async def suppresses_and_closes() -> None:
    with contextlib.suppress(asyncio.CancelledError, OSError):
        await gate
    await waits_for_several()


async def waits_for_several() -> None:
    while gate:
        await gate


async def begins_again() -> None:
    for _ in range(2):
        try:
            await gate
        except asyncio.CancelledError:
            pass
        await gate


async def goes_on() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await gate
    while gate:
        await gate


async def called_again() -> None:
    for _ in range(2):
        await closes_several()


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (closes_several, True),
        (suppresses_and_closes, True),
        (Worker().run, True),
        (begins_again, False),
        (goes_on, False),
        (called_again, False),
        (rather_than_one_that_raises, False),
        (with_an_object, False),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_one_that_may_clean_up_and_end(body: Callable[[], Coroutine[Any, Any, None]], ending: bool) -> None:
    coroutine = body()
    coroutine.send(None)
    coroutine.throw(asyncio.CancelledError())
    found = swallowing(frames_of(coroutine)[0])
    assert found is not None
    assert found.ending is ending
    with contextlib.suppress(StopIteration, KeyError):
        coroutine.throw(KeyError())


#: As text, since later interpreters warn of it.
LEAVING = {
    "continues": """
    for _ in range(2):
        try:
            await gate
        finally:
            for _ in range(2):
                break
            continue  # culprit
""",
    "returns": """
    await returns()
    await gate

async def returns():
    try:
        await gate
    finally:
        if gate:
            return  # culprit
""",
}


@pytest.mark.parametrize("text", LEAVING.values(), ids=LEAVING)
def test_what_leaves_a_finally_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "leaving.py"
    file.write_text(f"async def leaves():{text}")
    space: dict[str, Any] = {"gate": gate}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        exec(compile(file.read_text(), file, "exec"), space)
        coroutine = space["leaves"]()
        coroutine.send(None)
        coroutine.throw(asyncio.CancelledError())
        found = swallowing(frames_of(coroutine)[0])
    assert found is not None
    assert not found.ending
    place = found.place
    assert place.file == str(file)
    assert "# culprit" in file.read_text().splitlines()[place.line - 1]
    with contextlib.suppress(StopIteration, KeyError):
        coroutine.throw(KeyError())


def test_none_is_named_where_all_raise() -> None:
    coroutine = by_nobody_that_is_known()
    coroutine.send(None)
    frames, _ = frames_of(coroutine)
    assert swallowing(frames) is None
    coroutine.close()
