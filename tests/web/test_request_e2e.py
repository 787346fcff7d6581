"""Whole requests over real sockets, on both loops: the bytes that a client sends and the bytes that it gets."""

import asyncio
import gzip
import json
import zlib

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.http.wsgi import WSGIContainer
from eyewall.web import dispatch
from eyewall.web.application import Application
from eyewall.web.decorators import stream_request_body
from eyewall.web.handler import RequestHandler
from eyewall.web.handlers import FallbackHandler
from eyewall.web.routing import PathMatches, Router, Rule, RuleRouter

from ..waiting import turns
from .serving import connected, conversing, serving

MIB = 1024 * 1024


class Echo(RequestHandler):
    """Answers with what it sees of the request."""

    def get(self, *args):
        request = self.request
        self.write(
            {
                "method": request.method,
                "uri": request.uri,
                "path": request.path,
                "query": request.query,
                "host": request.host,
                "protocol": request.protocol,
                "remote_ip": request.remote_ip,
                "version": request.version,
                "full_url": request.full_url(),
                "body": request.body.decode("latin-1"),
                "args": list(args),
                "encoding": request.headers.get("Content-Encoding"),
                "consumed": request.headers.get("X-Consumed-Content-Encoding"),
            }
        )

    post = put = options = get


ECHO = Application([("/.*", Echo)])


def converse(run, app, talk, **options):
    """Runs `talk(client)` with a client of a server of `app`."""

    async def main():
        async with asyncio.timeout(30), conversing(app, **options) as client:
            return await talk(client)

    return run(main())


def exchange(run, app, *sent, methods=("GET",), **options):
    """Sends bytes, and returns as many responses as there are `methods`."""

    async def talk(client):
        for data in sent:
            await client.send(data)
        return [await client.response(method) for method in methods]

    responses = converse(run, app, talk, **options)
    return responses[0] if len(responses) == 1 else responses


def seen(run, data, app=ECHO, **options):
    """What the handler sees of one request."""
    response = exchange(run, app, data, **options)
    assert response.status == 200, response.raw
    return json.loads(response.body)


# -- the request line and its targets -------------------------------------------------------------------------


def test_origin_form(run):
    request = seen(run, b"GET /a%20b?c=d&e HTTP/1.1\r\nHost: Example.com:81\r\n\r\n")
    assert request["uri"] == "/a%20b?c=d&e"
    assert request["path"] == "/a%20b"
    assert request["query"] == "c=d&e"
    assert request["host"] == "Example.com:81"
    assert request["full_url"] == "http://Example.com:81/a%20b?c=d&e"
    assert request["version"] == "HTTP/1.1"
    assert request["protocol"] == "http"
    assert request["remote_ip"] == "127.0.0.1"


