"""Which lines hold ever more memory."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from eyewall.doctor.growth import memory as module
from eyewall.doctor.growth.memory import (
    Allocation,
    MemoryReport,
    TracingError,
    growing,
    memory,
    resident_bytes,
)
from eyewall.doctor.places import Place

from ..lines import line_of

kept: list[object] = []


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    kept.clear()


def leak() -> None:
    kept.append(bytearray(3_000_000))
    kept.append(json.loads("[" + ",".join(["[1.5]"] * 10_000) + "]"))  # here


def test_the_lines_that_hold_more(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(seconds: float) -> None:
        leak()

    monkeypatch.setattr(module, "_wait", wait)

    async def main() -> None:
        report = await memory(0.5)
        first, second = report.growing[:2]
        assert first.place == line_of(leak, "bytearray")
        assert first.bytes >= 3_000_000
        # What a library allocates for a line of the application is that line's.
        assert second.place == line_of(leak, "# here")
        assert report.traced > 3_000_000
        assert "test_memory.py" in str(report)

    run(main())


def test_one_at_a_time(run: Callable[..., None]) -> None:
    async def main() -> None:
        first = asyncio.create_task(memory(0.01))
        while not tracemalloc.is_tracing():
            await asyncio.sleep(0)
        with pytest.raises(TracingError):
            await memory(0.01)
        await first
        assert (await memory(0.01)).seconds == 0.01

    run(main())


def test_a_program_that_traces_itself(run: Callable[..., None]) -> None:
    async def main() -> None:
        tracemalloc.start(1)
        try:
            await memory(0.01)
            assert tracemalloc.is_tracing()
        finally:
            tracemalloc.stop()

    run(main())


def test_a_call_that_is_cancelled(run: Callable[..., None]) -> None:
    async def main() -> None:
        task = asyncio.create_task(memory(100.0))
        while not tracemalloc.is_tracing():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not tracemalloc.is_tracing()

    run(main())


def test_what_makes_no_sense(run: Callable[..., None]) -> None:
    async def main() -> None:
        for seconds, lines in ((0.0, 1), (-1.0, 1), (1e9, 1), (1.0, 0)):
            with pytest.raises(ValueError, match="memory is looked at"):
                await memory(seconds, lines)

    run(main())


def test_what_has_grown() -> None:
    a, b, c = (Place("app.py", line, "") for line in (1, 2, 3))
    assert growing({a: (100, 1), b: (50, 1)}, {a: (90, 1), b: (80, 3), c: (40, 1)}) == [
        Allocation(c, 40, 1, 40),
        Allocation(b, 30, 2, 80),
    ]
    assert str(MemoryReport(1.0, None, 2048, ())) == "Python's objects by +2.0 KiB within 1 s"
    assert str(Allocation(a, 2048, 3, 4096)).startswith("+2.0 KiB in +3 blocks: app.py:1")


def test_how_large_the_process_is() -> None:
    size = resident_bytes()
    assert size is None or size > 1_000_000
