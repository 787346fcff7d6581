import asyncio
import contextlib
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.profile import NATIVE
from eyewall.http.server import HTTPServer
from eyewall.net.errors import StreamClosedError
from eyewall.web.application import Application
from eyewall.web.sse import Event, EventSourceHandler, broadcast
from tests.conftest import LOOP_KINDS
from tests.waiting import turns, until
from tests.web.serving import ask, head_of, serving


def run(main, kind="asyncio"):
    if kind == "uvloop":
        import uvloop

        return uvloop.run(main())
    return asyncio.run(main())


def parse(text):
    """Reads an event stream the way the standard says browsers do; returns (type, data, id, retry) tuples."""
    events, last_id, retry = [], None, None
    data, kind = [], ""
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line == "":
            if data:
                events.append((kind or "message", "\n".join(data), last_id, retry))
            data, kind = [], ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and value.isdigit():
            retry = int(value)
    return events


# -- events -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs", "encoded"),
    [
        (["hello"], {}, b"data: hello\n\n"),
        ([""], {}, b"data: \n\n"),
        (["a\nb\r\nc\rd\n"], {}, b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        ([b"caf\xc3\xa9"], {}, b"data: caf\xc3\xa9\n\n"),
        ([{"a": [1]}], {}, b'data: {"a": [1]}\n\n'),
        ([["x"]], {}, b'data: ["x"]\n\n'),
        (["x"], {"event": "tick", "id": 7, "retry": 100}, b"event: tick\nid: 7\nretry: 100\ndata: x\n\n"),
        ([], {"id": ""}, b"id: \n\n"),
        ([], {"retry": 0}, b"retry: 0\n\n"),
    ],
)
def test_events(args, kwargs, encoded):
    assert Event(*args, **kwargs).encoded == encoded


@pytest.mark.parametrize("char", ["\n", "\r", "\0"])
@pytest.mark.parametrize("field", ["event", "id"])
def test_fields_can_not_be_ended(field, char):
    with pytest.raises(ValueError, match=f"the {field} of an event"):
        Event("x", **{field: f"a{char}data: injected"})


def test_other_mistakes():
    with pytest.raises(ValueError, match="retry"):
        Event(retry=-1)
    with pytest.raises(UnicodeDecodeError):
        Event(b"\xff")


@given(st.text(), st.text(), st.text(), st.none() | st.integers(0, 10**6))
def test_what_is_sent_is_what_arrives(data, event, id_, retry):
    try:
        encoded = Event(data, event=event, id=id_, retry=retry).encoded.decode("utf-8")
    except (ValueError, UnicodeEncodeError):
        return
    lines = data.replace("\r\n", "\n").replace("\r", "\n")
    assert parse(encoded) == [(event or "message", lines, id_, retry)]


# -- streams ------------------------------------------------------------------------------------------------


class Recorder(EventSourceHandler):
    """Notes what happens to it."""

    log: list[str]

    def initialize(self, log=None):
        self.log = [] if log is None else log

    def on_close(self):
        self.log.append("close")


def test_a_coroutine_streams():
    class Handler(Recorder):
        RETRY = 1500

        async def stream(self, name):
            self.log.append(f"open {name} {self.last_event_id}")
            await self.send("one", event="tick", id=1)
            await self.send({"n": 2}, id=2)

    log = []
    response = ask(
        Application([("/(.*)", Handler, {"log": log})]), ("/x", "GET", {"Last-Event-ID": "\u00e9"})
    )
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in response.headers
    assert parse(response.body.decode()) == [("tick", "one", "1", 1500), ("message", '{"n": 2}', "2", 1500)]
    assert log == ["open x None", "close"]


def test_a_generator_streams():
    class Handler(Recorder):
        async def stream(self):
            try:
                yield "one"
                yield Event("two", id=2)
            finally:
                self.log.append("cleaned up")

    log = []
    response = ask(Application([("/", Handler, {"log": log})]), "/")
    assert parse(response.body.decode()) == [("message", "one", None, None), ("message", "two", "2", None)]
    assert log == ["cleaned up", "close"]


def test_streams_are_not_compressed():
    class Handler(EventSourceHandler):
        async def stream(self):
            await self.send("x" * 5000)

    response = ask(
        Application([("/", Handler)], compress_response=True), ("/", "GET", {"Accept-Encoding": "gzip"})
    )
    assert "Content-Encoding" not in response.headers
    assert response.body == b"data: " + b"x" * 5000 + b"\n\n"


@pytest.mark.parametrize(
    ("value", "id_"),
    [("7", "7"), ("\u00c3\u00a9", "\u00e9"), ("\u00e9", None)],
    ids=["plain", "utf-8", "junk"],
)
def test_last_event_id(value, id_):
    class Handler(EventSourceHandler):
        async def stream(self):
            await self.send(repr(self.last_event_id))

    response = ask(Application([("/", Handler)]), ("/", "GET", {"Last-Event-ID": value}))
    assert parse(response.body.decode())[0][1] == repr(id_)


