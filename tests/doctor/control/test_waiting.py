"""Asking who waits for whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.control.protocol import ControlError

from ..patient import turns
from .asking import Asked


def test_waits(run: Callable[..., Any]) -> None:
    async def main() -> None:
        lock = asyncio.Lock()

        async def takes() -> None:
            async with lock:
                await asyncio.Event().wait()

        async with Asked() as asked:
            tasks = [asyncio.create_task(takes(), name=name) for name in ("holder", "waiter")]
            await turns()
            answer = await asked.ask("waits")
            assert json.loads(json.dumps(answer)) == answer
            names = {each["label"]: each for each in answer["nodes"]}
            waiter = names["waiter"]
            assert waiter["kind"] == "task"
            assert waiter["place"]["function"].endswith("takes")
            [edge] = [each for each in answer["edges"] if each["from"] == waiter["id"]]
            assert edge["label"] == "waits for"
            assert {"from": edge["to"], "to": names["holder"]["id"]}.items() <= next(
                each for each in answer["edges"] if each["label"] == "is held by"
            ).items()
            assert answer["circles"] == []
            assert answer["left_out"] == 0
            limited = await asked.ask("waits", limit=1)
            assert len(limited["nodes"]) == 1
            assert limited["left_out"] == len(answer["nodes"]) - 1
            with pytest.raises(ControlError, match="limit"):
                await asked.ask("waits", limit=0)
            for each in tasks:
                each.cancel()

    run(main())
