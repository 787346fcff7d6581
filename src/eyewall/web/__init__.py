"""The web framework: what most programs import.

It has the names of `tornado.web`, and beside them `WebSocketHandler`, events, rooms and streamed uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.web.application import Application
    from eyewall.web.decorators import addslash, authenticated, removeslash, stream_request_body
    from eyewall.web.errors import Finish, HTTPError, MissingArgumentError
    from eyewall.web.handler import RequestHandler
    from eyewall.web.handlers import ErrorHandler, FallbackHandler, RedirectHandler
    from eyewall.web.matchers import AnyMatches, HostMatches, PathMatches
    from eyewall.web.ratelimiting import rate_limited
    from eyewall.web.rooms import RoomHandler, TopicHandler
    from eyewall.web.routing import Router, Rule, RuleRouter, URLSpec, url
    from eyewall.web.signing import create_signed_value, decode_signed_value, get_signature_key_version
    from eyewall.web.sse import Event, EventSourceHandler
    from eyewall.web.static import StaticFileHandler
    from eyewall.web.transforms import GZipContentEncoding, OutputTransform
    from eyewall.web.uimodules import TemplateModule, UIModule
    from eyewall.web.uploads import UploadHandler
    from eyewall.web.websocket import WebSocketHandler

__all__ = [
    "AnyMatches",
    "Application",
    "ErrorHandler",
    "Event",
    "EventSourceHandler",
    "FallbackHandler",
    "Finish",
    "GZipContentEncoding",
    "HTTPError",
    "HostMatches",
    "MissingArgumentError",
    "OutputTransform",
    "PathMatches",
    "RedirectHandler",
    "RequestHandler",
    "RoomHandler",
    "Router",
    "Rule",
    "RuleRouter",
    "StaticFileHandler",
    "TemplateModule",
    "TopicHandler",
    "UIModule",
    "URLSpec",
    "UploadHandler",
    "WebSocketHandler",
    "addslash",
    "authenticated",
    "create_signed_value",
    "decode_signed_value",
    "get_signature_key_version",
    "rate_limited",
    "removeslash",
    "stream_request_body",
    "url",
]

_NAMES = {
    "AnyMatches": "matchers",
    "Application": "application",
    "ErrorHandler": "handlers",
    "Event": "sse",
    "EventSourceHandler": "sse",
    "FallbackHandler": "handlers",
    "Finish": "errors",
    "GZipContentEncoding": "transforms",
    "HTTPError": "errors",
    "HostMatches": "matchers",
    "MissingArgumentError": "errors",
    "OutputTransform": "transforms",
    "PathMatches": "matchers",
    "RedirectHandler": "handlers",
    "RequestHandler": "handler",
    "RoomHandler": "rooms",
    "Router": "routing",
    "Rule": "routing",
    "RuleRouter": "routing",
    "StaticFileHandler": "static",
    "TemplateModule": "uimodules",
    "TopicHandler": "rooms",
    "UIModule": "uimodules",
    "URLSpec": "routing",
    "UploadHandler": "uploads",
    "WebSocketHandler": "websocket",
    "addslash": "decorators",
    "authenticated": "decorators",
    "create_signed_value": "signing",
    "decode_signed_value": "signing",
    "get_signature_key_version": "signing",
    "rate_limited": "ratelimiting",
    "removeslash": "decorators",
    "stream_request_body": "decorators",
    "url": "routing",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
