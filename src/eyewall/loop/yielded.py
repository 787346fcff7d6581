"""What a coroutine may yield, and what becomes of it.

A generator-based coroutine can wait for more than an `await` can: futures of both kinds, awaitables, lists
and dictionaries of all these, and None for one turn of the loop. `convert_yielded` makes a future of any of
them; everything that takes 'a yieldable' goes through it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent import futures
from typing import Any, Final

from eyewall.base.loggers import app_log
from eyewall.loop.concurrent import Future, call_in_loop, is_future, outcome

Exceptions = type[BaseException] | tuple[type[BaseException], ...]


class BadYieldError(Exception):
    """A coroutine yielded something that cannot be waited for."""


class Moment:
    """What `moment` is an instance of: as much of a completed future as needed to stand for one."""

    __slots__ = ()

    def result(self) -> None:
        """There is none."""

    def done(self) -> bool:
        """Always."""
        return True

    def __await__(self) -> Generator[None, None, None]:
        yield

    def __repr__(self) -> str:
        return "<moment>"


#: Yielding this lets the loop run once before the coroutine goes on. So does yielding None.
moment: Final = Moment()


@functools.singledispatch
def _convert(yielded: Any) -> Any:
    """The extensible part: types that are none of ours are registered here."""
    if inspect.isawaitable(yielded):
        return asyncio.ensure_future(yielded)
    raise BadYieldError(f"yielded unknown object {yielded!r}")


def convert_yielded(yielded: Any) -> Any:
    """Returns a future for what a coroutine yielded; coroutines among it are started as tasks.

    Futures are returned as they are, `moment` stands for itself and for None, lists and dictionaries become
    what `multi` makes of them. More types can be added: `convert_yielded.register(type)` decorates a function
    from an object of that type to a future. Raises BadYieldError for what is none of all that.
    """
    if is_future(yielded):
        kind = type(yielded)
        if kind is Future or kind is asyncio.Task:
            return yielded
    elif yielded is None or yielded is moment:
        return moment
    # Registered types come first, even where they are awaitable or iterable themselves.
    converter = _convert.dispatch(type(yielded))
    if converter is not _default:
        return converter(yielded)
    if is_future(yielded):
        return yielded
    if isinstance(yielded, (list, dict)):
        return multi(yielded)
    return _default(yielded)


_default = _convert.dispatch(object)
convert_yielded.register = _convert.register  # type: ignore[attr-defined]
convert_yielded.dispatch = _convert.dispatch  # type: ignore[attr-defined]
# What looks at functions takes it for a `functools.singledispatch`, and expects all of one.
convert_yielded.registry = _convert.registry  # type: ignore[attr-defined]


def multi(children: Iterable[Any] | Mapping[Any, Any], quiet_exceptions: Exceptions = ()) -> Future[Any]:
    """Waits for several yieldables, `children`, at once. The result is a list, or for a dictionary one with the
    same keys.

    All are waited for, also when some fail. The first exception in their order is raised; those behind it are
    logged, unless they are `quiet_exceptions` or cancellations. A cancelled child counts as a failed one: it
    does not cancel the whole.
    """
    return multi_future(children, quiet_exceptions)


def multi_future(
    children: Iterable[Any] | Mapping[Any, Any], quiet_exceptions: Exceptions = ()
) -> Future[Any]:
    """The same as `multi`."""
    keys: list[Any] | None = None
    if isinstance(children, dict):
        keys = list(children)
        children = children.values()
    parts = [convert_yielded(child) for child in children]
    whole: Future[Any] = Future()
    # Distinct: one future may stand in several places.
    waiting = {part for part in parts if not part.done()}

    def part_done(part: Any) -> None:
        waiting.discard(part)
        if not waiting:
            _complete(whole, keys, parts, quiet_exceptions)

    if not waiting:
        _complete(whole, keys, parts, quiet_exceptions)
    for part in tuple(waiting):
        add_loop_callback(part, part_done, whole.get_loop())
    return whole


def _complete(whole: Future[Any], keys: list[Any] | None, parts: list[Any], quiet: Exceptions) -> None:
    results = []
    for part in parts:
        value, error = (None, None) if part is moment else outcome(part)
        results.append(value)
        if error is None:
            continue
        if not whole.done():
            whole.set_exception(error)
        elif not isinstance(error, asyncio.CancelledError) and not isinstance(error, quiet):
            app_log.error("Multiple exceptions in yield list", exc_info=error)
    if not whole.done():
        whole.set_result(results if keys is None else dict(zip(keys, results, strict=True)))
    # A threaded future keeps its callbacks for ever, and with them this list.
    parts.clear()


def add_loop_callback(
    future: Any, callback: Callable[[Any], object], loop: asyncio.AbstractEventLoop
) -> None:
    """Calls `callback` with the pending `future` when it is done, in the thread of `loop`.

    `loop` is the future's own one if it has one. A closed loop calls nothing.
    """
    if isinstance(future, futures.Future):
        future.add_done_callback(lambda done: call_in_loop(loop, callback, done))
    else:
        future.add_done_callback(callback)
