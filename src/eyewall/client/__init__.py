"""HTTP and WebSocket clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.client.blocking import HTTPClient
    from eyewall.client.curl import CurlAsyncHTTPClient, CurlError
    from eyewall.client.errors import (
        CallbackFailed,
        ClientClosed,
        ClientQueueFull,
        ClientQueueTimeout,
        InvalidURL,
        MalformedResponse,
        ProxyRefused,
        ResponseHeadTooLarge,
        ServerDisconnected,
        UnknownMethod,
    )
    from eyewall.client.guarding import HostGuard, http_retry
    from eyewall.client.pool import PoolMetrics
    from eyewall.client.request import (
        HTTPClientError,
        HTTPError,
        HTTPRequest,
        HTTPResponse,
        HTTPStreamClosedError,
        HTTPTimeoutError,
    )
    from eyewall.client.simple import AsyncHTTPClient, SimpleAsyncHTTPClient
    from eyewall.client.stream import StreamedResponse
    from eyewall.client.websocket import WebSocketClientConnection, websocket_connect

__all__ = [
    "AsyncHTTPClient",
    "CallbackFailed",
    "ClientClosed",
    "ClientQueueFull",
    "ClientQueueTimeout",
    "CurlAsyncHTTPClient",
    "CurlError",
    "HTTPClient",
    "HTTPClientError",
    "HTTPError",
    "HTTPRequest",
    "HTTPResponse",
    "HTTPStreamClosedError",
    "HTTPTimeoutError",
    "HostGuard",
    "InvalidURL",
    "MalformedResponse",
    "PoolMetrics",
    "ProxyRefused",
    "ResponseHeadTooLarge",
    "ServerDisconnected",
    "SimpleAsyncHTTPClient",
    "StreamedResponse",
    "UnknownMethod",
    "WebSocketClientConnection",
    "http_retry",
    "websocket_connect",
]

_NAMES = {
    "AsyncHTTPClient": "simple",
    "CallbackFailed": "errors",
    "ClientClosed": "errors",
    "ClientQueueFull": "errors",
    "ClientQueueTimeout": "errors",
    "CurlAsyncHTTPClient": "curl",
    "CurlError": "curl",
    "HTTPClient": "blocking",
    "HTTPClientError": "request",
    "HTTPError": "request",
    "HTTPRequest": "request",
    "HTTPResponse": "request",
    "HTTPStreamClosedError": "request",
    "HTTPTimeoutError": "request",
    "HostGuard": "guarding",
    "InvalidURL": "errors",
    "MalformedResponse": "errors",
    "PoolMetrics": "pool",
    "ProxyRefused": "errors",
    "ResponseHeadTooLarge": "errors",
    "ServerDisconnected": "errors",
    "SimpleAsyncHTTPClient": "simple",
    "StreamedResponse": "stream",
    "UnknownMethod": "errors",
    "WebSocketClientConnection": "websocket",
    "http_retry": "guarding",
    "websocket_connect": "websocket",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
