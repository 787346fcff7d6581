"""Everything the demo has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eyewall.cli.demo.breaking.breaker import Breaker
from eyewall.cli.demo.database import Database
from eyewall.cli.demo.guestbook import GuestBook
from eyewall.cli.demo.limits import SAMPLES, SAMPLES_SECONDS
from eyewall.cli.demo.meter import Meter
from eyewall.cli.demo.room import Room
from eyewall.cli.demo.shelf import Shelf
from eyewall.cli.demo.tasks import Tasks
from eyewall.doctor import enabling
from eyewall.guard import Hub, Replay
from eyewall.http.server import HTTPServer

#: The topic of the samples.
NUMBERS = "numbers"
_WELCOME = "Welcome! This page is made on the server, in your language.\nLeave a few words, if you like."


class Demo:
    """What the handlers work with. Its files are in `directory`, which is the caller's to remove.

    `redis` is the URL of a Redis through which several demos share their chat. `may_break`: whether the buttons of the
    page 'Break it' do something; `open_to_all`: whether they do so by other names than those of this machine.
    `dashboard`: the URL of the dashboard that shows this process, empty without one.
    """

    def __init__(
        self,
        directory: Path,
        redis: str | None = None,
        *,
        may_break: bool = False,
        open_to_all: bool = False,
        dashboard: str = "",
    ) -> None:
        self.database = Database(directory / "demo.db")
        self.tasks = Tasks(self.database)
        self.guestbook = GuestBook(self.database)
        self.shelf = Shelf(directory)
        self.room = Room(redis)
        #: The numbers of this process, also when the chat is shared with others.
        self.numbers = Hub("numbers", replay=Replay(messages=SAMPLES, age=SAMPLES_SECONDS))
        #: When the loop may be blocked again.
        self.next_block = 0.0
        self.may_break = may_break
        self.open_to_all = open_to_all
        self.dashboard = dashboard
        self.breaker = Breaker(directory, enabling.findings)
        self.meter = Meter(self._connections, self._publish)
        self._server: HTTPServer | None = None

    async def start(self, server: HTTPServer) -> None:
        """Begins to measure `server`, and makes the first page less empty."""
        self._server = server
        await self.room.hub.start()
        await self.tasks.fill()
        await self.guestbook.add("Eyewall", _WELCOME)
        self.meter.start()

    async def close(self) -> None:
        """Ends what runs, and closes its files."""
        self.meter.stop()
        await self.breaker.close()
        await self.room.hub.close()
        await self.database.close()

    @property
    def watched(self) -> bool:
        """Whether the doctor watches."""
        return enabling.enabled()

    def _connections(self) -> int:
        server = self._server
        return 0 if server is None else len(server.connections) + len(server.others)

    def _publish(self, sample: dict[str, Any]) -> None:
        self.numbers.publish(NUMBERS, sample, event="sample")
