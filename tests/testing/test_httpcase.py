from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from eyewall.client import AsyncHTTPClient, HTTPError
from eyewall.http import HTTPServer
from eyewall.testing import AsyncHTTPSTestCase, AsyncHTTPTestCase, bind_unused_port, gen_test
from eyewall.testing.httpcase import CERTIFICATE
from eyewall.web import Application, RequestHandler
from tests.testing.running import error_of, passes


class Echo(RequestHandler):
    def get(self) -> None:
        self.write(
            {"scheme": self.request.protocol, "host": self.request.host, "q": self.get_argument("q", "")}
        )

    def post(self) -> None:
        self.set_status(201)
        self.write(self.request.body)


def application() -> Application:
    return Application([("/", Echo)])


class Plain(AsyncHTTPTestCase):
    def get_app(self) -> Any:
        return application()


class Secure(AsyncHTTPSTestCase):
    def get_app(self) -> Any:
        return application()


@pytest.mark.parametrize("base", [Plain, Secure])
def test_the_application_is_served(base: type[AsyncHTTPTestCase]) -> None:
    class Case(base):  # type: ignore[misc, valid-type]
        def test(self) -> None:
            response = self.fetch("/?q=a")
            assert response.code == 200
            assert response.request.url == self.get_url("/?q=a")
            assert response.body.decode() == (
                f'{{"scheme": "{self.get_protocol()}", "host": "127.0.0.1:{self.get_http_port()}", "q": "a"}}'
            )
            assert self.fetch("/", method="POST", body="b").body == b"b"
            assert self.fetch(self.get_url("/")).code == 200
            assert isinstance(self.http_server, HTTPServer)

        @gen_test
        async def test_within_a_coroutine(self) -> None:
            assert (await self.http_client.fetch(self.get_url("/"))).code == 200

    passes(Case)
    passes(Case, "test_within_a_coroutine")


def test_errors_are_responses_unless_they_are_to_be_raised() -> None:
    class Case(Plain):
        def test(self) -> None:
            assert self.fetch("/missing").code == 404
            with pytest.raises(HTTPError) as caught:
                self.fetch("/missing", raise_error=True)
            assert caught.value.code == 404

        def test_nobody_there(self) -> None:
            sock, port = bind_unused_port()
            sock.close()
            with pytest.raises(ConnectionRefusedError):
                self.fetch(f"http://127.0.0.1:{port}/")

    passes(Case)
    passes(Case, "test_nobody_there")


def test_everything_is_let_go_of() -> None:
    kept: list[Any] = []

    class Case(Plain):
        def test(self) -> None:
            self.fetch("/")
            kept.append((self, self.get_http_port()))

    passes(Case)
    ((case, port),) = kept
    assert not hasattr(case, "http_server")
    assert not hasattr(case, "_app")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_parts_can_be_overridden() -> None:
    class Case(Plain):
        def get_http_client(self) -> AsyncHTTPClient:
            return AsyncHTTPClient(force_instance=True, defaults={"user_agent": "mine"})

        def get_httpserver_options(self) -> dict[str, Any]:
            return {"max_body_size": 10}

        def get_app(self) -> Any:
            class Agent(RequestHandler):
                def get(self) -> None:
                    self.write(self.request.headers["User-Agent"])

                def post(self) -> None:
                    self.get()

            return Application([("/", Agent)])

        def test(self) -> None:
            assert self.fetch("/").body == b"mine"
            assert self.fetch("/", method="POST", body="x" * 11).code in (400, 413)

    passes(Case)


def test_an_application_is_needed() -> None:
    class Case(AsyncHTTPTestCase):
        def test(self) -> None:
            pass

    assert "NotImplementedError" in error_of(Case)


def test_the_certificate_is_for_this_machine() -> None:
    class Case(Secure):
        @gen_test
        async def test(self) -> None:
            for name in ("localhost", "127.0.0.1"):
                context = ssl.create_default_context(cafile=CERTIFICATE)
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", self.get_http_port(), ssl=context, server_hostname=name
                )
                writer.close()
                await writer.wait_closed()

    passes(Case)
    assert set(AsyncHTTPSTestCase.default_ssl_options()) == {"certfile", "keyfile"}


def test_ports_are_bound_where_it_is_said() -> None:
    sock, port = bind_unused_port()
    other, other_port = bind_unused_port(reuse_port=True, address="")
    with sock, other:
        assert sock.getsockname() == ("127.0.0.1", port)
        assert other.getsockname() == ("0.0.0.0", other_port)
        with socket.create_connection(("127.0.0.1", port)):
            pass
