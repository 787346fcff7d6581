"""The server's numbers, as they come: server-sent events."""

from __future__ import annotations

import asyncio
import time

from eyewall.cli.demo.handlers.base import DemoHandler, JSONHandler, Page, Problem
from eyewall.cli.demo.limits import BLOCK_INTERVAL, BLOCK_SECONDS, SAMPLES, STREAMS
from eyewall.cli.demo.state import NUMBERS
from eyewall.guard import Hub
from eyewall.web import HTTPError, TopicHandler


class Live(Page):
    """The page with the charts."""

    def get(self) -> None:
        self.render("live.html", block=round(BLOCK_SECONDS * 1000))


class Numbers(DemoHandler, TopicHandler):
    """A stream of samples: first those that the client has missed, then each as it is taken.

    A browser that lost its connection says what it has seen last, all by itself.
    """

    TOPICS = (NUMBERS,)
    RECENT = SAMPLES
    RETRY = 2000

    @property
    def hub(self) -> Hub:
        return self.demo.numbers

    def prepare(self) -> None:
        if self.hub.topic(NUMBERS).subscribers >= STREAMS:
            raise HTTPError(503)


class Block(JSONHandler):
    """Waits in two ways. One of them makes everybody else wait as well."""

    async def post(self, where: str) -> None:
        if time.monotonic() < self.demo.next_block:
            raise Problem(429, "Once a second is enough.")
        self.demo.next_block = time.monotonic() + BLOCK_SECONDS + BLOCK_INTERVAL
        if where == "loop":
            # Never do this: it is here to be seen in the chart.
            time.sleep(BLOCK_SECONDS)  # noqa: ASYNC251
        else:
            await asyncio.to_thread(time.sleep, BLOCK_SECONDS)
        self.write({"waited": BLOCK_SECONDS})
