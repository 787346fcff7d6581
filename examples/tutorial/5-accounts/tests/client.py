"""A browser, as far as the tests need one: it keeps cookies and sends forms."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from eyewall.client import (
    AsyncHTTPClient,
    HTTPRequest,
    HTTPResponse,
    WebSocketClientConnection,
    websocket_connect,
)


class Browser:
    def __init__(self, root: str) -> None:
        self.root = root
        self.cookies: dict[str, str] = {}

    async def get(self, path: str) -> HTTPResponse:
        return await self._ask(path)

    async def post(self, path: str, **fields: str) -> HTTPResponse:
        return await self._ask(path, method="POST", body=urlencode(fields))

    async def send(self, page: str, action: str = "", **fields: str) -> HTTPResponse:
        """Fills in the form that is on `page`, and sends it there, or to `action`."""
        found = re.search('name="_xsrf" value="([^"]+)"', (await self.get(page)).body.decode())
        assert found is not None, f"there is no form on {page}"
        return await self.post(action or page, _xsrf=found[1], **fields)

    async def connect(self, path: str) -> WebSocketClientConnection:
        url = self.root.replace("http", "ws", 1) + path
        return await websocket_connect(HTTPRequest(url, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    async def _ask(self, path: str, **kwargs: str) -> HTTPResponse:
        response = await AsyncHTTPClient().fetch(
            self.root + path, raise_error=False, follow_redirects=False, headers=self._headers(), **kwargs
        )
        for line in response.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return response
