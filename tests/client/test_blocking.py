"""The client for programs without a loop, and the program that prints what it fetches."""

from __future__ import annotations

import asyncio
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from eyewall.client import HTTPClient, HTTPClientError, SimpleAsyncHTTPClient
from eyewall.client.program import main


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"hello"
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_requests_that_block(url: str) -> None:
    with HTTPClient() as client:
        assert client.fetch(url).body == b"hello"
        with pytest.raises(HTTPClientError, match="404"):
            client.fetch(url + "/none")
        assert client.fetch(url + "/none", raise_error=False).code == 404
    client.close()


def test_arguments_are_those_of_the_client() -> None:
    client = HTTPClient(SimpleAsyncHTTPClient, max_clients=3)
    assert client._async_client.max_clients == 3  # type: ignore[attr-defined]
    client.close()
    with pytest.raises(TypeError):
        HTTPClient(SimpleAsyncHTTPClient, nonsense=3)


def test_a_client_that_is_forgotten_says_nothing() -> None:
    program = "from eyewall.client import HTTPClient; f = lambda: None; c = HTTPClient()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout + done.stderr == b""


def test_a_client_may_be_closed_while_another_loop_runs() -> None:
    client = HTTPClient()

    async def main() -> None:
        client.close()

    asyncio.run(main())
    assert client._io_loop.asyncio_loop.is_closed()  # type: ignore[attr-defined]


def test_the_program(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--print_headers", url, url + "/none"])
    main()
    out = capsys.readouterr().out
    assert out.count("hello") == 2
    assert "404 Not Found" in out
    assert "Content-Length: 5" in out
    monkeypatch.setattr(sys, "argv", ["x", "--print_body=false", url, "http://127.0.0.1:1/"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "http://127.0.0.1:1/: " in err
    assert "refused" in err
