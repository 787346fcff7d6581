import asyncio
import logging
from types import SimpleNamespace

import pytest

from eyewall.http.asgi import RECEIVE_WINDOW_BYTES, ASGIContainer, LifespanError
from eyewall.http.errors import LocalProtocolError
from eyewall.http.proxy import Trust
from eyewall.net.errors import StreamClosedError

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


class Carrier:
    remote_ip = "127.0.0.1"
    protocol = "http"

    def __init__(self, trust=None):
        self.server = SimpleNamespace(trust=trust)
        self.transport = self
        self.broken = False

    def get_extra_info(self, name):
        return {"peername": ("127.0.0.1", 5000), "sockname": ("127.0.0.1", 80)}[name]

    def break_off(self):
        self.broken = True


class Exchange:
    """The calls that a real one takes, noted."""

    def __init__(self, method="GET", path="/", query="", fields=(), trust=None):
        self.head = SimpleNamespace(
            method=method, target=path, path=path, query=query, minor=1, fields=lambda: list(fields)
        )
        self.carrier = Carrier(trust)
        self.started = False
        self.close_after = False
        self.calls = []
        self.ready = None

    def _drained(self):
        if self.ready is None:
            self.ready = asyncio.get_running_loop().create_future()
            self.ready.set_result(None)
        return self.ready

    def respond(self, status, reason, block, body, length):
        self.started = True
        self.calls.append(("respond", status, reason, block, body, length))

    def start(self, status, reason, block, length, body):
        self.started = True
        self.calls.append(("start", status, reason, block, length, body))
        return self._drained()

    def write(self, body):
        self.calls.append(("write", body))
        return self._drained()

    def finish(self):
        self.calls.append(("finish",))


def run(application, exchange=None, drive=None, **container):
    """Serves one request; `drive(sink)` plays the connection."""
    exchange = exchange or Exchange()

    async def main():
        served = ASGIContainer(application, **container)
        sink = served.begin(exchange)
        if drive is None:
            sink.end()
        else:
            await drive(sink)
        await asyncio.gather(*served.tasks)

    asyncio.run(main())
    return exchange


async def hello(scope, receive, send):
    await send(START)
    await send({"type": "http.response.body", "body": b"Hello"})


def test_a_response_in_one_piece_is_one_write(caplog):
    caplog.set_level(logging.INFO)
    exchange = run(hello)
    ((kind, status, reason, block, body, length),) = exchange.calls
    assert (kind, status, reason, body, length) == ("respond", 200, "OK", b"Hello", 5)
    assert block.startswith(b"content-type: text/plain\r\nDate: ")
    assert block.endswith(b"\r\nServer: Eyewall\r\n")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("tornado.access", "INFO")
    assert record.getMessage().startswith("200 GET / (127.0.0.1) ")


def test_a_response_in_pieces():
    async def application(scope, receive, send):
        await send({**START, "headers": [(b"Date", b"x"), (b"Server", b"y"), (b"Content-Length", b"6")]})
        for piece in (b"one", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    assert run(application).calls == [
        ("start", 200, "OK", b"Date: x\r\nServer: y\r\n", 6, b"one"),
        ("write", b"two"),
        ("write", b""),
        ("finish",),
    ]


@pytest.mark.parametrize(
    ("method", "status", "headers", "body", "expected"),
    [
        ("HEAD", 200, [(b"content-length", b"5")], b"", 5),
        ("HEAD", 200, [], b"", -1),
        ("GET", 304, [(b"content-length", b"5")], b"", 5),
        ("GET", 304, [], b"", -1),
        ("GET", 204, [], b"", -1),
        ("GET", 200, [], b"", 0),
    ],
)
def test_lengths(method, status, headers, body, expected):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    exchange = run(application, Exchange(method))
    assert exchange.calls[0][5] == expected


def test_framing_is_the_servers_business():
    async def application(scope, receive, send):
        headers = [(b"Transfer-Encoding", b"chunked"), (b"Connection", b"Close"), (b"Upgrade", b"x")]
        await send({**START, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    exchange = run(application)
    assert exchange.close_after
    assert exchange.calls[0][3].startswith(b"Date: ")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"a b", b"x")],
        [(b"", b"x")],
        [(b"a\r\nb", b"x")],
        [(b"a", b"x\r\nInjected: y")],
        [(b"a", b"\0")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"1"), (b"content-length", b"1")],
    ],
)
def test_bad_headers_do_not_get_out(headers, caplog):
    errors = []

    async def application(scope, receive, send):
        try:
            await send({**START, "headers": headers})
        except LocalProtocolError as error:
            errors.append(error)
            raise

    exchange = run(application)
    assert exchange.calls[0][1] == 500
    assert len(errors) == 1


