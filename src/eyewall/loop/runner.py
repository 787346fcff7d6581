"""Generator-based coroutines: `@coroutine` and what drives them.

A coroutine runs in one context (in the sense of context variables), a copy of its caller's, from its first
step to its last. It starts when it is called, and its future is what the caller gets. What it yields is made
a future by `convert_yielded`; while that is done already, the coroutine goes on at once, without a turn of
the loop.

The chain of references is part of the design. A suspended coroutine hangs on the future it waits for and on
its own future, so it lives as long as somebody can complete or read it, and is collected when nobody can. A
finished one holds nothing, so that arguments and exceptions are freed by reference counting alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Generator
from typing import Any, ParamSpec, TypeVar

from eyewall.loop.concurrent import (
    Future,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    outcome,
)
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.yielded import BadYieldError, add_loop_callback, convert_yielded, moment

T = TypeVar("T")
P = ParamSpec("P")


class Return(Exception):
    """Raised in a coroutine to return `value` from it, from the time before `return` could do that."""

    def __init__(self, value: Any = None) -> None:
        super().__init__()
        self.value = value
        # For programs that look at either.
        self.args = (value,)


def coroutine(func: Callable[P, Any]) -> Callable[P, Future[Any]]:
    """Decorates `func`, a generator function, so that it can yield what it waits for, and returns a future.

    A function that turns out not to be a generator is called, and its result is the future's. Exceptions,
    cancellation included, are always the future's and never raised by the call.
    """

    @functools.wraps(func)
    def start(*args: P.args, **kwargs: P.kwargs) -> Future[Any]:
        future: Future[Any] = Future()
        if future._source_traceback:  # type: ignore[attr-defined]
            # In debug mode, a coroutine's future was made where the coroutine was called.
            del future._source_traceback[-1]  # type: ignore[attr-defined]
        ctx_run = contextvars.copy_context().run
        try:
            _first_step(future, ctx_run, func, args, kwargs)
            return future
        finally:
            # The traceback of the future's exception may hold this frame.
            del future

    start.__tornado_coroutine__ = True  # type: ignore[attr-defined]
    return start


def is_coroutine_function(func: Any) -> bool:
    """Whether `func` was decorated with `coroutine`."""
    return getattr(func, "__tornado_coroutine__", False)


def _first_step(
    future: Future[Any], ctx_run: Callable[..., Any], func: Callable[..., Any], args: Any, kwargs: Any
) -> None:
    yielded: Any = None
    try:
        try:
            result = ctx_run(func, *args, **kwargs)
            if not isinstance(result, Generator):
                future.set_result(result)
                return
            yielded = ctx_run(next, result)
        except (StopIteration, Return) as end:
            future.set_result(end.value)
        except asyncio.CancelledError as error:
            _cancel(future, error)
        except Exception as error:  # noqa: BLE001 - it is the future's
            future.set_exception(error)
        else:
            Runner(ctx_run, result, future, yielded)
    finally:
        # As above; and so may what was yielded.
        del future, yielded


def _cancel(future: Future[Any], error: asyncio.CancelledError) -> None:
    future.cancel(*error.args[:1])


class Runner:
    """Drives one generator, `gen`, that has yielded `first_yielded`, and completes `result_future` in the end.
    Each step runs through `ctx_run`, the `run` of its context.
    """

    def __init__(
        self,
        ctx_run: Callable[..., Any],
        gen: Generator[Any, Any, Any],
        result_future: Future[Any],
        first_yielded: Any,
    ) -> None:
        self.ctx_run = ctx_run
        self.gen: Generator[Any, Any, Any] | None = gen
        self.result_future: Future[Any] | None = result_future
        #: What the generator waits for.
        self.future: Any = None
        self.running = False
        self.finished = False
        self.io_loop: IOLoop | None = IOLoop.current()
        # Whoever can still read the result keeps the coroutine alive.
        result_future._eyewall_runner = self  # type: ignore[attr-defined]
        # Tracebacks reach the frames below those that raised, this one among them: it must not hold the
        # future that will hold the exception.
        del result_future, gen
        go_on = ctx_run(self.handle_yield, first_yielded)
        # It may have the exception already that is raised from here on.
        del first_yielded
        if go_on:
            ctx_run(self.run)

    def run(self) -> None:
        """Resumes the generator with what it waited for, again and again while it need not wait."""
        if self.running or self.finished:
            return
        if self.future is None:
            raise RuntimeError("the coroutine waits for nothing")
        self.running = True
        try:
            while self.future.done() and self._step():
                pass
        finally:
            self.running = False

    def handle_yield(self, yielded: Any) -> bool:
        """Takes what the generator yielded. Returns whether it can go on at once."""
        try:
            self.future = convert_yielded(yielded)
        except BadYieldError as error:
            self.future = Future()
            self.future.set_exception(error)
        if self.future is moment:
            self._loop().call_soon(self._resume)
            return False
        if self.future.done():
            return True
        add_loop_callback(self.future, self._resume, self._loop())
        return False

    def handle_exception(self, typ: type[BaseException] | None, value: BaseException | None, tb: Any) -> bool:
        """Resumes the generator with the exception `value` instead of what it waits for; `typ` and `tb` are its
        type and traceback.

        Returns False, and leaves it to the caller, when the generator is running or finished.
        """
        if self.running or self.finished or value is None:
            return False
        self.future = Future()
        future_set_exception_unless_cancelled(self.future, value)
        self.ctx_run(self.run)
        return True

    def _loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[union-attr]
        return loop

    def _resume(self, done: Any = None) -> None:
        # As in the constructor: what is raised from here on may be the future's own exception.
        del done
        self.ctx_run(self.run)

    def _step(self) -> bool:
        """Runs the generator to its next yield. Returns whether it can go on at once."""
        gen = self.gen
        assert gen is not None
        value, error = (None, None) if self.future is moment else outcome(self.future)
        self.future = None
        try:
            try:
                yielded = gen.send(value) if error is None else gen.throw(error)
            except (StopIteration, Return) as end:
                future_set_result_unless_cancelled(self._finish(), end.value)
            except asyncio.CancelledError as end:
                _cancel(self._finish(), end)
            except Exception as end:  # noqa: BLE001 - it is the future's
                future_set_exception_unless_cancelled(self._finish(), end)
            else:
                return self.handle_yield(yielded)
            return False
        finally:
            # A raised exception's traceback holds this frame, which must not hold the exception.
            del error

    def _finish(self) -> Any:
        """Lets go of everything. Returns the future for the result, which may be cancelled by now."""
        future = self.result_future
        assert future is not None
        self.finished = True
        self.gen = self.result_future = self.io_loop = None
        del future._eyewall_runner  # type: ignore[attr-defined]
        return future
