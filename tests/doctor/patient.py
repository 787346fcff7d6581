"""A loop under watch, whose looks a test orders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding
from eyewall.doctor.watch import Watch


class Patient:
    """The running loop under watch, with a timer that never comes: `look` does what it would."""

    def __init__(self) -> None:
        self.collector = Collector()
        self.watch = Watch(asyncio.get_running_loop(), self.collector, interval=1e6)

    def look(self, times: int = 1) -> list[Finding]:
        """Returns what is known after so many looks."""
        for _ in range(times):
            self.watch.look()
        return self.collector.findings()


@contextmanager
def watched() -> Iterator[Patient]:
    """Watches the running loop."""
    patient = Patient()
    patient.watch.start()
    try:
        yield patient
    finally:
        patient.watch.stop()


def quiet(loop: asyncio.AbstractEventLoop) -> list[dict[str, Any]]:
    """Keeps what asyncio would log."""
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: contexts.append(dict(context)))
    return contexts


async def turns(count: int = 5) -> None:
    """Lets others run."""
    for _ in range(count):
        await asyncio.sleep(0)
