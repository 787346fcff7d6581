"""What a process can be told to do. Whoever asks has been asked to confirm it."""

from __future__ import annotations

import asyncio
from typing import Any

from eyewall.base.loggers import gen_log
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.guard.registry import REGISTRIES


def cancel_task(patient: Patient, task: str, name: str) -> dict[str, Any]:
    """Cancels the task with the id `task`, which must have this `name`: ids are used again."""
    for watch in patient.watches():

        def cancel(loop: asyncio.AbstractEventLoop = watch.loop) -> bool:
            for each in asyncio.all_tasks(loop):
                if f"{id(each):x}" == task and each.get_name() == name:
                    gen_log.warning("Cancelling the task %s, as `eyewall` was told", name)
                    return each.cancel()
            return False

        if patient.in_loop(watch.loop, cancel):
            return {"cancelled": name}
    raise ControlError("not-found", f"there is no task {name} any more that could be cancelled")


def close_connection(patient: Patient, connection: str, peer: str, at_once: bool = False) -> dict[str, Any]:
    """Ends what is open with the id `connection` (a connection, request, WebSocket, event stream), and has this `peer`.

    In order, or `at_once`.
    """

    def close() -> str | None:
        for registry in REGISTRIES:
            for entry in registry.entries(peer=peer):
                if f"{id(entry.subject):x}" == connection:
                    gen_log.warning("Ending %s (%s), as `eyewall` was told", entry.label, entry.kind)
                    entry.end(at_once)
                    return entry.kind
        return None

    running = [watch for watch in patient.watches() if watch.loop.is_running()]
    kind = patient.in_loop(running[0].loop, close) if running else None
    if kind is None:
        raise ControlError("not-found", "it is closed already")
    return {"closed": kind}
