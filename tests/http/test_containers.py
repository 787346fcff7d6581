"""WSGI and ASGI applications behind a real server, on both loops."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import uvloop

from eyewall.http.asgi import ASGIContainer
from eyewall.http.server import HTTPServer
from eyewall.http.wsgi import WSGIContainer

LARGE = b"x" * 300_000


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"one", b"two"])
    if environ["PATH_INFO"] == "/boom":
        raise ValueError("boom")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), b" %d" % len(body)]


async def asgi(scope, receive, send):
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    if scope["path"] == "/boom":
        raise ValueError("boom")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/plain")]})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})
    else:
        await send({"type": "http.response.body", "body": b"%b %d" % (scope["method"].encode(), len(body))})


async def read_response(reader, method):
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head[:-4].split(b"\r\n")[1:])
    if method == "HEAD":
        return head, b""
    if b"Content-Length" in fields:
        return head, await reader.readexactly(int(fields[b"Content-Length"]))
    assert fields[b"Transfer-Encoding"] == b"chunked"
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return head, body


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("kind", ["wsgi", "wsgi in threads", "asgi"])
def test_one_connection_many_requests(run, kind, caplog):
    async def main(container):
        server = HTTPServer(container)
        server.listen(0, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answers = []
        for method, path, body in (
            ("GET", "/", b""),
            ("POST", "/", LARGE),
            ("HEAD", "/", b""),
            ("GET", "/stream", b""),
            ("GET", "/boom", b""),
            ("GET", "/", b""),
        ):
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            head, content = await read_response(reader, method)
            assert b"\r\nDate: " in head
            answers.append((int(head.split()[1]), content))
        writer.close()
        server.stop()
        await server.close_all_connections()
        return answers

    with ThreadPoolExecutor(1) as pool:
        container = {
            "wsgi": lambda: WSGIContainer(wsgi),
            "wsgi in threads": lambda: WSGIContainer(wsgi, pool),
            "asgi": lambda: ASGIContainer(asgi),
        }[kind]()
        assert run(main(container)) == [
            (200, b"GET 0"),
            (200, b"POST 300000"),
            (200, b""),
            (200, b"onetwo"),
            (500, b"500: Internal Server Error"),
            (200, b"GET 0"),
        ]
