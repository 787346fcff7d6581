"""`AsyncTestCase`: a `unittest.TestCase` with an event loop of its own for each test."""

from __future__ import annotations

import asyncio
import unittest
import warnings
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from eyewall.loop.aioloop import AsyncIOLoop
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.policy import set_current_loop
from eyewall.testing.deadline import get_async_test_timeout

T = TypeVar("T")


def setup_with_context_manager(testcase: unittest.TestCase, cm: AbstractContextManager[T]) -> T:
    """Enters `cm` for the rest of a test of `testcase`, to be left when the test's cleanups run, and returns
    its value.

    The standard library has the same since Python 3.11: `TestCase.enterContext`.
    """
    return testcase.enterContext(cm)


class AsyncTestCase(unittest.TestCase):
    """Gives each test a new loop, `io_loop`, which is the thread's current one meanwhile.

    A test that waits is decorated with `gen_test`; one that only is a generator or coroutine function would do
    nothing, and fails. At the end of a test the tasks that it left are cancelled; what one of them raises then
    is the test's error.

    The older style, `wait` in the test and `stop` in a callback, is deprecated but works.

    `methodName`: of the test, as `unittest.TestCase` takes it.
    """

    io_loop: IOLoop

    def __init__(self, methodName: str = "runTest") -> None:
        super().__init__(methodName)
        self._stopped = False
        self._waiting = False
        self._stop_value: Any = None

    def setUp(self) -> None:
        kind = type(self)
        if kind.get_new_ioloop is not AsyncTestCase.get_new_ioloop:
            warnings.warn("get_new_ioloop is deprecated", DeprecationWarning, stacklevel=2)
        super().setUp()
        self.io_loop = self.get_new_ioloop()
        # Where a subclass's setUp fails, there is no tearDown.
        self.addCleanup(self.io_loop.close, all_fds=True)
        set_current_loop(_asyncio_loop(self.io_loop))

    def tearDown(self) -> None:
        loop = _asyncio_loop(self.io_loop)
        try:
            if not loop.is_closed():
                _end_tasks(loop)
        finally:
            set_current_loop(None)
            # With what the test has registered, so that a failing one does not leave descriptors behind.
            self.io_loop.close(all_fds=True)
            super().tearDown()

    def get_new_ioloop(self) -> IOLoop:
        """Returns the loop for a test. To override this, for a loop that exists, is deprecated."""
        loop: IOLoop = AsyncIOLoop(make_current=False)
        return loop

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Runs the test, as `unittest.TestCase.run` does, and adds to `result`. One object may be run several
        times.
        """
        self._stopped = self._waiting = False
        self._stop_value = None
        return super().run(result)

    def _callTestMethod(self, method: Callable[[], Any]) -> None:
        returned = method()
        if returned is None:
            return
        if isinstance(returned, Coroutine):
            returned.close()
        if isinstance(returned, (Coroutine, Generator)):
            raise TypeError(
                "Generator and coroutine test methods should be decorated with tornado.testing.gen_test"
            )
        raise ValueError(f"Return value from test method ignored: {returned!r}")

    # -- the older style --------------------------------------------------------------------------------

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """Ends the current `wait`, or the next one; it returns the argument, or a dict of the keywords.

        Deprecated: use `gen_test`.
        """
        if _arg is not None and kwargs:
            raise AssertionError("stop takes one positional argument or keywords, not both")
        self._stop_value = kwargs or _arg
        self._stopped = True
        if self._waiting:
            self.io_loop.stop()
            self._waiting = False

    def wait(self, condition: Callable[..., bool] | None = None, timeout: float | None = None) -> Any:
        """Runs the loop until `stop` is called, and with `condition` further until that returns something true.

        Fails the test after `timeout` seconds (see `get_async_test_timeout`). Deprecated: use `gen_test`.
        """
        seconds = get_async_test_timeout() if timeout is None else timeout
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            self.stop()

        if not self._stopped:
            handle = self.io_loop.call_later(seconds, expire) if seconds else None
            try:
                while not expired:
                    self._waiting = True
                    self.io_loop.start()
                    if condition is None or condition():
                        break
            finally:
                self._waiting = False
                if handle is not None:
                    self.io_loop.remove_timeout(handle)
        self._stopped = False
        value, self._stop_value = self._stop_value, None
        if expired:
            self.fail(f"Async operation timed out after {seconds} seconds")
        return value


def _asyncio_loop(io_loop: IOLoop) -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = io_loop.asyncio_loop  # type: ignore[attr-defined]
    return loop


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels what still runs, and raises the first error that comes of it.

    AssertionError names the tasks that do not end in the time a test has.
    """
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        seconds = get_async_test_timeout()
        _, running = loop.run_until_complete(asyncio.wait(tasks, timeout=seconds))
        if running:
            names = ", ".join(sorted(repr(task.get_coro()) for task in running))
            raise AssertionError(f"tasks did not end within {seconds} seconds of their cancellation: {names}")
    loop.run_until_complete(loop.shutdown_asyncgens())
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            raise error
