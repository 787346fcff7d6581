"""Lines that hand a coroutine function over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eyewall.doctor.dropped.mentions import mentions_of

from .applications import only_module

TEXT = """
    import functools

    async def refresh():
        loop.call_later(5, refresh)

    async def reads():
        await refresh()

    class Poller:
        def start(self, loop):
            loop.call_later(1, self.poll)
            loop.call_later(2, functools.partial(
                self.twice, 1))

        async def poll(self):
            pass

        async def twice(self, number):
            pass

        async def again(self, loop):
            await self.twice(2)
            loop.call_soon(self.again)
            self.again = None

    def starts(loop):
        def now():
            loop.call_soon(refresh)

        async def within():
            pass

        loop.call_soon(within)
        return now, within

    def elsewhere(within):
        return within
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that is all of the application."""
    return only_module(tmp_path / "shop.py", TEXT, monkeypatch)


def lines(function: Callable[..., Any]) -> list[str]:
    found = mentions_of(function.__code__, ())
    assert all(each.function for each in found)
    return [each.source for each in found]


def test_a_function_that_is_handed_over(shop: Any) -> None:
    assert lines(shop.refresh) == ["loop.call_soon(refresh)"]


def test_a_method(shop: Any) -> None:
    assert lines(shop.Poller.poll) == ["loop.call_later(1, self.poll)"]
    assert lines(shop.Poller.twice) == ["self.twice, 1))"]


def test_its_own_lines_and_those_that_define_it_say_nothing(shop: Any) -> None:
    assert lines(shop.Poller.again) == []
    assert lines(shop.reads) == []


def test_a_function_within_another_one(shop: Any) -> None:
    _, within = shop.starts(type("Loop", (), {"call_soon": lambda *each: None})())
    assert lines(within) == ["loop.call_soon(within)", "return now, within"]
