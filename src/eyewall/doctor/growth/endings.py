"""By what one sees that a WebSocket, a handler, a connection has ended: for each class, of whatever framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Ending(NamedTuple):
    """Objects of a class (`module`, `name`) that should go away when they have ended.

    `noun`: what to call several of them. `ended`: whether one has. `least`: how many it takes for a finding.
    """

    rule: str
    noun: str
    module: str
    name: str
    ended: Callable[[Any], bool]
    least: int


#: A program may well keep a few: the last one, one for each of its rooms.
FEW = 5
#: What is kept along with something else, or by a library's pool.
MANY = 20


def _websocket(handler: Any) -> bool:
    return bool(handler._on_close_called)


def _handler(handler: Any) -> bool:
    """Its response is out, or its client has left."""
    if handler._finished:
        return not getattr(handler, "_upgraded", False)
    connection = getattr(handler.request, "connection", None)
    carrier = getattr(connection, "carrier", None)
    if carrier is not None:
        return bool(carrier.closed)
    # Tornado's. Ours has a property of that name that makes a stream.
    stream = vars(connection).get("stream") if hasattr(connection, "__dict__") else None
    return stream is not None and bool(stream.closed())


def _aiohttp_websocket(response: Any) -> bool:
    return bool(response.closed)


def _aiohttp_request(request: Any) -> bool:
    return request.transport is None


def _starlette_websocket(websocket: Any) -> bool:
    return "DISCONNECTED" in (websocket.client_state.name, websocket.application_state.name)


def _starlette_request(request: Any) -> bool:
    """As uvicorn knows it, whose request calls back to it."""
    cycle = request._receive.__self__
    return bool(cycle.response_complete or cycle.disconnected)


def _transport(transport: Any) -> bool:
    return bool(transport.is_closing())


def _stream(stream: Any) -> bool:
    return bool(stream.closed())


def _socket(sock: Any) -> bool:
    return bool(sock.fileno() == -1)


#: The first one of those that an object's class derives from counts.
ENDINGS = (
    Ending("websocket-kept", "WebSockets", "tornado.websocket", "WebSocketHandler", _websocket, FEW),
    Ending("websocket-kept", "WebSockets", "eyewall.web.websocket", "WebSocketHandler", _websocket, FEW),
    Ending("websocket-kept", "WebSockets", "aiohttp.web", "WebSocketResponse", _aiohttp_websocket, FEW),
    Ending("websocket-kept", "WebSockets", "starlette.websockets", "WebSocket", _starlette_websocket, FEW),
    Ending("handler-kept", "handlers", "tornado.web", "RequestHandler", _handler, FEW),
    Ending("handler-kept", "handlers", "eyewall.web.handler", "RequestHandler", _handler, FEW),
    Ending("handler-kept", "requests", "aiohttp.web", "BaseRequest", _aiohttp_request, FEW),
    Ending("handler-kept", "requests", "starlette.requests", "Request", _starlette_request, FEW),
    Ending("connection-kept", "streams", "tornado.iostream", "BaseIOStream", _stream, MANY),
    Ending("connection-kept", "streams", "eyewall.net.basestream", "BaseIOStream", _stream, MANY),
    Ending("connection-kept", "transports", "asyncio", "BaseTransport", _transport, MANY),
    Ending("connection-kept", "transports", "uvloop.loop", "UVBaseTransport", _transport, MANY),
    Ending("connection-kept", "sockets", "socket", "socket", _socket, MANY),
)
