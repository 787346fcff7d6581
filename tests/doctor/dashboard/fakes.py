"""Processes that are none: what they answer is a test's to say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard.directory import Directory


def state(number: int = 0, **other: Any) -> dict[str, Any]:
    """Returns what a process with little in it answers; `number` tells one answer from another."""
    return {
        "process": {"pid": 1, "program": ["app"], "python": "3", "eyewall": "0", "watched": 1.0, "loops": []},
        "memory": number,
        "files": 1,
        "threads": 1,
        "tasks": [],
        "routes": [],
        "open": {"counts": {}, "entries": {}},
        "guard": [],
        "findings": 0,
        **other,
    }


class FakeProcess:
    """A process that answers at once, unless it `hangs`, is `silent` or `gone`. `asked`: what it was."""

    def __init__(self, pid: int, group: int | None = None, title: str = "") -> None:
        self._pid = pid
        self.group = group
        self.title = title
        self.hangs = False
        self.silent = False
        self.gone = False
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.findings: list[dict[str, Any]] = []
        self.mark = 0
        self.points: list[list[float]] = [[1.0, 0.1, 0.5, 2.0, 100]]
        self.answers: dict[str, Any] = {}
        self.closed = 0

    @property
    def pid(self) -> int:
        return self._pid

    async def ask(self, command: str, arguments: Mapping[str, Any], patience: float) -> Any:
        self.asked.append((command, dict(arguments)))
        # Nobody answers within the same turn.
        await asyncio.sleep(0)
        if self.gone:
            raise NoDoctor("no-doctor", f"process {self.pid} has ended")
        if self.silent:
            raise ControlError("silent", "no answer")
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if command == "process":
            return {"pid": self.pid, "title": self.title, "group": self.group, "program": ["app"]}
        if command == "state":
            return state(self.times("state"), findings=self.mark)
        if command == "findings":
            return {"findings": self.findings}
        if command == "history" and command not in self.answers:
            # Times are rounded: the last one comes again.
            return {"points": [each for each in self.points if each[0] >= arguments["since"]]}
        if command not in self.answers:
            raise ControlError("unknown-command", f"there is no command {command!r}")
        if isinstance(self.answers[command], Exception):
            raise self.answers[command]
        return self.answers[command]

    def close(self) -> None:
        self.closed += 1

    def times(self, command: str) -> int:
        """How often it was asked this."""
        return sum(each == command for each, _ in self.asked)


class Machine:
    """Some processes, and what lists them."""

    def __init__(self, *processes: FakeProcess, family: set[int] | None = None) -> None:
        self.processes = {each.pid: each for each in processes}
        self.now = 0.0
        self.directory = Directory(
            family,
            present=lambda: list(self.processes),
            source=self.processes.__getitem__,
            clock=lambda: self.now,
        )
