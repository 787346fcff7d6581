"""Asking for the last minutes, and for single requests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from eyewall.doctor.timing.pulse import pulses
from eyewall.doctor.timing.timelines import timelines
from eyewall.web import Application, RequestHandler, accounting

from ...waiting import until
from ...web.serving import fetch, serving
from ..lines import line_of
from .asking import Asked


def test_history(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Asked() as asked:
            assert await asked.ask("history") == {"points": []}
            [pulse] = pulses()
            pulse.history.note(0.25, 0.5, 2.0)
            [point] = (await asked.ask("history"))["points"]
            # With what the loop did itself until then.
            assert point[1] >= 0.25
            assert point[2] > 0.0
            assert point[4] > 1_000_000
            assert await asked.ask("history", since=point[0] + 1.0) == {"points": []}

    run(main())


def test_timelines(run: Callable[..., Any]) -> None:
    accounting.forget()

    async def main() -> None:
        lock = asyncio.Lock()
        await lock.acquire()

        class Takes(RequestHandler):
            async def get(self) -> None:
                async with lock:  # here
                    self.write("taken")

        async with Asked() as asked, serving(Application([("/takes", Takes)])) as port:
            first = await asked.ask("timelines")
            assert (first["counted"], first["requests"], first["left_out"]) == (True, [], 0)
            request = asyncio.create_task(fetch(port, "/takes"))
            await until(lambda: lock._waiters)
            [live] = (await asked.ask("timelines", route="/takes"))["requests"]
            place = line_of(Takes.get, "# here")
            assert (live["method"], live["path"], live["status"], live["live"]) == (
                "GET",
                "/takes",
                None,
                True,
            )
            segment = live["segments"][-1]
            assert segment["phase"] == "waiting"
            assert segment["place"]["line"] == place.line
            assert segment["source"] == place.source
            assert segment["words"].startswith("lock")
            lock.release()
            await request
            answer = await asked.ask("timelines", limit=1)
            [ended] = answer["requests"]
            assert json.loads(json.dumps(answer)) == answer
            assert (ended["id"], ended["status"], ended["live"]) == (live["id"], 200, False)
            assert (await asked.ask("timelines", route="/other"))["requests"] == []
        # With the watch it ends.
        assert timelines.recording == 0.0

    run(main())
    accounting.forget()


def test_a_process_that_counts_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        asked = Asked()
        assert await asked.ask("timelines") == {
            "counted": False,
            "recording": 0.0,
            "left_out": 0,
            "beyond": 0,
            "requests": [],
        }

    run(main())
