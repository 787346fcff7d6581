"""Test cases with a server: `AsyncHTTPTestCase` and, over TLS, `AsyncHTTPSTestCase`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from eyewall.http.server import HTTPServer
from eyewall.testing.asynccase import AsyncTestCase
from eyewall.testing.deadline import get_async_test_timeout
from eyewall.testing.ports import bind_unused_port

if TYPE_CHECKING:
    from eyewall.client.request import HTTPResponse
    from eyewall.client.simple import AsyncHTTPClient

_FOLDER = os.path.dirname(os.path.abspath(__file__))
#: A certificate for localhost and the loopback addresses, signed with its own key. Both are public: for tests only.
CERTIFICATE = os.path.join(_FOLDER, "certificate.pem")
KEY = os.path.join(_FOLDER, "key.pem")


class AsyncHTTPTestCase(AsyncTestCase):
    """Serves the application that `get_app` returns while a test runs, and has a client to ask it.

    A test gets a response with `self.fetch(path)`, or in a `gen_test` with
    `await self.http_client.fetch(self.get_url(path))`.
    """

    http_client: AsyncHTTPClient
    http_server: HTTPServer
    _app: Any

    def setUp(self) -> None:
        super().setUp()
        sock, self._port = bind_unused_port()
        # As long as nobody has taken it; closing is no error afterwards.
        self.addCleanup(sock.close)
        self.http_client = self.get_http_client()
        self.addCleanup(self.http_client.close)
        self._app = self.get_app()
        self.http_server = self.get_http_server()
        self.http_server.add_socket(sock)

    def tearDown(self) -> None:
        self.http_server.stop()
        self.io_loop.run_sync(self.http_server.close_all_connections, timeout=get_async_test_timeout())
        self.http_client.close()
        # unittest keeps test objects to the end of the whole run.
        del self.http_server
        del self._app
        super().tearDown()

    def get_app(self) -> Any:
        """Override it to return what is tested: an `Application` or whatever else an `HTTPServer` serves."""
        raise NotImplementedError

    def get_http_client(self) -> AsyncHTTPClient:
        """Returns the client for a test."""
        # A test of a server alone, with a client that it brings along, needs none.
        from eyewall.client.simple import AsyncHTTPClient

        return AsyncHTTPClient()

    def get_http_server(self) -> HTTPServer:
        """Returns the server for the application; it listens when the test has it."""
        return HTTPServer(self._app, **self.get_httpserver_options())

    def get_httpserver_options(self) -> dict[str, Any]:
        """Override it to return further arguments for the server."""
        return {}

    def get_http_port(self) -> int:
        """Returns the port of the server, another one for each test."""
        return self._port

    def get_protocol(self) -> str:
        """Returns the scheme of the server's URLs."""
        return "http"

    def get_url(self, path: str) -> str:
        """Returns the URL of `path`, which begins with a slash, on the server."""
        return f"{self.get_protocol()}://127.0.0.1:{self.get_http_port()}{path}"

    def fetch(self, path: str, raise_error: bool = False, **kwargs: Any) -> HTTPResponse:
        """Runs the loop until the response to a request is there, and returns it.

        `path` is one on the server, or a whole URL. `kwargs` go to `AsyncHTTPClient.fetch`. With `raise_error`
        a response other than 2xx is raised as HTTPError; other errors always are.
        """
        url = path if path.lower().startswith(("http://", "https://")) else self.get_url(path)

        def ask() -> Any:
            return self.http_client.fetch(url, raise_error=raise_error, **kwargs)

        response: HTTPResponse = self.io_loop.run_sync(ask, timeout=get_async_test_timeout())
        return response


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """The same over TLS, with a client that accepts the certificate without asking who signed it."""

    def get_http_client(self) -> AsyncHTTPClient:
        # As above.
        from eyewall.client.simple import AsyncHTTPClient

        # Not the one that others on this loop share: it does not verify.
        return AsyncHTTPClient(force_instance=True, defaults={"validate_cert": False})

    def get_httpserver_options(self) -> dict[str, Any]:
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any]:
        """Override it to return other `ssl_options` for the server."""
        return AsyncHTTPSTestCase.default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """Returns `ssl_options` with the certificate for tests."""
        return {"certfile": CERTIFICATE, "keyfile": KEY}

    def get_protocol(self) -> str:
        return "https"
