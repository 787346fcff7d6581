"""A shop on Eyewall, which `before.py` is on aiohttp. Run it: eyewall run examples/migrating/after.py"""

import hashlib
from typing import Any

from eyewall.base import json_decode
from eyewall.client import AsyncHTTPClient
from eyewall.guard import NATIVE
from eyewall.web import Application, HTTPError, RequestHandler, WebSocketHandler, stream_request_body


class Shop(RequestHandler):
    """What all handlers have in common: what middlewares were for."""

    @property
    def stock(self) -> dict[int, str]:
        stock: dict[int, str] = self.settings["stock"]
        return stock

    def set_default_headers(self) -> None:
        self.set_header("X-Shop", "open")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Errors are JSON."""
        self.finish({"error": status_code})


class Item(Shop):
    def get(self, number: str) -> None:
        name = self.stock.get(int(number))
        if name is None:
            raise HTTPError(404)
        self.write({"number": int(number), "name": name})


class Search(Shop):
    def get(self) -> None:
        words = self.get_query_argument("words", "")
        self.write({"found": [name for name in self.stock.values() if words in name]})


class Add(Shop):
    def post(self) -> None:
        document = json_decode(self.request.body)
        number = len(self.stock) + 1
        self.stock[number] = document["name"]
        self.set_status(201)
        self.set_header("Location", f"/items/{number}")
        self.write({"number": number})


class Basket(Shop):
    def post(self) -> None:
        name = self.get_body_argument("name")
        self.set_cookie("last", name, httponly=True)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(f"one more {name}\n")


class Remote(Shop):
    async def get(self, number: str) -> None:
        # Stands for another service: it asks itself.
        url = f"http://{self.request.host}/items/{number}"
        # A status other than 2xx is an error by itself.
        response = await AsyncHTTPClient().fetch(url, request_timeout=5)
        self.write({"elsewhere": json_decode(response.body)["name"]})


class Listing(Shop):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/csv")
        for number, name in self.stock.items():
            self.write(f"{number},{name}\n")
            await self.flush()


@stream_request_body
class Picture(Shop):
    def prepare(self) -> None:
        self.digest = hashlib.sha256()

    def data_received(self, chunk: bytes) -> None:
        self.digest.update(chunk)

    def put(self) -> None:
        self.write({"sha256": self.digest.hexdigest()})


class Talk(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.write_message(f"you said: {message}")


class Unknown(Shop):
    def prepare(self) -> None:
        raise HTTPError(404)


def make_app() -> Application:
    app = Application(
        [
            (r"/items/(\d+)", Item),
            ("/search", Search),
            ("/items", Add),
            ("/basket", Basket),
            ("/remote/([^/]+)", Remote),
            ("/list.csv", Listing),
            ("/picture", Picture),
            ("/socket", Talk),
        ],
        default_handler_class=Unknown,
        profile=NATIVE.replace(body_bytes=1024 * 1024),
        stock={},
    )

    @app.lifecycle.on_startup("stock")
    async def fill() -> None:
        app.settings["stock"].update({1: "tea", 2: "green tea"})

    @app.lifecycle.on_shutdown("stock")
    async def clear() -> None:
        app.settings["stock"].clear()

    return app
