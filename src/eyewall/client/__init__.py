"""Clients: WebSockets, and the requests that open them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.client.request import HTTPRequest
    from eyewall.client.websocket import WebSocketClientConnection, websocket_connect

__all__ = [
    "HTTPRequest",
    "WebSocketClientConnection",
    "websocket_connect",
]

_NAMES = {
    "HTTPRequest": "request",
    "WebSocketClientConnection": "websocket",
    "websocket_connect": "websocket",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
