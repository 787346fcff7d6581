"""A protocol object of the application's between a handler and its connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from eyewall.client.request import HTTPClientError, HTTPRequest
from eyewall.client.websocket import websocket_connect
from eyewall.web.application import Application
from eyewall.web.websocket import WebSocketHandler
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.errors import WebSocketClosedError
from eyewall.websocket.protocols import (
    WebSocketParams,
    WebSocketProtocol,
    WebSocketProtocol13,
    de_dupe_gen_log,
)
from tests.web.serving import serving

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Shouting(WebSocketProtocol13):
    """Writes everything in capitals, and notes what happens."""

    def write_message(self, message: Any, binary: bool = False) -> asyncio.Future[None]:
        return super().write_message(message.upper(), binary)


class Handler(WebSocketHandler):
    def initialize(self, made: list[Shouting]) -> None:
        self.made = made

    def get_websocket_protocol(self) -> WebSocketProtocol13:
        self.made.append(Shouting(self, False, WebSocketParams()))
        return self.made[-1]

    def check_origin(self, origin: str) -> bool:
        return False

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[0] if subprotocols else None

    async def on_message(self, message: str | bytes) -> None:
        assert self.ws_connection is not None
        assert not self.ws_connection.is_closing()
        self.set_nodelay(True)
        self.ping(b"there?")
        await self.write_message(message)
        self.close(4001, "enough")


def test_what_a_handler_writes_goes_its_way(run: Run) -> None:
    made: list[Shouting] = []

    async def main() -> None:
        async with serving(Application([("/", Handler, {"made": made})])) as port:
            ws = await websocket_connect(f"ws://127.0.0.1:{port}/", subprotocols=["a", "b"])
            assert ws.selected_subprotocol == "a"
            assert made[0].selected_subprotocol == "a"
            await ws.write_message("quiet")
            assert await ws.read_message() == "QUIET"
            assert await ws.read_message() is None
            assert (ws.close_code, ws.close_reason) == (4001, "enough")
            while not made[0].client_terminated:
                await asyncio.sleep(0)
        assert made[0].is_closing()
        assert made[0].close_code == 4001

    run(main())


def test_a_refusal_is_answered_and_the_protocol_gets_no_connection(run: Run) -> None:
    made: list[Shouting] = []

    async def main() -> None:
        async with serving(Application([("/", Handler, {"made": made})])) as port:
            request = HTTPRequest(f"ws://127.0.0.1:{port}/", headers={"Origin": "http://evil.example"})
            with pytest.raises(HTTPClientError) as caught:
                await websocket_connect(request)
            assert caught.value.code == 403

    run(main())
    assert made[0].stream is None
    for call in (
        lambda: made[0].write_message("x"),
        lambda: made[0].write_ping(b""),
        lambda: made[0].set_nodelay(True),
    ):
        with pytest.raises(WebSocketClosedError):
            call()
    assert made[0].is_closing()
    made[0].close()


def test_a_connection_counts_as_one() -> None:
    assert issubclass(WebSocketConnection, WebSocketProtocol)


def test_the_small_things() -> None:
    # The example of RFC 6455 section 1.3.
    for key in ("dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ=="):
        assert WebSocketProtocol13.compute_accept_value(key) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert WebSocketProtocol13.ping_sleep_time(last_ping_time=6, interval=10, now=12) == 4
    assert WebSocketProtocol13.ping_sleep_time(last_ping_time=6, interval=10, now=17) == 0


def test_a_ping_timeout_beyond_the_interval_is_cut_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    de_dupe_gen_log.cache_clear()
    with caplog.at_level(logging.WARNING):
        for interval, timeout, expected in (
            (10, None, 10),
            (10, 5, 5),
            (10, 20, 10),
            (10, 20, 10),
            (None, 5, 5),
            (None, None, 0),
        ):
            params = WebSocketParams(interval, timeout)
            assert WebSocketProtocol13(None, False, params).ping_timeout == expected
    assert [record.name for record in caplog.records] == ["tornado.general"]
    de_dupe_gen_log.cache_clear()


def test_periodic_ping_pings_until_the_connection_closes() -> None:
    pings: list[bytes] = []

    class Counted(WebSocketProtocol13):
        def write_ping(self, data: bytes) -> None:
            pings.append(data)
            if len(pings) == 3:
                self.server_terminated = True

        def ping_sleep_time(self, **times: float) -> float:  # type: ignore[override]
            return 0

    protocol = Counted(None, False, WebSocketParams(ping_interval=20))
    protocol.stream = SimpleNamespace(is_open=True)  # type: ignore[assignment]
    asyncio.run(protocol.periodic_ping())
    assert pings == [b"", b"", b""]
