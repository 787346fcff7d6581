from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from eyewall.loop import sleep
from eyewall.loop.gen import coroutine, moment
from eyewall.testing import AsyncTestCase, gen_test, get_async_test_timeout
from tests.testing.running import error_of, passes


def test_coroutines_generators_and_functions() -> None:
    ran: list[str] = []

    class Case(AsyncTestCase):
        @gen_test
        async def test_async(self) -> None:
            await asyncio.sleep(0)
            ran.append("async")

        @gen_test
        def test_generator(self) -> Any:
            yield moment
            assert (yield [sleep(0), moment]) == [None, None]
            ran.append("generator")

        @gen_test()
        def test_function(self) -> None:
            ran.append("function")

        @gen_test
        @coroutine
        def test_coroutine(self) -> Any:
            yield moment
            ran.append("coroutine")

        @gen_test
        def test_thread(self) -> Any:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(lambda: ran.append("thread"))

    for name in ("async", "generator", "function", "coroutine", "thread"):
        passes(Case, f"test_{name}")
    assert ran == ["async", "generator", "function", "coroutine", "thread"]


def test_arguments_reach_the_test() -> None:
    class Case(AsyncTestCase):
        @gen_test
        async def helper(self, *args: int, **kwargs: int) -> Any:
            """Says what it got."""
            return args, kwargs

        def test(self) -> None:
            assert self.helper(1, b=2) == ((1,), {"b": 2})
            assert self.helper.__doc__ == "Says what it got."

    passes(Case)


def test_what_it_returns_is_refused() -> None:
    class Case(AsyncTestCase):
        @gen_test
        async def test(self) -> Any:
            return 5

    assert "Return value from test method ignored: 5" in error_of(Case)


def test_errors_are_those_of_the_test() -> None:
    class Case(AsyncTestCase):
        @gen_test
        def test(self) -> Any:
            yield moment
            self.fail("no good")

        @gen_test
        async def test_own_timeout(self) -> None:
            raise TimeoutError("my own")

        @gen_test
        async def test_cancelled(self) -> None:
            raise asyncio.CancelledError

    assert "no good" in error_of(Case)
    assert "TimeoutError: my own" in error_of(Case, "test_own_timeout")
    assert "Cancelled" in error_of(Case, "test_cancelled")


def test_a_timeout_says_where_it_waited() -> None:
    seen: list[type[BaseException]] = []

    class Case(AsyncTestCase):
        @gen_test(timeout=0.02)
        async def test_async(self) -> None:
            await asyncio.Event().wait()

        @gen_test(timeout=0.02)
        def test_generator(self) -> Any:
            try:
                yield sleep(1000)
            except BaseException as error:
                seen.append(type(error))
                raise

        @gen_test(timeout=0.02)
        def test_unmoved(self) -> Any:
            try:
                yield sleep(1000)
            except TimeoutError:
                return

    text = error_of(Case, "test_async")
    assert "TimeoutError: Operation timed out after 0.02 seconds" in text
    assert "await asyncio.Event().wait()" in text
    text = error_of(Case, "test_generator")
    assert "TimeoutError: Operation timed out after 0.02 seconds" in text
    assert "yield sleep(1000)" in text
    assert seen == [TimeoutError]
    assert "TimeoutError" in error_of(Case, "test_unmoved")


def test_the_environment_says_how_long_a_test_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_async_test_timeout() == 5
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "soon")
    assert get_async_test_timeout() == 5
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "0.02")
    assert get_async_test_timeout() == 0.02

    class Case(AsyncTestCase):
        @gen_test
        async def test(self) -> None:
            await asyncio.Event().wait()

        @gen_test(timeout=60)
        async def test_own(self) -> None:
            await asyncio.sleep(0.04)

    monkeypatch.delenv("ASYNC_TEST_TIMEOUT")
    assert "after 0.02 seconds" in error_of(Case)
    passes(Case, "test_own")
