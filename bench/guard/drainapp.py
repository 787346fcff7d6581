"""The application of `bench.guard.drain`: requests, WebSockets and jobs that end, and ones that do not."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from eyewall.guard import Deadline, process_drain
from eyewall.guard.lifecycle.drain import EXECUTORS
from eyewall.web import Application, RequestHandler, WebSocketHandler

WORKERS = 50
_never = threading.Event()


class Jobs:
    """A pool of threads that takes part in the drain."""

    name = "jobs"
    phase = EXECUTORS

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS)
        self._running: set[Future[bool]] = set()
        process_drain.join(self)

    def begin(self, seconds: float) -> None:
        """Has a thread wait for so long."""
        job = self._pool.submit(_never.wait, seconds)
        self._running.add(job)
        job.add_done_callback(self._running.discard)

    def pending(self) -> list[str]:
        return ["job: waiting" for _ in list(self._running)]

    async def drain(self, deadline: Deadline) -> Sequence[str] | None:
        jobs = [asyncio.wrap_future(job) for job in list(self._running)]
        if jobs:
            await asyncio.wait(jobs, timeout=deadline.remaining())
        left = self.pending()
        _never.set()
        return left


jobs = Jobs()


class Wait(RequestHandler):
    async def get(self, seconds: str) -> None:
        await asyncio.sleep(float(seconds))
        self.write("done")


class Job(RequestHandler):
    def post(self, seconds: str) -> None:
        jobs.begin(float(seconds))


class Socket(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        """Hears, and says nothing."""


app = Application([(r"/wait/(.*)", Wait), (r"/job/(.*)", Job), (r"/socket", Socket)])


@app.lifecycle.on_shutdown("database")
async def disconnect() -> None:
    await asyncio.sleep(0.01)