async def nothing(scope, receive, send):
    pass


async def boom(scope, receive, send):
    raise ValueError("boom")


async def boom_after_start(scope, receive, send):
    await send(START)
    raise ValueError("boom")


async def start_twice(scope, receive, send):
    await send(START)
    await send(START)


async def body_first(scope, receive, send):
    await send({"type": "http.response.body"})


async def unknown(scope, receive, send):
    await send({"type": "http.response.unknown"})


async def informational(scope, receive, send):
    await send({**START, "status": 100})


async def wrong_length(scope, receive, send):
    await send({**START, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"four"})


@pytest.mark.parametrize(
    "broken",
    [nothing, boom, boom_after_start, start_twice, body_first, unknown, informational, wrong_length],
)
def test_broken_applications_are_answered_with_500(broken, caplog):
    exchange = run(broken)
    ((kind, status, _, block, body, length),) = exchange.calls
    assert (kind, status, body, length) == ("respond", 500, b"500: Internal Server Error", 26)
    assert b"boom" not in block
    assert [record.levelname for record in caplog.records if record.name == "tornado.application"] == [
        "ERROR"
    ]
    assert not exchange.carrier.broken


def test_an_error_in_the_middle_breaks_the_connection_off():
    async def application(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        raise ValueError("boom")

    exchange = run(application)
    assert exchange.calls[-1][0] == "start"
    assert exchange.carrier.broken


def test_nothing_after_the_end(caplog):
    async def application(scope, receive, send):
        await hello(scope, receive, send)
        assert await receive() == {"type": "http.disconnect"}
        await send({"type": "http.response.body", "body": b"more"})

    exchange = run(application)
    assert len(exchange.calls) == 1
    assert any("Uncaught exception" in record.getMessage() for record in caplog.records)


def test_scope():
    scopes = []

    async def application(scope, receive, send):
        scopes.append(scope)
        await hello(scope, receive, send)

    fields = [("Host", "example.com"), ("X-Real-Ip", "9.9.9.9"), ("X-Scheme", "https"), ("X-A", "\xe9")]
    run(application, Exchange("PUT", "/a%20b/%C3%A9", "q=%20", fields), root_path="/mounted")
    run(application, Exchange(fields=fields, trust=Trust()))
    scope = scopes[0]
    assert scope["asgi"]["version"] == "3.0"
    expected = {
        "type": "http", "http_version": "1.1", "method": "PUT", "scheme": "http", "path": "/a b/é",
        "raw_path": b"/a%20b/%C3%A9", "query_string": b"q=%20", "root_path": "/mounted",
        "client": ("127.0.0.1", 5000), "server": ("127.0.0.1", 80), "state": {},
        "headers": [
            (b"host", b"example.com"), (b"x-real-ip", b"9.9.9.9"), (b"x-scheme", b"https"), (b"x-a", b"\xe9"),
        ],
    }  # fmt: skip
    assert {name: scope[name] for name in expected} == expected
    assert (scopes[1]["client"], scopes[1]["scheme"]) == (("9.9.9.9", 0), "https")


def test_receiving():
    messages = []

    async def application(scope, receive, send):
        for _ in range(4):
            messages.append(await receive())
            await asyncio.sleep(0)
        await hello(scope, receive, send)

    async def drive(sink):
        assert sink.data(b"a") is None
        assert sink.data(b"b") is None
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        sink.data(b"c")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        sink.end()
        for _ in range(4):
            await asyncio.sleep(0)
        sink.closed()

    run(application, drive=drive)
    assert messages == [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"c", "more_body": True},
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_an_empty_body_is_said_once():
    messages = []

    async def application(scope, receive, send):
        messages.append(await receive())
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await hello(scope, receive, send)
        messages.append(await waiting)

    run(application)
    assert messages == [
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_an_application_that_does_not_read_pauses_the_client():
    async def application(scope, receive, send):
        await asyncio.sleep(0)
        message = await receive()
        assert len(message["body"]) == RECEIVE_WINDOW_BYTES + 1
        await hello(scope, receive, send)

    async def drive(sink):
        assert sink.data(bytes(RECEIVE_WINDOW_BYTES)) is None
        waiting = sink.data(b"x")
        assert not waiting.done()
        await waiting
        sink.end()

    run(application, drive=drive)


@pytest.mark.parametrize("ending", ["finish", "leave"])
def test_a_paused_client_is_let_go_at_the_end(ending):
    async def application(scope, receive, send):
        if ending == "finish":
            await hello(scope, receive, send)

    async def drive(sink):
        waiting = sink.data(bytes(RECEIVE_WINDOW_BYTES + 1))
        if ending == "leave":
            sink.closed()
        await waiting
        assert sink.data(b"more") is None or ending == "leave"

    run(application, drive=drive)


def test_a_client_that_left(caplog):
    async def application(scope, receive, send):
        await receive()
        assert await receive() == {"type": "http.disconnect"}
        await send(START)

    async def drive(sink):
        sink.data(b"x")
        for _ in range(3):
            await asyncio.sleep(0)
        sink.closed()

    exchange = run(application, drive=drive)
    assert exchange.calls == []
    assert issubclass(StreamClosedError, OSError)
    assert not [record for record in caplog.records if record.name == "tornado.application"]


def test_a_slow_reader_holds_the_application_back():
    order = []

    async def application(scope, receive, send):
        await send(START)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        order.append("sent")
        await send({"type": "http.response.body"})

    exchange = Exchange()

    async def drive(sink):
        exchange.ready = ready = asyncio.get_running_loop().create_future()
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(exchange.calls) == 1
        order.append("drained")
        ready.set_result(None)

    run(application, exchange, drive)
    assert order == ["drained", "sent"]


def test_contexts_and_timeouts_are_those_of_a_task():
    async def application(scope, receive, send):
        assert asyncio.current_task() is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.sleep(10)
        await hello(scope, receive, send)

    assert run(application).calls[0][1] == 200


# -- lifespan -------------------------------------------------------------------------------------------


def test_lifespan():
    log = []

    async def application(scope, receive, send):
        if scope["type"] == "http":
            log.append(dict(scope["state"]))
            scope["state"]["mine"] = True
            return await hello(scope, receive, send)
        for phase in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{phase}"
            scope["state"]["db"] = phase
            log.append(phase)
            await send({"type": f"lifespan.{phase}.complete"})
        log.append("ended")
        return None

    async def main():
        container = ASGIContainer(application)
        await container.startup()
        for _ in range(2):
            container.begin(Exchange()).end()
            await asyncio.gather(*container.tasks)
        await container.shutdown()
        await container.shutdown()

    asyncio.run(main())
    assert log == ["startup", {"db": "startup"}, {"db": "startup"}, "shutdown", "ended"]


@pytest.mark.parametrize("ending", ["raise", "return"])
def test_applications_without_lifespan(ending):
    async def application(scope, receive, send):
        if ending == "raise":
            raise NotImplementedError(scope["type"])

    async def main():
        container = ASGIContainer(application)
        await container.startup()
        await container.shutdown()

    asyncio.run(main())


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
def test_failures_are_reported(phase):
    async def application(scope, receive, send):
        if phase == "shutdown":
            await receive()
            await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": f"lifespan.{phase}.failed", "message": "no database"})

    async def main():
        container = ASGIContainer(application)
        if phase == "shutdown":
            await container.startup()
        with pytest.raises(LifespanError, match="no database"):
            await getattr(container, phase)()

    asyncio.run(main())