@pytest.mark.parametrize("target", [b"http://example.com/a?b", b"HTTP://example.com/a?b"])
def test_absolute_form(run, target):
    """As clients of a proxy write it: the target's host is the host, and its scheme is not believed."""
    request = seen(run, b"GET " + target + b" HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert (request["uri"], request["path"], request["host"]) == ("/a?b", "/a", "example.com")
    assert request["protocol"] == "http"


def test_absolute_form_does_not_make_a_connection_secure(run):
    response = exchange(run, ECHO, b"GET https://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
    if response.status == 200:
        assert json.loads(response.body)["protocol"] == "http"
    else:
        assert response.status == 400


def test_absolute_form_with_another_host(run):
    response = exchange(run, ECHO, b"GET http://evil.example/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert response.status == 400


def test_options_for_the_server(run):
    """A target that is no path finds no route but one that matches everything."""
    star = Application([(r"(\*)", Echo), ("/", Echo)])
    request = seen(run, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", star)
    assert (request["path"], request["args"]) == ("*", ["*"])
    other = exchange(run, Application([("/", Echo)]), b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    assert other.status == 404
    refused = exchange(run, star, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n")
    assert refused.status == 400


def test_an_old_client(run):
    async def talk(client):
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        return await client.rest()

    raw = converse(run, ECHO, talk)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection:" not in head
    assert json.loads(body)["version"] == "HTTP/1.0"


def test_an_old_client_that_stays(run):
    async def talk(client):
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        first = await client.response()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        return first, await client.rest()

    first, rest = converse(run, ECHO, talk)
    assert first.headers["Connection"] == "Keep-Alive"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_the_application_does_not_see_what_is_malformed(run, data):
    made = []
    app = Application(
        [("/.*", type("Handler", (RequestHandler,), {"initialize": lambda self: made.append(1)}))]
    )

    async def talk(client):
        await client.send(data)
        client.writer.write_eof()
        return await client.rest()

    raw = converse(run, app, talk)
    assert raw == b"" or raw.startswith(b"HTTP/1.1 400 ")
    assert made == []


# -- one connection -------------------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(run):
    class Handler(RequestHandler):
        async def get(self, n):
            for _ in range(5 - int(n)):
                await asyncio.sleep(0)
            self.write(n)

        def post(self, n):
            self.write(n + "!")

        head = get

    requests = b"".join(
        [
            b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            b"HEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"GET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            b"GET /0 HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
    )

    async def talk(client):
        await client.send(requests)
        methods = ["GET", "POST", "HEAD", "POST", "GET", "GET"]
        return [(await client.response(method)).body for method in methods], await client.rest()

    bodies, rest = converse(run, Application([("/([0-9])", Handler)]), talk)
    assert bodies[:5] == [b"0", b"1!", b"", b"3!", b"4"]
    assert b"404" in bodies[5]
    assert rest == b""


@pytest.mark.parametrize("size", [1, 7])
def test_a_request_in_little_pieces(run, size):
    data = (
        b"POST /x?y=z HTTP/1.1\r\nHost: example.com\r\nContent-Length: 10\r\n\r\n0123456789"
        b"GET /next HTTP/1.1\r\nHost: example.com\r\n\r\n"
    )

    async def talk(client):
        for at in range(0, len(data), size):
            await client.send(data[at : at + size])
            await asyncio.sleep(0)
        return [json.loads((await client.response()).body) for _ in range(2)]

    first, second = converse(run, ECHO, talk)
    assert (first["uri"], first["body"]) == ("/x?y=z", "0123456789")
    assert (second["uri"], second["body"]) == ("/next", "")


def test_connection_close(run):
    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return await client.response(), await client.rest()

    response, rest = converse(run, ECHO, talk)
    assert response.headers["Connection"] == "close"
    assert rest == b""


def test_many_connections_at_once(run):
    async def main():
        async with asyncio.timeout(30), serving(ECHO) as port:

            async def one(n):
                async with connected(port) as client:
                    for i in range(3):
                        response = await client.ask("GET", f"/{n}/{i}")
                        assert json.loads(response.body)["path"] == f"/{n}/{i}"

            await asyncio.gather(*(one(n) for n in range(50)))

    run(main())


# -- large contents -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload(run, chunked):
    class Handler(RequestHandler):
        def post(self):
            self.write({"size": len(self.request.body), "crc": zlib.crc32(self.request.body)})

    body = bytes(range(256)) * (3 * MIB // 256) + b"!"
    if chunked:
        pieces = [body[at : at + 70_000] for at in range(0, len(body), 70_000)]
        sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        framing = b"Transfer-Encoding: chunked"
    else:
        sent, framing = body, b"Content-Length: %d" % len(body)
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n"
    response = exchange(run, Application([("/", Handler)]), head + sent)
    assert json.loads(response.body) == {"size": len(body), "crc": zlib.crc32(body)}


def test_a_large_response(run):
    body = bytes(range(256)) * (5 * MIB // 256)

    class Handler(RequestHandler):
        def get(self):
            self.write(body)

        head = get

    async def talk(client):
        first, second = await client.ask("GET", "/"), await client.ask("HEAD", "/")
        return first.body == body, second.headers["Content-Length"], second.body

    assert converse(run, Application([("/", Handler)]), talk) == (True, str(len(body)), b"")


def test_a_slow_reader_holds_the_handler_up(run):
    """What a handler has flushed and the client has not taken is bounded, however much there is to come."""
    total = 64 * MIB
    piece = b"x" * 65536
    state = {"flushed": 0}

    class Handler(RequestHandler):
        async def get(self):
            self.set_header("Content-Length", str(total))
            while state["flushed"] < total:
                self.write(piece)
                await self.flush()
                state["flushed"] += len(piece)

    async def main():
        async with (
            asyncio.timeout(60),
            serving(Application([("/", Handler)])) as port,
            connected(port, limit=65536) as client,
        ):
            client.writer.transport.pause_reading()
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while not state["flushed"]:
                await turns()
            before = -1
            while before != state["flushed"]:
                before = state["flushed"]
                await turns()
            held = state["flushed"]
            client.writer.transport.resume_reading()
            await client.reader.readuntil(b"\r\n\r\n")
            got = 0
            while got < total:
                got += len(await client.reader.read(MIB))
            return held, got

    held, got = run(main())
    assert 0 < held < total // 2
    assert (got, state["flushed"]) == (total, total)


def test_expecting_leave_to_send(run):
    async def talk(client):
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        leave = await client.reader.readuntil(b"\r\n\r\n")
        await client.send(b"abc")
        return leave, json.loads((await client.response()).body)["body"]

    assert converse(run, ECHO, talk) == (b"HTTP/1.1 100 Continue\r\n\r\n", "abc")


@pytest.mark.parametrize("served", ["application", "with ids", "router", "own delegate"])
@pytest.mark.parametrize("allowed", [False, True])
def test_leave_waits_for_prepare(run, allowed, served):
    """A handler that has to look at the head first decides before the client sends anything."""
    gate = {}

    @stream_request_body
    class Handler(RequestHandler):
        async def prepare(self):
            gate["open"] = asyncio.Event()
            await gate["open"].wait()
            if not allowed:
                self.set_status(403)
                self.finish("no")

        def data_received(self, chunk):
            self.chunk = chunk

        def put(self):
            self.write(self.chunk)

    async def talk(client):
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        while not gate:
            await asyncio.sleep(0)
        early = asyncio.ensure_future(client.reader.readuntil(b"\r\n\r\n"))
        await turns()
        assert not early.done()
        gate["open"].set()
        first = await early
        if b"100 Continue" in first:
            await client.send(b"abc")
            return first, (await client.response()).body
        return first, await client.rest()

    app = Application([("/", Handler)], request_ids=served == "with ids")
    if served == "router":
        app = RuleRouter([Rule(PathMatches("/.*"), app)])
    elif served == "own delegate":
        own = Router()
        own.find_handler = app.find_handler
        app = own
    first, body = converse(run, app, talk)
    assert first.startswith(b"HTTP/1.1 100 " if allowed else b"HTTP/1.1 403 ")
    assert body == (b"abc" if allowed else b"no")


# -- compressed requests ----------------------------------------------------------------------------------------


def posted(body, encoding):
    fields = f"Content-Length: {len(body)}\r\nContent-Encoding: {encoding}\r\n"
    return f"POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode() + body


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("GZIP", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("gzip", gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0)),
    ],
)
def test_decompressed(run, encoding, body):
    request = seen(run, posted(body, encoding), decompress_request=True)
    assert (request["body"], request["encoding"], request["consumed"]) == ("hello", None, encoding)


def test_left_as_it_is(run):
    body = gzip.compress(b"hello", mtime=0)
    request = seen(run, posted(body, "gzip"))
    assert (request["body"], request["encoding"]) == (body.decode("latin-1"), "gzip")


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("br", b"hello", 415),
        ("gzip", b"hello", 400),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-1], 400),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"x", 400),
        ("gzip", gzip.compress(bytes(MIB)), 413),
    ],
)
def test_refused(run, encoding, body, status):
    profile = NATIVE.replace(body_bytes=MIB - 1)
    response = exchange(run, ECHO, posted(body, encoding), decompress_request=True, profile=profile)
    assert response.status == status


def test_a_handlers_limit_is_for_what_comes_out(run):
    taken = []

    @stream_request_body
    class Handler(RequestHandler):
        def prepare(self):
            self.request.connection.set_max_body_size(int(self.get_argument("limit")))

        def data_received(self, chunk):
            taken.append(len(chunk))

        def post(self):
            self.write(str(sum(taken)))

    app = Application([("/", Handler)], profile=NATIVE.replace(body_bytes=1000))
    body = gzip.compress(bytes(5000))
    request = posted(body, "gzip").replace(b"POST /", b"POST /?limit=%d")
    assert exchange(run, app, request % 5000, decompress_request=True).body == b"5000"
    taken.clear()
    assert exchange(run, app, request % 4999, decompress_request=True).status == 413


# -- behind a proxy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "remote_ip", "protocol"),
    [
        ("", "127.0.0.1", "http"),
        ("X-Real-Ip: 4.4.4.4", "4.4.4.4", "http"),
        ("X-Forwarded-For: 127.0.0.1, 4.4.4.4", "4.4.4.4", "http"),
        ("X-Forwarded-For: 4.4.4.4, 5.5.5.5", "4.4.4.4", "http"),
        ("X-Real-Ip: nonsense", "127.0.0.1", "http"),
        ("X-Forwarded-Proto: https", "127.0.0.1", "https"),
        ("X-Scheme: gopher", "127.0.0.1", "http"),
    ],
)
def test_what_a_proxy_says(run, fields, remote_ip, protocol):
    data = f"GET / HTTP/1.1\r\nHost: a\r\n{fields}".strip().encode() + b"\r\n\r\n"
    request = seen(run, data, xheaders=True, trusted_downstream=["5.5.5.5"])
    assert (request["remote_ip"], request["protocol"]) == (remote_ip, protocol)
    request = seen(run, data)
    assert (request["remote_ip"], request["protocol"]) == ("127.0.0.1", "http")


def test_a_protocol_by_hand(run):
    assert seen(run, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", protocol="https")["full_url"] == "https://a/"


# -- others that answer -----------------------------------------------------------------------------------------


def wsgi_app(environ, start_response):
    if environ["PATH_INFO"] == "/wsgi/fail":
        raise ZeroDivisionError
    start_response("200 OK", [("X-Wsgi", "yes")])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["wsgi.input"].read()]


def test_wsgi_behind_a_route(run):
    finished = []

    class Fallback(FallbackHandler):
        def on_finish(self):
            finished.append(self.request.path)

    container = WSGIContainer(wsgi_app)
    app = Application([("/wsgi/.*", Fallback, {"fallback": container}), ("/.*", Echo)])

    async def talk(client):
        return [
            await client.ask("GET", "/wsgi/x"),
            await client.ask("POST", "/wsgi/y", body=b"abc"),
            await client.ask("GET", "/echo"),
            await client.ask("GET", "/wsgi/fail"),
        ]

    got, posted_, echoed, failed = converse(run, app, talk)
    assert (got.body, got.headers["X-Wsgi"]) == (b"GET ", "yes")
    assert posted_.body == b"POST abc"
    assert json.loads(echoed.body)["path"] == "/echo"
    assert failed.status == 500
    assert finished == ["/wsgi/x", "/wsgi/y", "/wsgi/fail"]


# -- time -------------------------------------------------------------------------------------------------------


def test_a_body_timeout_of_the_handlers():
    """Set by `connection.set_body_timeout`, in the middle of a connection. Takes as long as the deadlines' clock has
    between two looks."""

    @stream_request_body
    class Handler(RequestHandler):
        def prepare(self):
            self.request.connection.set_body_timeout(0.05)

        def data_received(self, chunk):
            pass

        def put(self):
            self.write("whole")

    async def talk(client):
        first = (await client.ask("PUT", "/", body=b"abc")).body
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 42\r\n\r\n")
        return first, await client.rest()

    first, rest = converse(asyncio.run, Application([("/", Handler)]), talk)
    assert first == b"whole"
    assert rest.startswith(b"HTTP/1.1 408 ")


def test_no_task_is_left():
    assert dispatch.running() == []
