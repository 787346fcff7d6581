"""One dashboard: who may see it, what it shows, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard.directory import Directory
from eyewall.doctor.dashboard.feed import Feed
from eyewall.doctor.dashboard.gate import Gate

#: Questions from pages that processes are asked at once.
QUESTIONS = 16


class Board:
    """Shows the processes of `directory` to whom `gate` lets in, below `path`, which ends with a slash."""

    def __init__(self, gate: Gate, directory: Directory, path: str = "/", feed: Feed | None = None) -> None:
        self.gate = gate
        self.path = path
        self.feed = Feed(directory) if feed is None else feed
        self._asking = 0

    async def ask(self, pid: int, command: str, arguments: Mapping[str, Any], patience: float) -> Any:
        """Returns a process's answer, over a connection of its own: what is asked each second does not wait for it.

        Raises NoDoctor and ControlError.
        """
        if self._asking >= QUESTIONS:
            raise ControlError("busy", f"{QUESTIONS} questions wait for their answers already")
        source = self.feed.directory.source(pid)
        self._asking += 1
        try:
            return await source.ask(command, arguments, patience)
        finally:
            self._asking -= 1
            # This process is asked by the same threads each second.
            if source is not self.feed.directory.own or not self.feed.asks:
                source.close()
