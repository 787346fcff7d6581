"""HTTP: headers, the HTTP/1 engine, requests, bodies, the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.http.asgi import ASGIContainer
    from eyewall.http.delegates import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate
    from eyewall.http.errors import (
        HTTPInputError,
        HTTPOutputError,
        LocalProtocolError,
        ProtocolError,
        RemoteProtocolError,
    )
    from eyewall.http.exchange import Exchange
    from eyewall.http.forms import HTTPFile
    from eyewall.http.h1connection import HTTP1Connection
    from eyewall.http.h1params import HTTP1ConnectionParameters
    from eyewall.http.h1serving import HTTP1ServerConnection
    from eyewall.http.headers import HTTPHeaders
    from eyewall.http.request import HTTPServerRequest
    from eyewall.http.server import HTTPServer
    from eyewall.http.startline import RequestStartLine, ResponseStartLine, responses
    from eyewall.http.upload import MultipartReceiver
    from eyewall.http.wsgi import WSGIContainer

__all__ = [
    "ASGIContainer",
    "Exchange",
    "HTTP1Connection",
    "HTTP1ConnectionParameters",
    "HTTP1ServerConnection",
    "HTTPConnection",
    "HTTPFile",
    "HTTPHeaders",
    "HTTPInputError",
    "HTTPMessageDelegate",
    "HTTPOutputError",
    "HTTPServer",
    "HTTPServerConnectionDelegate",
    "HTTPServerRequest",
    "LocalProtocolError",
    "MultipartReceiver",
    "ProtocolError",
    "RemoteProtocolError",
    "RequestStartLine",
    "ResponseStartLine",
    "WSGIContainer",
    "responses",
]

_NAMES = {
    "ASGIContainer": "asgi",
    "Exchange": "exchange",
    "HTTP1Connection": "h1connection",
    "HTTP1ConnectionParameters": "h1params",
    "HTTP1ServerConnection": "h1serving",
    "HTTPConnection": "delegates",
    "HTTPFile": "forms",
    "HTTPHeaders": "headers",
    "HTTPInputError": "errors",
    "HTTPMessageDelegate": "delegates",
    "HTTPOutputError": "errors",
    "HTTPServer": "server",
    "HTTPServerConnectionDelegate": "delegates",
    "HTTPServerRequest": "request",
    "LocalProtocolError": "errors",
    "MultipartReceiver": "upload",
    "ProtocolError": "errors",
    "RemoteProtocolError": "errors",
    "RequestStartLine": "startline",
    "ResponseStartLine": "startline",
    "WSGIContainer": "wsgi",
    "responses": "startline",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