def test_prepare_may_end_it():
    class Handler(Recorder):
        def prepare(self):
            self.set_status(204)
            self.finish()

    assert ask(Application([("/", Handler)]), "/").status == 204


def test_an_error_in_a_stream(caplog):
    class Handler(Recorder):
        async def stream(self):
            await self.send("one")
            raise ZeroDivisionError

    log = []
    response = ask(Application([("/", Handler, {"log": log})]), "/")
    assert response.raw.startswith(b"HTTP/1.1 200")
    assert not response.whole
    assert "ZeroDivisionError" in caplog.text
    assert log == ["close"]


@contextlib.asynccontextmanager
async def connected(port, path="/"):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head_of(path).replace(b"Connection: close\r\n", b""))
        await reader.readuntil(b"\r\n\r\n")
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class Topic(Recorder):
    """Streams that are sent to from elsewhere."""

    streams: list["Topic"]

    def initialize(self, streams, log):
        super().initialize(log)
        streams.append(self)
        self.streams = streams


async def chunk(reader):
    size = int(await reader.readuntil(b"\r\n"), 16)
    return (await reader.readexactly(size + 2))[:-2]


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_broadcast(kind):
    async def main():
        streams, log = [], []
        app = Application([("/", Topic, {"streams": streams, "log": log})])
        async with serving(app) as port, connected(port) as (one, _), connected(port) as (two, writer):
            assert broadcast(streams, "hello", event="greeting") == 2
            assert [await chunk(one), await chunk(two)] == [b"event: greeting\ndata: hello\n\n"] * 2
            writer.close()
            await until(lambda: log == ["close"])
            assert broadcast(streams, Event("again")) == 1
            assert await chunk(one) == b"data: again\n\n"
            (left,) = [stream for stream in streams if stream.is_open]
            left.close()
            assert await one.readexactly(5) == b"0\r\n\r\n"
            assert log == ["close", "close"]
            assert broadcast(streams, "nobody") == 0
            with pytest.raises(StreamClosedError):
                left.send("too late")

    run(main, kind)


@pytest.mark.parametrize("kind", LOOP_KINDS)
@pytest.mark.parametrize("way", ["coroutine", "generator"])
def test_a_client_that_leaves(kind, way, caplog):
    class Handler(Recorder):
        if way == "coroutine":

            async def stream(self):
                try:
                    await self.send("one")
                    await asyncio.Event().wait()
                finally:
                    self.log.append("cleaned up")
        else:

            async def stream(self):
                try:
                    yield "one"
                    await asyncio.Event().wait()
                finally:
                    self.log.append("cleaned up")

    async def main():
        log = []
        async with serving(Application([("/", Handler, {"log": log})])) as port:
            async with connected(port) as (reader, writer):
                await chunk(reader)
                writer.transport.abort()
                await until(lambda: "close" in log)
            assert log == ["cleaned up", "close"]
        assert log == ["cleaned up", "close"]

    run(main, kind)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def served(app, **options):
    server = HTTPServer(app, **options)
    server.listen(0, "127.0.0.1")
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_a_server_that_drains_ends_its_streams_at_once(kind):
    async def main():
        streams, log = [], []
        server, port = served(Application([("/", Topic, {"streams": streams, "log": log})]))
        async with connected(port) as (reader, writer):
            (stream,) = streams
            await writer.drain()
            draining = asyncio.ensure_future(server.drain(5))
            await turns()
            # Not after some seconds, nor when the wheel looks at it.
            assert not stream.is_open
            assert log == ["close"]
            assert await reader.readexactly(5) == b"0\r\n\r\n"
            assert await draining == 0

    run(main, kind)


def test_a_stream_that_is_opened_while_the_server_drains_sends_the_client_on():
    class Handler(Recorder):
        RETRY = 10

        async def stream(self):
            self.log.append("streaming")

    async def main():
        log = []
        server, port = served(Application([("/", Handler, {"log": log})]))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: server.connections)
        draining = asyncio.ensure_future(server.drain(5))
        await turns()
        writer.write(head_of("/"))
        body = (await reader.read()).partition(b"\r\n\r\n")[2]
        assert b"retry: 10\n" in body
        assert body.endswith(b"0\r\n\r\n")
        assert await draining == 0
        assert log == ["close"]
        writer.close()

    run(main)


def test_a_stream_on_a_connection_that_is_not_kept_goes_on():
    async def main():
        streams, log = [], []
        app = Application([("/", Topic, {"streams": streams, "log": log})])
        server, port = served(app, no_keep_alive=True)
        async with connected(port) as (reader, _):
            (stream,) = streams
            stream.deadline_passed(stream._wheel.now + 1)
            stream.send("x")
            assert await chunk(reader) == b"data: x\n\n"
            stream.close()
        assert await server.drain(5) == 0

    run(main)


