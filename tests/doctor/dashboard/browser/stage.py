"""A dashboard that shows processes which do not exist: what they answer is recorded, and a test may change it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard.application import application
from eyewall.doctor.dashboard.board import Board
from eyewall.doctor.dashboard.directory import Directory
from eyewall.doctor.dashboard.feed import Feed
from eyewall.doctor.dashboard.gate import Gate
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_sockets

from . import recorded

PATIENCE = 20.0
TOKEN = "a token for tests only"
#: Seconds between two states.
INTERVAL = 0.15

Answer = Callable[[int, Mapping[str, Any]], Any]


class Stage:
    """Serves the dashboard on a free port, until `close`. `told`: what processes were told to do."""

    def __init__(self) -> None:
        self._sockets = bind_sockets(0, "127.0.0.1")
        self.port: int = self._sockets[0].getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self.reset()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        """One process, which answers what is recorded. Its clock stands still until `seconds` is set."""
        self.processes: dict[int, dict[str, Any]] = {4711: {"title": "shop:app"}}
        self.seconds = 0.0
        self.changes = 0
        self.told: list[tuple[int, str, Mapping[str, Any]]] = []
        self.asked: list[tuple[int, str, Mapping[str, Any]]] = []
        self.findings = [dict(each) for each in recorded.FINDINGS]
        self.opened = recorded.opened()
        self.answers: dict[str, Answer] = {
            "process": lambda pid, _: {**recorded.state(pid)["process"], **self.processes[pid]},
            "state": self._state,
            "findings": lambda *_: {"findings": self.findings, "left_out": 0},
            "history": lambda _, given: {
                "points": [] if given.get("since") else recorded.points(recorded.START)
            },
            "stacks": lambda pid, _: recorded.stacks(pid),
            "memory": lambda *_: recorded.memory(),
            "memory-sites": lambda *_: recorded.memory_sites(),
            "open": self._open,
            "cancel-task": lambda *_: {"cancelled": "it"},
            "close-connection": lambda *_: {"closed": "it"},
        }

    def fail(self, command: str, error: Exception) -> None:
        """Has a command fail from now on."""

        def answer(pid: int, arguments: Mapping[str, Any]) -> Any:
            raise error

        self.answers[command] = answer

    def find(self, *findings: dict[str, Any]) -> None:
        """What the doctor has found, from now on."""
        self.findings = list(findings)
        self.changes += 1

    def forget(self) -> None:
        """Has the dashboard ask anew who the processes are."""
        asyncio.run_coroutine_threadsafe(self.feed.directory.close(), self._loop).result(PATIENCE)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error

    # -- what processes answer --------------------------------------------------------------------------

    def _state(self, pid: int, arguments: Mapping[str, Any]) -> Any:
        found = recorded.state(pid, self.seconds)
        limit = arguments.get("limit", 1000)
        found["findings"] = self.changes
        found["process"].update(self.processes[pid])
        found["open"] = {
            "counts": {name: len(some) for name, some in self.opened.items()},
            "entries": {name: some[:limit] for name, some in self.opened.items()},
        }
        return found

    def _open(self, pid: int, arguments: Mapping[str, Any]) -> Any:
        entries = self.opened[arguments["registry"]]
        needle = arguments.get("contains", "").casefold()
        found = [
            each
            for each in entries
            if needle in f"{each['label']}\n{each['peer']}\n{each['route']}".casefold()
        ]
        sort = arguments.get("sort", "age")
        found.sort(key=lambda each: each[sort], reverse=sort in ("age", "idle", "bytes_in", "bytes_out"))
        shown = found[: arguments.get("limit", 1000)]
        return {
            "registry": arguments["registry"],
            "total": len(entries),
            "matching": len(found),
            "shown": len(shown),
            "sampled": False,
            "entries": shown,
        }

    # -- the server -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._error = error

    async def _serve(self) -> None:
        directory = Directory(present=lambda: self.processes, source=lambda pid: Recorded(self, pid))
        self.feed = Feed(directory, interval=INTERVAL, wall=self._wall)
        board = Board(Gate(TOKEN), directory, feed=self.feed)
        app = application(board)
        server = HTTPServer(app, profile=app.profile)
        server.add_sockets(self._sockets)
        self._ready.set()
        await self._stop.wait()
        server.stop()
        await server.close_all_connections()

    def _wall(self) -> float:
        self.seconds += INTERVAL
        return recorded.START + self.seconds


class Recorded:
    """A process of the stage."""

    def __init__(self, stage: Stage, pid: int) -> None:
        self._stage = stage
        self._pid = pid

    @property
    def pid(self) -> int:
        return self._pid

    async def ask(self, command: str, arguments: Mapping[str, Any], patience: float) -> Any:
        stage = self._stage
        if self._pid not in stage.processes:
            raise NoDoctor("no-doctor", f"process {self._pid} has ended, or turned its doctor off")
        told = stage.told if command in ("cancel-task", "close-connection") else stage.asked
        told.append((self._pid, command, arguments))
        answer = stage.answers.get(command)
        if answer is None:
            raise ControlError("unknown-command", f"there is no command {command!r}")
        return answer(self._pid, arguments)

    def close(self) -> None:
        """Nothing is open."""
