"""Asking for memory: by kind, with growth, and by line."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.control import memory
from eyewall.doctor.control.memory import APART, KEPT, Samples
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.growth.kept import Kept, Remains, remains
from eyewall.doctor.growth.memory import TracingError, memory_in_thread

from ..patient import turns
from .asking import Asked


def test_growth_since_somebody_asked() -> None:
    now = [100.0]
    samples = Samples(lambda: now[0])
    assert samples.growth({"tasks": 5}) == (0.0, {"tasks": 0})
    now[0] += APART / 2
    assert samples.growth({"tasks": 7, "files": 3}) == (APART / 2, {"tasks": 2, "files": 3})
    now[0] += KEPT - APART
    assert samples.growth({"tasks": 9})[1] == {"tasks": 4}
    # The first is forgotten by now.
    now[0] += APART
    assert samples.growth({"tasks": 9})[1] == {"tasks": 0}


def test_samples_are_bounded() -> None:
    now = [0.0]
    samples = Samples(lambda: now[0])
    for _ in range(1000):
        now[0] += APART / 3
        samples.growth({"tasks": 1})
    assert len(samples._samples) <= KEPT / APART + 1


def test_memory(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_samples", Samples())

    async def main() -> None:
        async with Asked() as asked:
            await asked.ask("memory")
            tasks = [asyncio.create_task(asyncio.Event().wait()) for _ in range(20)]
            await turns()
            answer = await asked.ask("memory")
            assert json.loads(json.dumps(answer)) == answer
            assert answer["resident"] > 1_000_000
            [kind] = [each for each in answer["kinds"] if each["name"] == "tasks"]
            assert kind["count"] > 20
            assert kind["grown"] >= 20
            assert {each["name"] for each in answer["kinds"]} >= {"threads", "files", "websockets"}
            assert len(answer["collector"]["generations"]) == 3
            for each in tasks:
                each.cancel()

    run(main())


def test_lines_that_allocate(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytearray] = []

    def sleep(seconds: float) -> None:
        assert seconds == 3.0
        kept.extend(bytearray(1000) for _ in range(300))  # allocates
        # Another one would be in its way.
        with pytest.raises(TracingError):
            memory_in_thread(1.0)

    report = memory_in_thread(3.0, sleep=sleep)
    assert report.growing[0].place.source.endswith("# allocates")
    assert report.growing[0].bytes > 300_000
    assert not tracemalloc.is_tracing()

    monkeypatch.setattr(memory, "memory_in_thread", lambda seconds, lines: report)

    async def main() -> None:
        async with Asked() as asked:
            answer = await asked.ask("memory-sites", seconds=3)
            assert "slower" in answer["cost"]
            assert answer["sites"][0]["bytes"] == report.growing[0].bytes
            assert answer["sites"][0]["place"]["source"].endswith("# allocates")
            for wrong in ({"seconds": 0}, {"seconds": 21}, {"seconds": True}, {"seconds": 1, "lines": 0}):
                with pytest.raises(ControlError) as caught:
                    await asked.ask("memory-sites", **wrong)
                assert caught.value.code == "arguments"

    run(main())


def test_one_at_a_time(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(seconds: float, lines: int) -> None:
        raise TracingError

    monkeypatch.setattr(memory, "memory_in_thread", busy)

    async def main() -> None:
        async with Asked() as asked:
            with pytest.raises(ControlError) as caught:
                await asked.ask("memory-sites")
            assert caught.value.code == "busy"

    run(main())


def test_what_has_ended_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fake:
        def remains(self) -> list[Remains]:
            return [Remains("Chat", "WebSockets", 3, 12.0), Remains("Feed", "WebSockets", 7, 2.0)]

    assert remains() == []
    monkeypatch.setattr("eyewall.doctor.growth.kept._working", {Fake()})
    assert [each.name for each in remains()] == ["Feed", "Chat"]
    assert callable(Kept.remains)
