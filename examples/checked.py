"""Two faults that `eyewall check` finds: a handler that blocks the loop, and WebSockets that stay."""

import time
from typing import ClassVar

from eyewall.web import Application, RequestHandler, WebSocketHandler


def load() -> list[int]:
    """Takes its time."""
    time.sleep(0.1)
    return [1, 2, 3]


class Report(RequestHandler):
    def get(self) -> None:
        self.write({"rows": load()})


class Feed(WebSocketHandler):
    clients: ClassVar[set["Feed"]] = set()

    def open(self, *args: str, **kwargs: str) -> None:
        self.clients.add(self)


app = Application([("/report", Report), ("/feed", Feed)])
