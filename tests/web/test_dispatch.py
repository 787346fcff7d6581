"""Handlers as tasks: context, cancellation, streamed content, and clients that leave."""

import asyncio
import contextlib
import contextvars
import gc
import weakref

import pytest

from eyewall.guard.profile import NATIVE, TORNADO
from eyewall.http.errors import RemoteProtocolError
from eyewall.loop import gen
from eyewall.net.errors import StreamClosedError
from eyewall.web import dispatch
from eyewall.web.application import Application
from eyewall.web.decorators import stream_request_body
from eyewall.web.errors import HTTPError
from eyewall.web.handler import RequestHandler

from ..waiting import turns, until
from .serving import connected, conversing, serving

pytestmark = pytest.mark.usefixtures("no_task_left")


@pytest.fixture
def no_task_left():
    yield
    assert dispatch.running() == []


def app_of(members, *, streamed=False, **settings):
    kind = type("Handler", (RequestHandler,), members)
    return Application([("/", stream_request_body(kind) if streamed else kind)], **settings)


def converse(run, app, talk, **options):
    """Runs `talk(client)` with a client of a server of `app`."""

    async def main():
        async with asyncio.timeout(20), conversing(app, **options) as client:
            return await talk(client)

    return run(main())


def got(run, members, **settings):
    """The response to a GET."""
    return converse(run, app_of(members, **settings), lambda client: client.ask("GET", "/"))


# -- what a handler may use ---------------------------------------------------------------------------------


def test_the_task_has_the_name_of_the_path(run):
    async def get(self):
        await asyncio.sleep(0)
        self.write(asyncio.current_task().get_name())

    members = {"get": get}
    response = converse(run, app_of(members), lambda client: client.ask("GET", "/?a=b"))
    assert response.body == b"/"


@pytest.mark.parametrize("suspending", [False, True])
def test_current_task(run, suspending):
    async def get(self):
        first = asyncio.current_task()
        assert isinstance(first, asyncio.Task)
        if suspending:
            await asyncio.sleep(0)
        assert asyncio.current_task() is first
        self.write("x")

    assert got(run, {"get": get}).body == b"x"


def test_no_task_for_a_plain_verb(run):
    def get(self):
        self.write(str(asyncio.current_task()))

    assert got(run, {"get": get}).body == b"None"


@pytest.mark.parametrize("where", ["prepare", "get"])
def test_timeout(run, where):
    async def limited(self):
        try:
            async with asyncio.timeout(0.001):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            self.finish("timed out")

    assert got(run, {where: limited}).body == b"timed out"


def test_timeout_at_once(run):
    async def get(self):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await asyncio.sleep(0)
                await asyncio.sleep(1)
        await asyncio.wait_for(asyncio.sleep(0, "x"), 5)
        self.write("done")

    assert got(run, {"get": get}).body == b"done"


def test_task_group(run):
    async def get(self):
        async def part(n):
            await asyncio.sleep(0)
            return str(n)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part(n)) for n in range(3)]
        self.write("".join(task.result() for task in tasks))

    assert got(run, {"get": get}).body == b"012"


def test_an_error_in_a_task_group(run, caplog):
    async def get(self):
        async def part():
            raise HTTPError(418)

        async with asyncio.TaskGroup() as group:
            group.create_task(part())
            await asyncio.sleep(10)

    assert got(run, {"get": get}).status == 500
    assert "HTTP 418" in caplog.text


def test_requests_wait_for_each_other(run):
    """Handlers run side by side, each on its connection."""
    events = {}

    async def get(self):
        name, other = self.get_argument("name"), self.get_argument("other")
        events.setdefault(name, asyncio.Event()).set()
        await events.setdefault(other, asyncio.Event()).wait()
        self.write(name)

    async def main():
        async with serving(app_of({"get": get})) as port, connected(port) as one, connected(port) as two:
            responses = await asyncio.gather(
                one.ask("GET", "/?name=1&other=2"), two.ask("GET", "/?name=2&other=1")
            )
            return [response.body for response in responses]

    assert run(main()) == [b"1", b"2"]


