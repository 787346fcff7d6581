"""Each visit starts a periodic callback that is never stopped."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.loop import PeriodicCallback
from eyewall.web import RequestHandler

started: list[PeriodicCallback] = []


def beat() -> None:
    pass


class LiveHandler(RequestHandler):
    def get(self) -> None:
        for _ in range(3):
            periodic = PeriodicCallback(beat, 500)  # finding: timers-pile-up
            periodic.start()
            started.append(periodic)


routes = [("/live", LiveHandler)]


async def press(customers: Customers) -> None:
    while True:
        await customers.get("/live")
        await asyncio.sleep(0.05)


def mend() -> None:
    for periodic in started:
        periodic.stop()
    started.clear()
