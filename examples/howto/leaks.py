"""WebSockets, files and memory that are kept. Run it: eyewall run examples/howto/leaks.py"""

import weakref
from functools import lru_cache

from eyewall import doctor
from eyewall.web import Application, RequestHandler, WebSocketHandler


class Ticker(WebSocketHandler):
    viewers: set["Ticker"] = set()

    def open(self) -> None:
        self.viewers.add(self)


class WeakTicker(WebSocketHandler):
    viewers: weakref.WeakSet["WeakTicker"] = weakref.WeakSet()

    def open(self) -> None:
        self.viewers.add(self)


class Log(RequestHandler):
    opened: list[object] = []

    def get(self) -> None:
        file = open(__file__)  # noqa: SIM115
        self.opened.append(file)
        self.write(file.readline())


pages: dict[str, str] = {}


def page(path: str) -> str:
    if path not in pages:
        pages[path] = f"<h1>{path}</h1>" * 1000
    return pages[path]


@lru_cache(maxsize=1000)
def bounded_page(path: str) -> str:
    return f"<h1>{path}</h1>" * 1000


class Page(RequestHandler):
    def get(self, path: str) -> None:
        self.write(page(path))


class BoundedPage(RequestHandler):
    def get(self, path: str) -> None:
        self.write(bounded_page(path))


class Memory(RequestHandler):
    async def get(self) -> None:
        growth = await doctor.memory(float(self.get_argument("seconds")))
        self.write(f"{growth}\n")


app = Application(
    [
        ("/ticker", Ticker),
        ("/weak", WeakTicker),
        ("/log", Log),
        ("/page/(.*)", Page),
        ("/bounded/(.*)", BoundedPage),
        ("/memory", Memory),
    ]
)