# -- context --------------------------------------------------------------------------------------------------

VAR: contextvars.ContextVar[str] = contextvars.ContextVar("VAR", default="unset")


def set_sync(self):
    seen = VAR.get()
    VAR.set(seen + "!")


async def set_async(self):
    await asyncio.sleep(0)
    set_sync(self)


async def set_prompt(self):
    set_sync(self)


def get_sync(self):
    self.write(VAR.get())


async def get_async(self):
    await asyncio.sleep(0)
    self.write(VAR.get())


@gen.coroutine
def get_coroutine(self):
    yield asyncio.sleep(0)
    self.write(VAR.get())


@pytest.mark.parametrize("verb", [get_sync, get_async, get_coroutine])
@pytest.mark.parametrize("prepare", [set_sync, set_async, set_prompt])
def test_what_prepare_sets_is_seen_by_the_verb_and_by_nobody_else(run, prepare, verb):
    async def talk(client):
        bodies = [(await client.ask("GET", "/")).body for _ in range(3)]
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        return [*bodies, (await client.response()).body, (await client.response()).body, VAR.get()]

    assert converse(run, app_of({"prepare": prepare, "get": verb}), talk) == [b"unset!"] * 5 + ["unset"]


@pytest.mark.parametrize("verb", [get_sync, get_async])
def test_more_requests_than_are_read_at_once(run, verb):
    """Reading pauses, and goes on, while a handler runs; it must not go on in that handler's context."""
    count = 3 * NATIVE.pipelined_requests + 1

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * count)
        bodies = [(await client.response()).body for _ in range(count)]
        return bodies, (await client.ask("GET", "/")).body

    bodies, last = converse(run, app_of({"prepare": set_async, "get": verb}), talk)
    assert bodies == [b"unset!"] * count
    assert last == b"unset!"


def test_the_constructor_and_the_end_share_the_context(run):
    seen = []

    def initialize(self):
        VAR.set("mine")

    def on_finish(self):
        seen.append(VAR.get())

    assert got(run, {"initialize": initialize, "get": get_async, "on_finish": on_finish}).body == b"mine"
    assert seen == ["mine"]


@pytest.mark.parametrize("kind", ["sync", "async", "prompt"])
def test_the_context_of_streamed_content(run, kind):
    """What `prepare` has set is seen by `data_received`, whatever it is, and by the verb."""
    seen = []

    def data_sync(self, chunk):
        seen.append(VAR.get())

    async def data_async(self, chunk):
        if kind == "async":
            await asyncio.sleep(0)
        seen.append(VAR.get())

    members = {
        "prepare": set_async,
        "data_received": data_sync if kind == "sync" else data_async,
        "post": get_async,
    }
    app = app_of(members, streamed=True)
    response = converse(run, app, lambda client: client.ask("POST", "/", body=b"x"))
    assert response.body == b"unset!"
    assert seen == ["unset!"]


def test_the_context_when_the_client_leaves(run):
    seen = []

    def initialize(self):
        VAR.set("mine")

    async def get(self):
        seen.append("get")
        await asyncio.sleep(0)
        await until(lambda: "left mine" in seen)

    def on_connection_close(self):
        seen.append("left " + VAR.get())

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: seen)
        client.abort()
        await until(lambda: len(seen) > 1 and not dispatch.running())

    members = {"initialize": initialize, "get": get, "on_connection_close": on_connection_close}
    converse(run, app_of(members), talk)
    assert seen == ["get", "left mine"]


# -- cancellation -----------------------------------------------------------------------------------------------


def cancelled():
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    return future


async def await_cancelled(self):
    await cancelled()


async def await_cancelled_later(self):
    await asyncio.sleep(0)
    await cancelled()


@gen.coroutine
def yield_cancelled(self):
    yield cancelled()


def return_cancelled(self):
    return cancelled()


def look_at_cancelled(self):
    cancelled().result()


