"""A WSGI application inside an Eyewall one. Run it: eyewall run examples/mixed.py"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eyewall.http import WSGIContainer
from eyewall.web import Application, FallbackHandler, RequestHandler


def old(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"old: {environ['PATH_INFO']}\n".encode()]


class New(RequestHandler):
    async def get(self) -> None:
        self.write("new\n")


app = Application(
    [
        ("/new", New),
        # Eight of its requests run at once, in threads; without an executor each would block the loop.
        (".*", FallbackHandler, {"fallback": WSGIContainer(old, ThreadPoolExecutor(8))}),
    ]
)