def test_a_stream_that_has_ended_is_not_told_to():
    async def main():
        streams, log = [], []
        server, port = served(Application([("/", Topic, {"streams": streams, "log": log})]))
        async with connected(port):
            (connection,) = server.connections
            assert connection.on_leave is not None
            streams[0].close()
            await turns()
            assert connection.on_leave is None
        assert await server.drain(5) == 0

    run(main)


def test_comments_keep_a_quiet_stream_alive():
    async def main():
        streams, log = [], []
        app = Application([("/", Topic, {"streams": streams, "log": log})])
        async with serving(app) as port, connected(port) as (reader, _):
            (stream,) = streams
            start = stream._wheel.now
            stream.deadline_passed(start + stream.HEARTBEAT - 1)
            stream.send("x")
            assert await chunk(reader) == b"data: x\n\n"
            stream.deadline_passed(start + stream.HEARTBEAT)
            assert await chunk(reader) == b":\n\n"
            assert parse(":\n\n") == []
            stream.HEARTBEAT = 0
            stream.deadline_passed(start + 1000)
            stream.send("y")
            assert await chunk(reader) == b"data: y\n\n"

    run(main)


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_who_falls_behind_is_disconnected(kind, caplog):
    profile = NATIVE.replace(sse_unsent_bytes=100_000)

    async def main():
        streams, log = [], []
        app = Application([("/", Topic, {"streams": streams, "log": log})], profile=profile)
        async with serving(app, profile=profile) as port, connected(port):
            (stream,) = streams
            event = Event("x" * 50_000)
            sent = sum(broadcast(streams, event) for _ in range(2000))
            assert 2 <= sent < 2000
            await until(lambda: log == ["close"])
            assert not stream.is_open

    caplog.set_level("INFO")
    run(main, kind)
    assert "behind" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_class_may_state_how_far_behind_its_clients_may_be():
    profile = NATIVE.replace(sse_unsent_bytes=100_000)

    class Patient(Topic):
        UNSENT_BYTES = 50_000_000

    async def main():
        streams, log = [], []
        app = Application([("/", Patient, {"streams": streams, "log": log})], profile=profile)
        async with serving(app, profile=profile) as port, connected(port):
            event = Event("x" * 50_000)
            assert sum(broadcast(streams, event) for _ in range(500)) == 500
            assert streams[0].is_open
            streams[0].break_off()
            await until(lambda: log == ["close"])

    run(main)


@pytest.mark.parametrize("kind", LOOP_KINDS)
def test_awaiting_send_waits_for_the_client(kind):
    class Handler(Recorder):
        async def stream(self):
            for number in range(100):
                await self.send("x" * 100_000)
                self.log.append(number)

    async def main():
        log = []
        async with serving(Application([("/", Handler, {"log": log})])) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
            writer.write(head_of("/"))
            await until(lambda: log)
            before = -1
            while len(log) != before:
                before = len(log)
                await turns()
            assert before < 100
            body = await reader.read(-1)
            assert body.count(b"data: ") == 100
            assert log == [*range(100), "close"]
            writer.close()

    run(main, kind)


def test_sending_before_the_stream_is_open():
    handler = EventSourceHandler.__new__(EventSourceHandler)
    with pytest.raises(RuntimeError, match="not open yet"):
        handler.send("x")
    assert not handler.is_open


def test_a_cancelled_stream_is_cancelled():
    class Handler(Recorder):
        async def stream(self):
            tasks.append(asyncio.current_task())
            await self.send("one")
            await asyncio.Event().wait()

    tasks = []

    async def main():
        log = []
        async with (
            serving(Application([("/", Handler, {"log": log})])) as port,
            connected(port) as (reader, _),
        ):
            await chunk(reader)
            tasks[0].cancel()
            await until(lambda: log == ["close"])
            await until(tasks[0].done)
            assert tasks[0].cancelled()

    run(main)


def test_not_over_a_connection_of_ours():
    """Streams work over any HTTPConnection, without its carrier."""

    class Connection:
        def __init__(self):
            self.written = []

        def write_headers(self, start_line, headers, chunk=None):
            self.written.append(chunk)

        def write(self, chunk):
            future = asyncio.get_running_loop().create_future()
            future.set_result(None)
            self.written.append(chunk)
            return future

        def finish(self):
            self.written.append("end")

    class Handler(EventSourceHandler):
        async def stream(self):
            await self.send("x")

    async def main():
        connection = Connection()
        application = SimpleNamespace(settings={}, log_request=lambda handler: None)
        request = SimpleNamespace(method="GET", connection=connection, headers={})
        handler = Handler(application, request)
        await handler.get()
        handler.finish()
        assert b"data: x\n\n" in connection.written
        assert connection.written[-1] == "end"

    run(main)