@pytest.mark.parametrize("where", ["prepare", "get"])
@pytest.mark.parametrize(
    "verb",
    [await_cancelled, await_cancelled_later, yield_cancelled, return_cancelled, look_at_cancelled],
)
def test_waiting_for_what_was_cancelled_is_an_ordinary_error(run, where, verb, caplog):
    assert got(run, {where: verb}).status == 500
    assert "Uncaught exception" in caplog.text
    assert "CancelledError" in caplog.text


@pytest.mark.parametrize("where", ["prepare", "get"])
def test_cancelling_the_requests_own_task(run, where, caplog):
    """The client gets 500, nobody is told of an error, and the task ends cancelled."""
    tasks = []

    async def waiting(self):
        tasks.append(asyncio.current_task())
        await asyncio.get_running_loop().create_future()

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: tasks)
        tasks[0].cancel()
        response = await client.response()
        await asyncio.wait(tasks)
        return response.status, tasks[0].cancelled()

    assert converse(run, app_of({where: waiting}), talk) == (500, True)
    assert not [record for record in caplog.records if record.name == "tornado.application"]


@pytest.mark.parametrize("profile", [NATIVE, TORNADO], ids=["native", "tornado"])
def test_cancelling_it_in_the_middle_of_the_response(run, profile):
    tasks = []

    async def get(self):
        self.write("half")
        await self.flush()
        tasks.append(asyncio.current_task())
        await asyncio.get_running_loop().create_future()

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await until(lambda: tasks)
        tasks[0].cancel()
        raw = await client.rest()
        await asyncio.wait(tasks)
        return raw, tasks[0].cancelled()

    raw, was_cancelled = converse(run, app_of({"get": get}, profile=profile), talk)
    assert was_cancelled
    assert raw.endswith(b"0\r\n\r\n") is (profile is TORNADO)


def test_cancelling_it_while_its_answer_fails(run, caplog):
    tasks = []

    async def get(self):
        tasks.append(asyncio.current_task())
        await asyncio.get_running_loop().create_future()

    def send_error(self, *args, **kwargs):
        RequestHandler.send_error(self, *args, **kwargs)
        raise ZeroDivisionError

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: tasks)
        tasks[0].cancel()
        response = await client.response()
        await asyncio.wait(tasks)
        return response.status, tasks[0].cancelled()

    assert converse(run, app_of({"get": get, "send_error": send_error}), talk) == (500, True)
    assert "Uncaught exception while a cancelled request was answered" in caplog.text


def test_a_handler_may_resist(run):
    tasks = []

    async def get(self):
        tasks.append(asyncio.current_task())
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()
        await asyncio.sleep(0)
        self.write("still here")

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: tasks)
        tasks[0].cancel()
        return (await client.response()).body

    assert converse(run, app_of({"get": get}), talk) == b"still here"


# -- clients that leave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("politely", [False, True])
@pytest.mark.parametrize("where", ["prepare", "get"])
def test_a_client_that_leaves_is_told_once(run, where, politely, caplog):
    """What the handler has begun goes on; that nobody gets its answer is no error."""
    calls = []
    gate = {}

    async def waiting(self):
        gate["open"] = asyncio.Event()
        calls.append("waiting")
        await gate["open"].wait()
        self.finish("for nobody")
        calls.append("finished")

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: calls)
        if politely:
            client.writer.close()
        else:
            client.abort()
        await until(lambda: len(calls) > 1)
        gate["open"].set()
        await until(lambda: not dispatch.running())

    members = {
        where: waiting,
        "on_connection_close": lambda self: calls.append("on_connection_close"),
        "on_finish": lambda self: calls.append("on_finish"),
    }
    converse(run, app_of(members), talk)
    assert calls == ["waiting", "on_connection_close", "on_finish", "finished"]
    assert not [record for record in caplog.records if record.name == "tornado.application"]


def test_nobody_is_told_of_a_client_that_leaves_after_its_response(run):
    calls = []

    async def talk(client):
        response = await client.ask("GET", "/")
        client.abort()
        await turns()
        return response.body

    members = {
        "get": lambda self: self.write("x"),
        "on_connection_close": lambda self: calls.append("on_connection_close"),
    }
    assert converse(run, app_of(members), talk) == b"x"
    assert calls == []


