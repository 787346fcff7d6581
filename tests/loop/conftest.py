from __future__ import annotations

import asyncio
import logging
import selectors
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eyewall.loop.aioloop import AsyncIOLoop
from eyewall.loop.ioloop import IOLoop
from tests.conftest import loop_factory


@pytest.fixture
def new_loop(event_loop_kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes a loop of each kind."""
    return loop_factory(event_loop_kind)


@pytest.fixture
def io_loop(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Iterator[IOLoop]:
    """An IOLoop over a loop of each kind, made current."""
    loop = AsyncIOLoop(asyncio_loop=new_loop())
    yield loop
    loop.close()


class ClockSelector(selectors.DefaultSelector):
    """Instead of waiting, turns the clock."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


class ClockLoop(asyncio.SelectorEventLoop):
    """A loop in which time passes only while nothing else is to be done, and then at once."""

    def __init__(self) -> None:
        self.clock = ClockSelector()
        super().__init__(self.clock)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.clock.now


@pytest.fixture
def clock_loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[IOLoop]:
    """A current IOLoop with a fake clock, which `IOLoop.time` shows, too."""
    inner = ClockLoop()
    loop = AsyncIOLoop(asyncio_loop=inner)
    monkeypatch.setattr(type(loop), "time", lambda self: inner.time())
    yield loop
    loop.close()


class Records(logging.Handler):
    """What was logged: `levels` and `messages`, and the records themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    @property
    def errors(self) -> list[Any]:
        return [record.exc_info[1] if record.exc_info else None for record in self.records]


def _records(name: str) -> Iterator[Records]:
    logger = logging.getLogger(name)
    handler = Records()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def app_records() -> Iterator[Records]:
    """What `app_log` was given."""
    yield from _records("tornado.application")


@pytest.fixture
def gen_records() -> Iterator[Records]:
    """What `gen_log` was given."""
    yield from _records("tornado.general")
