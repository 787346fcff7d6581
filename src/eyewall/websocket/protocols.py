"""`WebSocketProtocol` and `WebSocketProtocol13`: what carries a WebSocket, as programs may derive from it.

The work is done by a `WebSocketConnection`; a protocol object stands in front of it, for programs that want to see or
change what goes through. A handler whose `get_websocket_protocol` returns one has its handshake accepted by that, and
everything the handler writes goes its way.
"""

from __future__ import annotations

import abc
import asyncio
import functools
import logging
from dataclasses import dataclass
from typing import Any

from eyewall.base.escape import utf8
from eyewall.base.loggers import gen_log
from eyewall.websocket import opcodes
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.errors import WebSocketClosedError
from eyewall.websocket.handshake import accept_value

#: Logs a message (level, text) to `tornado.general`, the same one only once.
de_dupe_gen_log = functools.lru_cache(gen_log.log)


@dataclass
class WebSocketParams:
    """What a WebSocket is opened with. Times are seconds, None for the profile's; sizes are bytes.

    `ping_interval`: between two pings, 0 for none. `ping_timeout`: how long the answer may take. `max_message_size`: of
    a message, decompressed. `compression_options`: what `get_compression_options` of a handler returns; None for no
    compression.
    """

    ping_interval: float | None = None
    ping_timeout: float | None = None
    max_message_size: int = 10 * 1024 * 1024
    compression_options: dict[str, Any] | None = None


class WebSocketProtocol(abc.ABC):
    """What a handler and its connection have between them."""

    #: The client has closed, or this side has.
    client_terminated = False
    server_terminated = False

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        #: What is beneath, once the handshake is accepted.
        self.stream: WebSocketConnection | None = None

    @abc.abstractmethod
    async def accept_connection(self, handler: Any) -> None:
        """Answers the opening handshake of `handler`."""

    @abc.abstractmethod
    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> asyncio.Future[None]:
        """Sends `message`, as bytes where it is `binary`, else as text."""

    @property
    @abc.abstractmethod
    def selected_subprotocol(self) -> str | None:
        """The subprotocol that both sides agreed on."""

    @abc.abstractmethod
    def write_ping(self, data: bytes) -> None:
        """Sends a ping with `data`."""

    @abc.abstractmethod
    def start_pinging(self) -> None:
        """Begins to send pings, if the connection is to be kept alive by them."""

    @abc.abstractmethod
    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begins the closing handshake, with `code` and `reason` in the close frame where they are given."""

    @abc.abstractmethod
    def is_closing(self) -> bool:
        """Whether one side has closed, or is about to."""

    @abc.abstractmethod
    def set_nodelay(self, x: bool) -> None:
        """Has small messages sent at once where `x` is true, else collected."""

    def on_connection_close(self) -> None:
        """Called when the connection is lost."""
        self.client_terminated = self.server_terminated = True


class WebSocketProtocol13(WebSocketProtocol):
    """The protocol of RFC 6455 in front of a `WebSocketConnection`.

    `mask_outgoing` tells a client from a server; a handler's is the latter. `params` has the attributes of
    `WebSocketParams`.
    """

    #: Bits and masks of the first byte of a frame (section 5.2).
    FIN = opcodes.FIN
    RSV1 = opcodes.RSV1
    RSV2 = 0x20
    RSV3 = 0x10
    RSV_MASK = RSV1 | RSV2 | RSV3
    OPCODE_MASK = opcodes.OPCODE

    #: What the peer's close frame said.
    close_code: int | None = None
    close_reason: str | None = None

    def __init__(self, handler: Any, mask_outgoing: bool, params: Any) -> None:
        super().__init__(handler)
        self.mask_outgoing = mask_outgoing
        self.params = params
        self._subprotocol: str | None = None

    async def accept_connection(self, handler: Any) -> None:
        """Answers the opening handshake of `handler`, with this as its connection. A refusal is answered, too."""
        handler.accept_socket(self)

    def attach(self, connection: WebSocketConnection, subprotocol: str | None) -> None:
        """Called with the connection, and the `subprotocol` if one was agreed on, when the handshake is
        accepted.
        """
        self.stream = connection
        self._subprotocol = subprotocol

    @staticmethod
    def compute_accept_value(key: str | bytes) -> str:
        """Returns the `Sec-WebSocket-Accept` that answers `key`."""
        return accept_value(key if isinstance(key, str) else key.decode("latin-1"))

    @staticmethod
    def ping_sleep_time(*, last_ping_time: float, interval: float, now: float) -> float:
        """Returns the seconds until the next ping is due: `interval` seconds after `last_ping_time`; `now` is
        on the same clock.
        """
        due = last_ping_time + interval
        return due - now if due > now else 0.0

    @property
    def ping_interval(self) -> float:
        """Seconds between pings; 0 for none."""
        interval: float | None = self.params.ping_interval
        return interval or 0.0

    @property
    def ping_timeout(self) -> float:
        """Seconds in which a ping must be answered; never more than the interval."""
        timeout: float | None = self.params.ping_timeout
        interval = self.ping_interval
        if timeout is None:
            return interval
        if interval and timeout > interval:
            de_dupe_gen_log(
                logging.WARNING,
                f"a WebSocket's ping_timeout ({timeout:g} s) is more than its ping_interval ({interval:g} s), "
                "which is used instead",
            )
            return interval
        return timeout

    @property
    def selected_subprotocol(self) -> str | None:
        return self._subprotocol

    def start_pinging(self) -> None:
        """Nothing needs to be begun: the connection pings from the moment in which it is accepted."""

    async def periodic_ping(self) -> None:
        """Sends a ping whenever one is due, until the connection closes; for a connection that does not by itself."""
        loop = asyncio.get_running_loop()
        interval = self.ping_interval
        while interval and not self.is_closing():
            sent = loop.time()
            self.write_ping(b"")
            await asyncio.sleep(self.ping_sleep_time(last_ping_time=sent, interval=interval, now=loop.time()))

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> asyncio.Future[None]:
        """Sends `message`, as bytes where it is `binary`, else as text. Raises WebSocketClosedError where there
        is no connection any more.
        """
        return self._open().write_message(message, binary)  # type: ignore[arg-type]

    def write_ping(self, data: bytes) -> None:
        """Sends a ping with `data`, at most 125 bytes. Raises as `write_message`."""
        self._open().ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begins the closing handshake, with `code` and `reason` where they are given; does nothing when that
        is done already.
        """
        self.server_terminated = True
        if self.stream is not None:
            self.stream.start_close(code, reason)

    def is_closing(self) -> bool:
        return (
            self.client_terminated or self.server_terminated or self.stream is None or not self.stream.is_open
        )

    def set_nodelay(self, x: bool) -> None:
        """Has small messages sent at once where `x` is true, else collected. Raises as `write_message`."""
        self._open().set_nodelay(x)

    def on_connection_close(self) -> None:
        """Called when the connection is lost."""
        if self.stream is not None:
            self.close_code, self.close_reason = self.stream.close_code, self.stream.close_reason
        super().on_connection_close()

    # -- what handlers call, by the names that a WebSocketConnection has ----------------------------------

    def ping(self, data: bytes = b"") -> None:
        """What `write_ping` does with `data`."""
        self.write_ping(data)

    def start_close(self, code: int | None = None, reason: str | None = None) -> None:
        """What `close` does with `code` and `reason`."""
        self.close(code, reason)

    def _open(self) -> WebSocketConnection:
        if self.stream is None:
            raise WebSocketClosedError
        return self.stream


# What a handler has in `ws_connection`, unless it asked for another one, can do the same.
WebSocketProtocol.register(WebSocketConnection)