def test_writing_to_a_client_that_has_left(run, caplog):
    """A handler that waits for its pieces to be taken is told; that is no error of the application's."""
    calls = []

    async def get(self):
        calls.append("get")
        try:
            while True:
                self.write(b"x" * 65536)
                await self.flush()
        except StreamClosedError:
            calls.append("StreamClosedError")
            raise

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: calls)
        client.abort()
        await until(lambda: not dispatch.running())

    members = {
        "get": get,
        "on_connection_close": lambda self: calls.append("on_connection_close"),
        "on_finish": lambda self: calls.append("on_finish"),
    }
    converse(run, app_of(members), talk)
    assert calls == ["get", "on_connection_close", "StreamClosedError", "on_finish"]
    assert "Uncaught exception" not in caplog.text
    assert "Cannot send error response" not in caplog.text


def test_a_closed_stream_of_somebody_else_is_an_error(run, caplog):
    def get(self):
        raise StreamClosedError

    assert got(run, {"get": get}).status == 500
    assert "StreamClosedError" in caplog.text


def test_an_error_in_on_connection_close(run, caplog):
    calls = []

    async def get(self):
        calls.append("get")
        await until(lambda: len(calls) > 1)

    def on_connection_close(self):
        calls.append("left")
        raise ZeroDivisionError

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: calls)
        client.abort()
        await until(lambda: len(calls) > 1 and not dispatch.running())

    converse(run, app_of({"get": get, "on_connection_close": on_connection_close}), talk)
    assert "ZeroDivisionError" in caplog.text


def test_finishing_when_the_client_leaves(run):
    calls = []

    async def get(self):
        calls.append("get")
        await until(lambda: len(calls) > 1)

    def on_connection_close(self):
        calls.append("left")
        self.finish("closed")

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: calls)
        client.abort()
        await until(lambda: len(calls) > 1 and not dispatch.running())

    converse(run, app_of({"get": get, "on_connection_close": on_connection_close}), talk)
    assert calls == ["get", "left"]


def test_what_was_pipelined_behind_is_dropped(run):
    calls = []

    async def get(self):
        calls.append("get")
        await asyncio.sleep(0)
        await until(lambda: "left" in calls)

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        await until(lambda: calls)
        client.abort()
        await until(lambda: not dispatch.running())

    members = {"get": get, "on_connection_close": lambda self: calls.append("left")}
    converse(run, app_of(members), talk)
    assert calls == ["get", "left"]


# -- streamed content ---------------------------------------------------------------------------------------------


class Streaming(RequestHandler):
    """Writes down what is called. `calls` is the test's."""

    def initialize(self, calls):
        self.calls = calls

    def prepare(self):
        self.calls.append("prepare")

    def data_received(self, chunk):
        self.calls.append(chunk)

    def post(self):
        self.calls.append("post")
        self.write("done")

    def on_finish(self):
        self.calls.append("on_finish")

    def on_connection_close(self):
        self.calls.append("on_connection_close")


def streamed(members, **settings):
    """The calls, and an application that streams to a handler with `members`."""
    calls = []
    kind = stream_request_body(type("Handler", (Streaming,), members))
    return calls, Application([("/", kind, {"calls": calls})], **settings)


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"


def test_content_comes_as_it_is_sent(run):
    calls, app = streamed({})

    async def talk(client):
        await client.send(HEAD + b"Content-Length: 6\r\n\r\n")
        await until(lambda: calls == ["prepare"])
        await client.send(b"abc")
        await until(lambda: calls == ["prepare", b"abc"])
        await client.send(b"def")
        return (await client.response()).body

    assert converse(run, app, talk) == b"done"
    assert calls == ["prepare", b"abc", b"def", "post", "on_finish"]


def test_chunks(run):
    calls, app = streamed({})

    async def talk(client):
        await client.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await until(lambda: len(calls) == 2)
        await client.send(b"3\r\ndef\r\n0\r\n\r\n")
        return (await client.response()).body

    assert converse(run, app, talk) == b"done"
    assert calls == ["prepare", b"abc", b"def", "post", "on_finish"]


