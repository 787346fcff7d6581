"""Asking this process as a client does, from a thread."""

from __future__ import annotations

import asyncio
from typing import Any

from eyewall.doctor.collector import Collector
from eyewall.doctor.control.commands import Patient, answer_to
from eyewall.doctor.watch import Watch


class Asked:
    """The running loop under watch, whose looks a test orders, and a thread that asks about it."""

    def __init__(self) -> None:
        self.watch = Watch(asyncio.get_running_loop(), Collector(), interval=1e6)
        self.patient = Patient(self.watch.collector, lambda: [self.watch])

    async def __aenter__(self) -> Asked:
        self.watch.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.watch.stop()

    async def ask(self, command: str, **arguments: Any) -> Any:
        """Returns the answer to a command."""
        return await asyncio.to_thread(answer_to, self.patient, command, arguments)
