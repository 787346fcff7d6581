"""The demo in a thread of its own, and a client that keeps cookies as a browser does."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from eyewall.cli.demo.server import run
from eyewall.client import HTTPRequest, WebSocketClientConnection, websocket_connect
from eyewall.net.address import bind_sockets
from tests.conftest import loop_factory

PATIENCE = 20.0


class Site:
    """Serves the demo on a free port, until `close`."""

    def __init__(
        self, kind: str, directory: Path, redis: str | None = None, *, may_break: bool = False
    ) -> None:
        self._sockets = bind_sockets(0, "127.0.0.1")
        self.port: int = self._sockets[0].getsockname()[1]
        self.directory = directory
        self.redis = redis
        self.may_break = may_break
        self._stop = asyncio.Event()
        self._loop = loop_factory(kind)()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                demo = run(
                    self._sockets,
                    self.directory,
                    self._stop,
                    self._ready.set,
                    self.redis,
                    may_break=self.may_break,
                )
                runner.run(demo)
        except BaseException as error:
            self._error = error

    def stop(self) -> None:
        """Begins the end."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)

    def close(self) -> None:
        self.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """A client with cookies. `token` is what pages put into forms, once one was opened."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.token = ""

    def arrive(self) -> Visitor:
        """Opens the first page, as everybody does."""
        page = self.ask("GET", "/").text
        self.token = page.partition('name="xsrf" content="')[2].partition('"')[0]
        assert self.token
        return self

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        encode_chunked: bool = False,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=PATIENCE)
        sent = {**self.fields(), **(headers or {})}
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, sent, encode_chunked=encode_chunked)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        for field in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(field).items():
                self.cookies[name] = morsel.coded_value
        return answer

    def fields(self) -> dict[str, str]:
        """Returns the header fields that go with every request."""
        fields = {"X-XSRFToken": self.token} if self.token else {}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return fields

    async def chat(self, **headers: str) -> WebSocketClientConnection:
        """Opens a WebSocket to the chat."""
        url = f"ws://127.0.0.1:{self.site.port}/chat/socket"
        return await websocket_connect(HTTPRequest(url, headers={**self.fields(), **headers}))


async def heard(socket: WebSocketClientConnection, kind: str | None = None) -> Any:
    """Returns the next message, or the next of a `kind`; None at the end."""
    while True:
        message = await asyncio.wait_for(socket.read_message(), PATIENCE)
        if message is None:
            return None
        decoded = json.loads(message)
        if kind is None or decoded["type"] == kind:
            return decoded


def form_body(*parts: tuple[str, str | None, bytes], boundary: str = "frontier") -> bytes:
    """Returns a form of parts `(name, filename, content)`."""
    body = b""
    for name, filename, content in parts:
        disposition = f'form-data; name="{name}"'
        if filename is not None:
            disposition += f'; filename="{filename}"'
        body += f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


FORM = {"Content-Type": "multipart/form-data; boundary=frontier"}
