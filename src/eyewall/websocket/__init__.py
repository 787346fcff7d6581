"""WebSockets (RFC 6455, RFC 7692): frames, masks, compression, handshake, the engine and its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.websocket.asgi import WebSocketCycle
    from eyewall.websocket.broadcasting import Delivery, PreparedMessage, broadcast
    from eyewall.websocket.connection import WebSocketConnection
    from eyewall.websocket.deflate import DeflateOptions, DeflateParameters
    from eyewall.websocket.directions import MessageDeflater, MessageInflater
    from eyewall.websocket.engine import WebSocketEngine
    from eyewall.websocket.errors import (
        HandshakeFailed,
        HandshakeRefused,
        MessageTooBig,
        PayloadError,
        PeerError,
        PolicyError,
        ProtocolError,
        WebSocketClosedError,
        WebSocketError,
    )
    from eyewall.websocket.interfaces import Receiver
    from eyewall.websocket.protocols import WebSocketParams, WebSocketProtocol, WebSocketProtocol13

__all__ = [
    "DeflateOptions",
    "DeflateParameters",
    "Delivery",
    "HandshakeFailed",
    "HandshakeRefused",
    "MessageDeflater",
    "MessageInflater",
    "MessageTooBig",
    "PayloadError",
    "PeerError",
    "PolicyError",
    "PreparedMessage",
    "ProtocolError",
    "Receiver",
    "WebSocketClosedError",
    "WebSocketConnection",
    "WebSocketCycle",
    "WebSocketEngine",
    "WebSocketError",
    "WebSocketParams",
    "WebSocketProtocol",
    "WebSocketProtocol13",
    "broadcast",
]

_NAMES = {
    "DeflateOptions": "deflate",
    "DeflateParameters": "deflate",
    "Delivery": "broadcasting",
    "HandshakeFailed": "errors",
    "HandshakeRefused": "errors",
    "MessageDeflater": "directions",
    "MessageInflater": "directions",
    "MessageTooBig": "errors",
    "PayloadError": "errors",
    "PeerError": "errors",
    "PolicyError": "errors",
    "PreparedMessage": "broadcasting",
    "ProtocolError": "errors",
    "Receiver": "interfaces",
    "WebSocketClosedError": "errors",
    "WebSocketConnection": "connection",
    "WebSocketCycle": "asgi",
    "WebSocketEngine": "engine",
    "WebSocketError": "errors",
    "WebSocketParams": "protocols",
    "WebSocketProtocol": "protocols",
    "WebSocketProtocol13": "protocols",
    "broadcast": "broadcasting",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
