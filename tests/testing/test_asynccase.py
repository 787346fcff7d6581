from __future__ import annotations

import asyncio
import contextlib
import logging
import unittest
from collections.abc import Iterator
from typing import Any

import pytest

from eyewall.loop import IOLoop
from eyewall.testing import AsyncTestCase, gen_test, setup_with_context_manager
from tests.testing.running import error_of, outcome, passes


def test_each_test_has_a_loop_of_its_own_which_is_current() -> None:
    loops: list[Any] = []

    class Case(AsyncTestCase):
        def test(self) -> None:
            assert IOLoop.current() is self.io_loop
            loops.append(self.io_loop)

    passes(Case)
    passes(Case)
    assert loops[0] is not loops[1]
    assert all(loop.asyncio_loop.is_closed() for loop in loops)
    assert IOLoop.current(instance=False) is None


def test_stop_ends_wait_and_says_what_it_returns() -> None:
    class Case(AsyncTestCase):
        def test(self) -> None:
            self.io_loop.add_callback(self.stop, 5)
            assert self.wait() == 5
            self.stop(a=1, b=2)
            assert self.wait() == {"a": 1, "b": 2}
            self.stop()
            assert self.wait() is None
            self.stop(1)
            self.stop(2)
            assert self.wait() == 2
            with pytest.raises(AssertionError):
                self.stop(1, a=2)

    passes(Case)


def test_wait_goes_on_until_the_condition_holds() -> None:
    class Case(AsyncTestCase):
        def test(self) -> None:
            seen: list[int] = []

            def step() -> None:
                seen.append(1)
                self.stop(len(seen))
                self.io_loop.add_callback(step)

            self.io_loop.add_callback(step)
            assert self.wait(lambda: len(seen) >= 3) >= 3

    passes(Case)


def test_wait_fails_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Case(AsyncTestCase):
        def test(self) -> None:
            self.wait()

        def test_own(self) -> None:
            self.wait(timeout=0.02)

        def test_never_true(self) -> None:
            self.io_loop.add_callback(self.stop)
            self.wait(lambda: False, timeout=0.03)

    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "0.01")
    assert "Async operation timed out after 0.01 seconds" in error_of(Case)
    assert "Async operation timed out after 0.02 seconds" in error_of(Case, "test_own")
    assert "Async operation timed out after 0.03 seconds" in error_of(Case, "test_never_true")
    assert outcome(Case).failures


def test_the_deadline_of_one_wait_is_not_that_of_the_next() -> None:
    class Case(AsyncTestCase):
        def test(self) -> None:
            self.stop()
            self.wait(timeout=0.001)
            self.io_loop.call_later(0.02, self.stop, "late")
            assert self.wait(timeout=5) == "late"

    passes(Case)


def test_a_test_that_would_do_nothing_fails() -> None:
    class Case(AsyncTestCase):
        async def test_coroutine(self) -> None:
            raise AssertionError

        def test_generator(self) -> Any:
            yield

        def test_value(self) -> Any:
            return 42

        @unittest.skip("not now")
        async def test_skipped(self) -> None:
            raise AssertionError

    for name in ("test_coroutine", "test_generator"):
        assert "should be decorated with tornado.testing.gen_test" in error_of(Case, name)
    assert "Return value from test method ignored: 42" in error_of(Case, "test_value")
    result = outcome(Case, "test_skipped")
    assert (len(result.skipped), result.errors) == (1, [])


def test_tasks_that_are_left_are_cancelled() -> None:
    ended: list[str] = []

    class Case(AsyncTestCase):
        @gen_test
        async def test(self) -> None:
            async def forever() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append("task")

            async def numbers() -> Any:
                try:
                    yield 1
                finally:
                    ended.append("generator")

            self.task = asyncio.ensure_future(forever())
            self.numbers = numbers()
            await anext(self.numbers)

    passes(Case)
    assert ended == ["task", "generator"]


def test_what_they_raise_is_an_error_of_the_test() -> None:
    class Case(AsyncTestCase):
        @gen_test
        async def test(self) -> None:
            async def bad() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    raise LookupError("while ending")

            self.task = asyncio.ensure_future(bad())
            await asyncio.sleep(0)

    assert "LookupError: while ending" in error_of(Case)


def test_a_task_that_does_not_end_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "0.02")

    class Case(AsyncTestCase):
        @gen_test(timeout=5)
        async def test(self) -> None:
            async def stubborn() -> None:
                for _ in range(2):
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.Event().wait()

            self.task = asyncio.ensure_future(stubborn())
            await asyncio.sleep(0)
            # It is not seen a second time: the loop is closed with it.
            self.task._log_destroy_pending = False  # type: ignore[attr-defined]

    text = error_of(Case)
    assert "did not end within 0.02 seconds" in text
    assert "stubborn" in text


def test_a_loop_of_the_programs_own_is_deprecated() -> None:
    class Case(AsyncTestCase):
        def get_new_ioloop(self) -> IOLoop:
            return IOLoop(make_current=False)

        def test(self) -> None:
            pass

    with pytest.warns(DeprecationWarning, match="get_new_ioloop is deprecated"):
        passes(Case)


def test_errors_of_callbacks_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Case(AsyncTestCase):
        def test(self) -> None:
            def fail() -> None:
                raise LookupError

            self.io_loop.add_callback(fail)
            self.io_loop.add_callback(self.stop)
            self.wait()

    with caplog.at_level(logging.ERROR):
        passes(Case)
    assert [record.name for record in caplog.records] == ["tornado.application"]


def test_a_context_lasts_for_the_test() -> None:
    events: list[Any] = []

    @contextlib.contextmanager
    def context() -> Iterator[int]:
        events.append("in")
        yield 5
        events.append("out")

    class Case(AsyncTestCase):
        def setUp(self) -> None:
            events.append(setup_with_context_manager(self, context()))
            super().setUp()

        def test(self) -> None:
            events.append("test")

    passes(Case)
    assert events == ["in", 5, "test", "out"]


def test_a_setup_that_fails_leaves_no_loop_behind() -> None:
    loops: list[Any] = []

    class Case(AsyncTestCase):
        def setUp(self) -> None:
            super().setUp()
            loops.append(self.io_loop)
            raise LookupError

        def test(self) -> None:
            raise AssertionError

    assert "LookupError" in error_of(Case)
    assert loops[0].asyncio_loop.is_closed()