@pytest.mark.parametrize("fields", [b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_no_content(run, fields):
    calls, app = streamed({})

    async def talk(client):
        await client.send(HEAD + fields + b"\r\n" + (b"0\r\n\r\n" if b"chunked" in fields else b""))
        return (await client.response()).body

    assert converse(run, app, talk) == b"done"
    assert calls == ["prepare", "post", "on_finish"]


def test_the_body_is_not_kept(run):
    def post(self):
        self.write(repr(self.request.body))

    _, app = streamed({"post": post})
    response = converse(run, app, lambda client: client.ask("POST", "/", body=b"abc"))
    assert response.body == b"b''"


def test_content_waits_for_prepare(run):
    gate = {}

    async def prepare(self):
        gate["open"] = asyncio.Event()
        await gate["open"].wait()
        self.calls.append("prepared")

    calls, app = streamed({"prepare": prepare})

    async def talk(client):
        await client.send(HEAD + b"Content-Length: 3\r\n\r\nabc")
        await until(lambda: gate)
        await turns()
        assert calls == []
        gate["open"].set()
        return (await client.response()).body

    assert converse(run, app, talk) == b"done"
    assert calls == ["prepared", b"abc", "post", "on_finish"]


def test_one_piece_at_a_time(run):
    """The next piece waits for the one before; so does the verb."""

    async def data_received(self, chunk):
        self.calls.append("(")
        for _ in range(5):
            await asyncio.sleep(0)
        self.calls.append(")")

    calls, app = streamed({"data_received": data_received})

    async def talk(client):
        for _ in range(3):
            assert (await client.ask("POST", "/", body=b"x" * 100)).body == b"done"

    converse(run, app, talk, chunk_size=10)
    assert calls == ["prepare", *["(", ")"] * 10, "post", "on_finish"] * 3


@pytest.mark.parametrize("size", [1, 10, 26, 1000])
def test_pieces_of_a_size(run, size):
    calls, app = streamed({})
    letters = b"abcdefghijklmnopqrstuvwxyz"
    response = converse(run, app, lambda client: client.ask("POST", "/", body=letters), chunk_size=size)
    assert response.body == b"done"
    pieces = [call for call in calls if isinstance(call, bytes)]
    assert b"".join(pieces) == letters
    assert all(0 < len(piece) <= size for piece in pieces)


def test_a_slow_handler_holds_the_client_up(run):
    """Reading pauses: what the client has sent stays in the sockets' buffers, which are finite."""
    gate = {}

    async def data_received(self, chunk):
        self.calls.append(len(chunk))
        if "open" not in gate:
            gate["open"] = asyncio.Event()
            await gate["open"].wait()

    calls, app = streamed({"data_received": data_received})
    size = 20 * 1024 * 1024

    async def talk(client):
        await client.send(HEAD + b"Content-Length: %d\r\n\r\n" % size)
        sending = asyncio.ensure_future(client.send(b"x" * size))
        await until(lambda: gate)
        await turns()
        assert len(calls) == 2
        assert not sending.done()
        gate["open"].set()
        response = await client.response()
        await sending
        return response.body

    assert converse(run, app, talk) == b"done"
    assert sum(call for call in calls if isinstance(call, int)) == size


@pytest.mark.parametrize("kind", ["sync", "async", "later", "cancelled"])
def test_an_error_in_data_received(run, kind, caplog):
    def data_sync(self, chunk):
        raise HTTPError(418)

    async def data_async(self, chunk):
        if kind == "later":
            await asyncio.sleep(0)
        if kind == "cancelled":
            await cancelled()
        raise HTTPError(418)

    calls, app = streamed({"data_received": data_sync if kind == "sync" else data_async})

    async def talk(client):
        response = await client.ask("POST", "/", body=b"abc")
        await until(lambda: not dispatch.running())
        return response.status, (await client.ask("GET", "/")).status

    assert converse(run, app, talk) == (500 if kind == "cancelled" else 418, 405)
    assert calls == ["prepare", "on_finish", "prepare", "on_finish"]


def test_a_refusal_in_data_received(run):
    def data_received(self, chunk):
        raise RemoteProtocolError(413, "that is enough")

    calls, app = streamed({"data_received": data_received})

    async def talk(client):
        response = await client.ask("POST", "/", body=b"abc")
        return response.status, await client.rest()

    assert converse(run, app, talk) == (413, b"")
    assert calls == ["prepare", "on_connection_close"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_answer_before_the_content(run, asynchronous):
    """What comes of the content nevertheless is dropped, and the connection goes on."""

    def prepare(self):
        self.calls.append("prepare")
        raise HTTPError(401)

    async def later(self):
        await asyncio.sleep(0)
        prepare(self)

    calls, app = streamed({"prepare": later if asynchronous else prepare})

    async def talk(client):
        await client.send(HEAD + b"Content-Length: 6\r\n\r\n")
        first = await client.response()
        await client.send(b"abcdef")
        second = await client.ask("POST", "/", body=b"x")
        return first.status, second.status

    assert converse(run, app, talk) == (401, 401)
    assert calls == ["prepare", "on_finish"] * 2


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 10000000\r\n", b"Content-Length: 5\r\nExpect: 100-continue\r\n"]
)
def test_an_answer_before_much_content_ends_the_connection(run, fields):
    def prepare(self):
        raise HTTPError(401)

    _, app = streamed({"prepare": prepare})

    async def talk(client):
        await client.send(HEAD + fields + b"\r\n")
        return await client.rest()

    raw = converse(run, app, talk)
    assert raw.startswith(b"HTTP/1.1 401 ")
    assert b"Connection: close" in raw


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_in_tornados_profile_any_early_answer_does(run, fields):
    def prepare(self):
        raise HTTPError(401)

    _, app = streamed({"prepare": prepare}, profile=TORNADO)

    async def talk(client):
        await client.send(HEAD + fields + b"\r\n")
        return await client.rest()

    assert converse(run, app, talk).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_answer_in_the_middle_of_the_content(run, asynchronous):
    def data_received(self, chunk):
        self.calls.append(chunk)
        self.finish("enough")

    async def later(self, chunk):
        data_received(self, chunk)
        await asyncio.sleep(0)
        self.calls.append("after")

    calls, app = streamed({"data_received": later if asynchronous else data_received})

    async def talk(client):
        await client.send(HEAD + b"Content-Length: 6\r\n\r\nabc")
        first = await client.response()
        await until(lambda: not dispatch.running())
        await client.send(b"def")
        return first.body, (await client.ask("POST", "/", body=b"x")).body

    assert converse(run, app, talk) == (b"enough", b"enough")
    assert [call for call in calls if isinstance(call, bytes)] == [b"abc", b"x"]
    assert "post" not in calls
    assert calls.count("after") == (2 if asynchronous else 0)


def test_an_answer_from_elsewhere(run):
    """Whoever finishes the response, the request's task ends with it."""
    handlers = []

    def prepare(self):
        handlers.append(self)

    _, app = streamed({"prepare": prepare})

    async def talk(client):
        await client.send(HEAD + b"Content-Length: 6\r\n\r\nabc")
        await until(lambda: handlers)
        handlers[0].finish("from elsewhere")
        response = await client.response()
        await until(lambda: not dispatch.running())
        return response.body

    assert converse(run, app, talk) == b"from elsewhere"


@pytest.mark.parametrize("when", ["prepare", "content", "piece"])
def test_a_client_that_leaves_in_the_middle(run, when):
    """The verb is not called, nor is anything else but what was begun. The handler is told at once, also while it
    has content to take."""

    async def prepare(self):
        self.calls.append("prepare")
        if when == "prepare":
            await until(lambda: "on_connection_close" in self.calls)
            self.calls.append("prepared")

    async def data_received(self, chunk):
        self.calls.append(chunk)
        if when == "piece":
            await until(lambda: "on_connection_close" in self.calls)
            self.calls.append("taken")

    calls, app = streamed({"prepare": prepare, "data_received": data_received})

    async def talk(client):
        await client.send(HEAD + b"Content-Length: 100\r\n\r\n" + (b"" if when == "prepare" else b"abc"))
        await until(lambda: len(calls) == (1 if when == "prepare" else 2))
        client.abort()
        await until(lambda: not dispatch.running())

    converse(run, app, talk)
    expected = {
        "prepare": ["prepare", "on_connection_close", "prepared"],
        "content": ["prepare", b"abc", "on_connection_close"],
        "piece": ["prepare", b"abc", "on_connection_close", "taken"],
    }
    assert calls == expected[when]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("limit", "status"), [(100, 200), (99, 413)])
def test_a_limit_set_in_prepare(run, limit, status, chunked):
    """Below or above the profile's, for this request only."""

    def prepare(self):
        self.request.connection.set_max_body_size(limit)

    _, app = streamed({"prepare": prepare}, profile=NATIVE.replace(body_bytes=50))

    async def talk(client):
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 100"
        body = b"64\r\n%b\r\n0\r\n\r\n" % (b"x" * 100) if chunked else b"x" * 100
        await client.send(HEAD + framing + b"\r\n\r\n" + body)
        return (await client.response()).status

    assert converse(run, app, talk) == status


def test_a_limit_is_for_one_request(run):
    def prepare(self):
        if self.get_argument("limit", ""):
            self.request.connection.set_max_body_size(int(self.get_argument("limit")))

    _, app = streamed({"prepare": prepare}, profile=NATIVE.replace(body_bytes=50))

    async def talk(client):
        return [
            (await client.ask("POST", "/?limit=100", body=b"x" * 100)).status,
            (await client.ask("POST", "/", body=b"x" * 50)).status,
            (await client.ask("POST", "/", body=b"x" * 51)).status,
        ]

    assert converse(run, app, talk) == [200, 200, 413]


def test_a_class_without_data_received(run, caplog):
    kind = stream_request_body(type("Handler", (RequestHandler,), {"post": lambda self: None}))
    response = converse(run, Application([("/", kind)]), lambda client: client.ask("POST", "/", body=b"x"))
    assert response.status == 500
    assert "NotImplementedError" in caplog.text


def test_an_error_in_the_constructor_of_a_streaming_handler(run, caplog):
    def initialize(self):
        raise ZeroDivisionError

    app = app_of({"initialize": initialize}, streamed=True)

    async def talk(client):
        return (await client.ask("POST", "/", body=b"x")).status, (await client.ask("GET", "/")).status

    assert converse(run, app, talk) == (500, 500)


def test_a_response_that_is_finished_from_elsewhere(run):
    def get(self):
        self._auto_finish = False
        asyncio.get_running_loop().call_later(0.01, self.finish, "later")

    assert got(run, {"get": get}).body == b"later"


# -- what is left behind ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streaming", [False, True])
def test_nothing_is_left_of_a_request(run, streaming):
    """Handlers go with their requests, without the collector."""
    left = []

    async def post(self):
        left.append(weakref.ref(self))
        await asyncio.sleep(0)
        self.write("x")

    app = app_of({"post": post, "data_received": lambda self, chunk: None}, streamed=streaming)

    async def talk(client):
        for _ in range(3):
            await client.ask("POST", "/", body=b"x")
        for _ in range(100):
            # The client may have its answer a turn before the last task has come to its end.
            if all(ref() is None for ref in left):
                break
            await asyncio.sleep(0)
        return [ref() for ref in left]

    gc.collect()
    gc.disable()
    try:
        assert converse(run, app, talk) == [None, None, None]
    finally:
        gc.enable()


def test_a_task_that_nobody_else_knows_is_kept(run):
    """A loop knows its tasks weakly; a request's task is kept until it ends."""
    released = []

    class Secret:
        def __await__(self):
            future = asyncio.get_running_loop().create_future()
            released.append(weakref.ref(future))
            asyncio.get_running_loop().call_later(0.02, lambda ref=released[-1]: ref().set_result(None))
            return future.__await__()

    async def get(self):
        await Secret()
        self.write("kept")

    async def talk(client):
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: released)
        gc.collect()
        return (await client.response()).body

    assert converse(run, app_of({"get": get}), talk) == b"kept"
