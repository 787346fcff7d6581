"""Deadlines of requests: where they come from, what is cancelled, what the client gets, and what the log says.

On a fake clock and connections in memory, so that a deadline of an hour comes in the next moment.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.guard.deadlines.alarms import Alarms
from eyewall.guard.deadlines.deadline import remaining
from eyewall.guard.deadlines.timeouts import timeout
from eyewall.guard.errors import DeadlineExceeded
from eyewall.http.server import HTTPServer
from eyewall.loop import gen
from eyewall.testing.fakeclock import run_with_fake_clock
from eyewall.testing.memory import connect_in_memory
from eyewall.web.application import Application
from eyewall.web.decorators import stream_request_body
from eyewall.web.handler import RequestHandler
from eyewall.web.sse import EventSourceHandler
from eyewall.web.websocket import WebSocketHandler

from .serving import Client, Response, serving


class Report(RequestHandler):
    """Waits for as long as it is told, and says what remained at first."""

    async def get(self, seconds: str = "3600") -> None:
        left = remaining()
        await asyncio.sleep(float(seconds))
        self.write(f"{left}")


class Short(Report):
    REQUEST_TIMEOUT = 2.0


class Endless(Report):
    REQUEST_TIMEOUT = 0


def app(*routes: Any, **settings: Any) -> Application:
    return Application(
        [(r"/report/(.*)", Report), (r"/short/(.*)", Short), (r"/endless/(.*)", Endless), *routes], **settings
    )


def talk(application: Application, conversation: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    """Has a client talk to `application` while time is of no account."""

    async def main() -> None:
        client = Client(*connect_in_memory(HTTPServer(application)))
        await conversation(client)
        client.abort()
        for _ in range(20):
            await asyncio.sleep(0)

    run_with_fake_clock(main())


def now() -> float:
    return asyncio.get_running_loop().time()


async def ask(client: Client, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Response:
    response: Response = await client.ask(method, path, *fields, body=body)
    return response


# -- where a deadline comes from --------------------------------------------------------------------------


def test_the_application_sets_it_and_the_answer_is_503(caplog: pytest.LogCaptureFixture) -> None:
    async def conversation(client: Client) -> None:
        response = await ask(client, "/report/3600")
        assert response.status == 503
        assert now() == pytest.approx(5.0, abs=0.01)
        # The connection goes on.
        response = await ask(client, "/report/4")
        assert (response.status, float(response.body)) == (200, pytest.approx(5.0))
        assert len(Alarms.of(asyncio.get_running_loop())) == 0

    talk(app(request_timeout=5.0), conversation)
    line = inspect.getsourcelines(Report.get)[1] + 2
    [said] = [each.getMessage() for each in caplog.records if each.name == "tornado.general"]
    assert said == (
        "GET /report/3600 (192.0.2.1): the request's deadline of 5 s has passed while waiting for "
        f"'await asyncio.sleep(float(seconds))' (sleep) at {__file__}:{line} in Report.get"
    )


def test_without_one_there_is_none() -> None:
    async def conversation(client: Client) -> None:
        assert (await ask(client, "/report/3600")).body == b"None"
        assert (await ask(client, "/endless/1")).body == b"None"

    talk(app(), conversation)


def test_that_of_the_handler_comes_before_that_of_the_application() -> None:
    async def conversation(client: Client) -> None:
        began = now()
        assert (await ask(client, "/short/3600")).status == 503
        assert now() - began == pytest.approx(2.0, abs=0.01)
        assert (await ask(client, "/endless/3600")).body == b"None"

    for settings in ({}, {"request_timeout": 1.0}, {"request_timeout": 60.0}):
        talk(app(**settings), conversation)


def test_that_of_a_verb_comes_before_that_of_the_handler() -> None:
    class Verbs(Short):
        @timeout(1.0)
        async def get(self) -> None:
            await asyncio.sleep(3600)

        @timeout(10.0)
        async def put(self) -> None:
            self.write(f"{remaining()}")

        @timeout(1.0)
        @gen.coroutine
        def delete(self) -> Any:
            yield gen.sleep(3600)

        async def post(self) -> None:
            self.write(f"{remaining()}")

    async def conversation(client: Client) -> None:
        for method in ("GET", "DELETE"):
            began = now()
            assert (await ask(client, "/", method=method)).status == 503
            assert now() - began == pytest.approx(1.0, abs=0.01)
        assert float((await ask(client, "/", method="PUT", body=b"x")).body) == pytest.approx(10.0)
        assert float((await ask(client, "/", method="POST", body=b"x")).body) == pytest.approx(2.0)

    talk(app(("/", Verbs)), conversation)


def test_prepare_and_the_verb_have_it_together() -> None:
    class Slowly(RequestHandler):
        REQUEST_TIMEOUT = 3.0

        async def prepare(self) -> None:
            await asyncio.sleep(2.0)

        async def get(self) -> None:
            await asyncio.sleep(2.0)

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/")).status == 503
        assert now() == pytest.approx(3.0, abs=0.01)

    talk(app(("/", Slowly)), conversation)


@pytest.mark.parametrize(("field", "seconds"), [("X-Request-Timeout: 0.5", 0.5), ("grpc-timeout: 100m", 0.1)])
def test_the_client_may_shorten_it_where_it_is_believed(field: str, seconds: float) -> None:
    async def conversation(client: Client) -> None:
        assert (await ask(client, "/report/3600", field)).status == 503
        assert now() == pytest.approx(seconds, abs=0.01)

    for settings in ({"request_timeout": 5.0}, {}):
        talk(app(trust_request_timeout=True, **settings), conversation)


def test_the_client_may_not_lengthen_it() -> None:
    async def conversation(client: Client) -> None:
        response = await ask(client, "/report/1", "X-Request-Timeout: 50")
        assert float(response.body) == pytest.approx(5.0)
        assert (await ask(client, "/endless/1", "X-Request-Timeout: 50")).body == b"None"

    talk(app(trust_request_timeout=True, request_timeout=5.0), conversation)


def test_what_the_client_states_has_a_limit() -> None:
    async def conversation(client: Client) -> None:
        response = await ask(client, "/report/1", "X-Request-Timeout: 999")
        assert float(response.body) == pytest.approx(60.0)

    talk(app(trust_request_timeout=True), conversation)


def test_a_client_that_is_not_believed_says_nothing() -> None:
    async def conversation(client: Client) -> None:
        response = await ask(client, "/report/1", "X-Request-Timeout: nonsense")
        assert float(response.body) == pytest.approx(5.0)

    talk(app(request_timeout=5.0), conversation)


@pytest.mark.parametrize(
    "fields",
    [("X-Request-Timeout: 1s",), ("X-Request-Timeout: 1", "X-Request-Timeout: 2"), ("grpc-timeout: 0S",)],
)
def test_what_is_no_time_is_refused(fields: tuple[str, ...]) -> None:
    async def conversation(client: Client) -> None:
        assert (await ask(client, "/report/1", *fields)).status == 400
        assert (await ask(client, "/report/1")).status == 200

    talk(app(trust_request_timeout=True), conversation)


def test_times_that_are_none() -> None:
    for value in (-1.0, "5", True, float("nan")):
        with pytest.raises(ValueError, match="the setting request_timeout is a number of seconds"):
            Application(request_timeout=value)
        with pytest.raises(ValueError, match="REQUEST_TIMEOUT of Wrong is a number of seconds"):
            type("Wrong", (RequestHandler,), {"REQUEST_TIMEOUT": value})


# -- what is answered -------------------------------------------------------------------------------------


def test_the_application_may_choose_the_status() -> None:
    async def conversation(client: Client) -> None:
        response = await ask(client, "/report/3600")
        assert (response.status, response.reason) == (504, "Gateway Timeout")

    talk(app(request_timeout=5.0, timeout_status=504), conversation)


def test_the_application_may_answer_itself() -> None:
    seen: list[DeadlineExceeded] = []

    def answer(handler: RequestHandler, error: DeadlineExceeded) -> None:
        seen.append(error)
        handler.set_header("Retry-After", "3")
        handler.write({"late": type(handler).__name__})

    async def conversation(client: Client) -> None:
        response = await ask(client, "/report/3600")
        assert (response.status, response.headers["Retry-After"]) == (503, "3")
        assert response.body == b'{"late": "Report"}'

    talk(app(request_timeout=5.0, on_timeout=answer), conversation)
    assert seen[0].place.endswith("in Report.get")


def test_an_answer_of_the_application_that_fails_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    def answer(handler: RequestHandler, error: DeadlineExceeded) -> None:
        raise ValueError("no")

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/report/3600")).status == 503
        assert (await ask(client, "/report/1")).status == 200

    talk(app(request_timeout=5.0, on_timeout=answer), conversation)
    assert "Uncaught exception in on_timeout" in caplog.text


def test_an_error_of_an_inner_timeout_is_answered_the_same_way() -> None:
    class Inner(RequestHandler):
        async def get(self) -> None:
            async with timeout(1.0):
                await asyncio.sleep(3600)

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/inner")).status == 504

    talk(app(("/inner", Inner), timeout_status=504), conversation)


def test_half_a_response_is_broken_off() -> None:
    class Half(RequestHandler):
        REQUEST_TIMEOUT = 1.0

        async def get(self) -> None:
            self.write("half of it")
            await self.flush()
            await asyncio.sleep(3600)

    async def conversation(client: Client) -> None:
        await client.send(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await client.rest()
        assert now() == pytest.approx(1.0, abs=0.01)

    talk(app(("/half", Half)), conversation)


def test_a_response_that_was_in_time_stands_and_what_goes_on_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended: list[float] = []

    class Further(RequestHandler):
        REQUEST_TIMEOUT = 1.0

        async def get(self) -> None:
            self.finish("done")
            await asyncio.sleep(10.0)
            ended.append(now())

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/further")).body == b"done"
        await asyncio.sleep(20.0)
        assert ended == [10.0]

    talk(app(("/further", Further)), conversation)
    assert "was finished" not in caplog.text


def test_cleaning_up_may_take_its_time() -> None:
    ended: list[str] = []

    class Tidy(RequestHandler):
        REQUEST_TIMEOUT = 1.0

        async def get(self) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(0.5)
                ended.append("tidy")

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/tidy")).status == 503
        assert now() == pytest.approx(1.5, abs=0.01)
        assert ended == ["tidy"]

    talk(app(("/tidy", Tidy)), conversation)


def test_an_error_while_cleaning_up_is_logged_and_the_answer_is_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(RequestHandler):
        REQUEST_TIMEOUT = 1.0

        async def get(self) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                raise ValueError("while cleaning up")

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/broken")).status == 503

    talk(app(("/broken", Broken)), conversation)
    assert "Uncaught exception in GET /broken" in caplog.text
    assert "while cleaning up" in caplog.text


def test_content_that_is_streamed_counts() -> None:
    @stream_request_body
    class Upload(RequestHandler):
        REQUEST_TIMEOUT = 2.0

        def data_received(self, chunk: bytes) -> None:
            assert remaining() is not None

        def post(self) -> None:
            self.write("whole")

    async def conversation(client: Client) -> None:
        await client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n" + b"x" * 3000)
        response = await client.response()
        assert response.status == 503
        assert now() == pytest.approx(2.0, abs=0.01)
        # What is missing is read over.
        await client.send(b"x" * 1000)
        assert (await ask(client, "/upload", method="POST", body=b"y" * 10)).body == b"whole"

    talk(app(("/upload", Upload)), conversation)


def test_content_that_is_never_dealt_with_does_not_keep_the_next_request_waiting() -> None:
    taken: list[int] = []

    @stream_request_body
    class Upload(RequestHandler):
        REQUEST_TIMEOUT = 2.0

        async def data_received(self, chunk: bytes) -> None:
            taken.append(len(chunk))
            if len(chunk) > 100:
                await asyncio.sleep(3600.0)

        def post(self) -> None:
            self.write("whole")

    async def conversation(client: Client) -> None:
        await client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n" + b"x" * 3000)
        assert (await client.response()).status == 503
        assert now() == pytest.approx(2.0, abs=0.01)
        await client.send(b"x" * 1000)
        response = await asyncio.wait_for(ask(client, "/upload", method="POST", body=b"y" * 10), 60.0)
        assert response.body == b"whole"
        assert taken == [3000, 10]

    talk(app(("/upload", Upload)), conversation)


def test_content_with_which_the_answer_came_does_not_keep_the_next_request_waiting_either() -> None:
    @stream_request_body
    class Upload(RequestHandler):
        async def data_received(self, chunk: bytes) -> None:
            self.finish("enough")
            await asyncio.sleep(3600.0)

    async def conversation(client: Client) -> None:
        for _ in range(2):
            await client.send(b"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nxx")
            response = await asyncio.wait_for(client.response(), 60.0)
            assert response.body == b"enough"
            await client.send(b"xx")

    talk(app(("/upload", Upload)), conversation)


# -- those that don't obey --------------------------------------------------------------------------------


class Zombie(RequestHandler):
    """Goes on when it is cancelled, and tries everything that it must not do any more."""

    REQUEST_TIMEOUT = 1.0
    refused: list[str] = []

    async def get(self) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(10.0)
        for attempt in (lambda: self.write("late"), self.finish, lambda: self.redirect("/")):
            try:
                attempt()
            except RuntimeError as error:
                self.refused.append(str(error))
        self.set_header("X-Late", "yes")
        self.write("once more")


def test_one_that_swallows_the_cancellation_is_reported_and_its_connection_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[tuple[object, str]] = []

    async def conversation(client: Client) -> None:
        response = await ask(client, "/zombie")
        assert response.status == 503
        assert now() == pytest.approx(2.0, abs=0.01)
        assert (await ask(client, "/report/0")).status == 200
        began = asyncio.create_task(ask(client, "/report/30"))
        await asyncio.sleep(15.0)
        assert len(Zombie.refused) == 3
        # Nothing of what it has written got into the next response.
        assert (await began).body == b"None"

    def listener(task: object, place: str) -> None:
        told.append((task, place))

    Zombie.refused.clear()
    detach = probe.cancellation_swallowed.attach(listener)
    try:
        talk(app(("/zombie", Zombie)), conversation)
    finally:
        detach()
    first = inspect.getsourcelines(Zombie.get)[1]
    [(task, place)] = told
    assert isinstance(task, asyncio.Task)
    assert place == f"{__file__}:{first + 2} in Zombie.get"
    assert (
        f"GET /zombie (Zombie) went on after the request's deadline of 1 s had passed and it was cancelled: "
        f"CancelledError was swallowed at or below {place}; now it is at {__file__}:{first + 5} in Zombie.get"
    ) in caplog.text
    assert (
        "GET /zombie (Zombie), which was answered for at its deadline, ended with RuntimeError("
        in caplog.text
    )
    assert "Traceback" not in caplog.text


def test_one_that_returns_as_if_nothing_had_happened_is_reported_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Deaf(RequestHandler):
        REQUEST_TIMEOUT = 1.0

        async def get(self, how: str) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.write("as if nothing had happened")
            if how == "finishes":
                self.finish()

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/deaf/returns")).status == 503
        # Its own answer, where it has given one.
        assert (await ask(client, "/deaf/finishes")).body == b"as if nothing had happened"

    talk(app((r"/deaf/(.*)", Deaf)), conversation)
    assert "GET /deaf/returns (" in caplog.text
    assert "CancelledError was swallowed at or below" in caplog.text


def test_no_verb_begins_whose_prepare_has_swallowed_the_end(caplog: pytest.LogCaptureFixture) -> None:
    begun: list[str] = []

    class Deaf(RequestHandler):
        REQUEST_TIMEOUT = 1.0

        async def prepare(self) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)

        def get(self) -> None:
            begun.append("verb")

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/deaf")).status == 503
        assert begun == []

    talk(app(("/deaf", Deaf)), conversation)
    assert "CancelledError was swallowed at or below" in caplog.text


def test_a_plain_verb_is_not_interrupted_but_told_of(caplog: pytest.LogCaptureFixture) -> None:
    class Plain(RequestHandler):
        def get(self) -> None:
            # As if so much time had passed: the clock goes on only where the loop waits.
            asyncio.get_running_loop()._fake.now += 7.0  # type: ignore[attr-defined]
            self.write(f"{remaining()}")

    class Coroutine(Plain):
        async def get(self) -> None:  # type: ignore[override]
            super().get()

    async def conversation(client: Client) -> None:
        assert (await ask(client, "/plain")).body == b"0.0"
        assert (await ask(client, "/coroutine")).body == b"0.0"

    talk(app(("/plain", Plain), ("/coroutine", Coroutine), request_timeout=5.0), conversation)
    said = re.findall(
        r"GET (\S+) \(\S+\) was finished (\S+) s after the request's deadline of 5 s", caplog.text
    )
    assert said == [("/plain", "2.000"), ("/coroutine", "2.000")]


def test_a_client_that_leaves_and_a_deadline_after_it() -> None:
    cancelled: list[float] = []

    class Alone(RequestHandler):
        REQUEST_TIMEOUT = 5.0

        async def get(self) -> None:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                cancelled.append(now())
                raise

    async def conversation(client: Client) -> None:
        await client.send(b"GET /alone HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(1.0)
        client.abort()
        await asyncio.sleep(10.0)
        assert cancelled == [pytest.approx(5.0, abs=0.01)]

    talk(app(("/alone", Alone)), conversation)


# -- what has no deadline ---------------------------------------------------------------------------------


def test_an_event_stream_goes_on() -> None:
    class Events(EventSourceHandler):
        async def stream(self) -> None:
            await asyncio.sleep(3600)
            await self.send(f"{remaining()}")

    async def conversation(client: Client) -> None:
        await client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.reader.readuntil(b"data: None\n\n")

    talk(app(("/events", Events), request_timeout=5.0), conversation)


def test_a_websocket_has_all_the_time_it_needs() -> None:
    class Socket(WebSocketHandler):
        async def prepare(self) -> None:
            assert remaining() == pytest.approx(5.0)

        async def open(self) -> None:
            assert remaining() is None

        async def on_message(self, message: str | bytes) -> None:
            await asyncio.sleep(15.0)
            await self.write_message(f"{remaining()}")

    async def conversation(client: Client) -> None:
        await client.send(
            b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await client.send(b"\x81\x82\x00\x00\x00\x00hi")
        await client.reader.readuntil(b"\x81\x04None")

    talk(app(("/socket", Socket), request_timeout=5.0), conversation)


def test_over_real_sockets(run: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    class Quick(RequestHandler):
        REQUEST_TIMEOUT = 0.001

        async def get(self) -> None:
            await asyncio.sleep(3600)

    async def main() -> None:
        async with serving(app(("/quick", Quick))) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            client = Client(reader, writer)
            for _ in range(3):
                assert (await client.ask("GET", "/quick")).status == 503
            client.abort()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert "in test_over_real_sockets.<locals>.Quick.get" in caplog.text
