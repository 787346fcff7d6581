"""A Unix socket as the host of a URL, by way of a resolver that knows what that means; as Jupyter's clients do it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from eyewall.client.errors import InvalidURL
from eyewall.client.simple import SimpleAsyncHTTPClient
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_unix_socket
from eyewall.net.resolver import Resolver
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class UnixResolver(Resolver):
    """Takes the host for a path."""

    def initialize(self) -> None:
        pass

    async def resolve(self, host: str, port: int, family: int = 0) -> Any:
        return [(socket.AF_UNIX, unquote(host))]


class Host(RequestHandler):
    def get(self) -> None:
        self.write(self.request.host)


class Elsewhere(RequestHandler):
    def get(self) -> None:
        self.redirect(self.get_argument("to"))


def test_the_host_is_the_path_of_a_socket(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "A.sock")

    async def main() -> None:
        server = HTTPServer(Application([("/", Host), ("/elsewhere", Elsewhere)]))
        server.add_socket(bind_unix_socket(path))
        host = quote(path, safe="")
        client = SimpleAsyncHTTPClient(force_instance=True, resolver=UnixResolver())
        try:
            response = await client.fetch(f"http://{host}/")
            assert response.body.decode() == host
            for to in ("/", f"http://{host}/"):
                response = await client.fetch(f"http://{host}/elsewhere?to={quote(to, safe='')}")
                assert response.body.decode() == host
            # A server must not lead to any other socket of this machine.
            other = quote(f"http://{host}x/", safe="")
            with pytest.raises(InvalidURL, match="a redirect to another encoded host"):
                await client.fetch(f"http://{host}/elsewhere?to={other}")
        finally:
            client.close()
            server.stop()
            await server.close_all_connections()

    run(main())


def test_without_such_a_resolver_it_is_refused(run: Run) -> None:
    async def main() -> None:
        client = SimpleAsyncHTTPClient(force_instance=True)
        try:
            with pytest.raises(InvalidURL, match="is not the name of a host"):
                await client.fetch("http://%2Ftmp%2FA.sock/")
        finally:
            client.close()

    run(main())
