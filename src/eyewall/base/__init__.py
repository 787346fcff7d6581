"""What every other layer stands on: errors, text and escaping, loggers, options, probe slots, HTTP dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.base.clock import format_timestamp, http_date
    from eyewall.base.context import request_id
    from eyewall.base.errors import EyewallError, LimitExceeded
    from eyewall.base.escape import json_decode, json_encode, url_escape, url_unescape, xhtml_unescape
    from eyewall.base.lazy import lazy_attribute
    from eyewall.base.loggers import access_log, app_log, gen_log
    from eyewall.base.probe import Slot
    from eyewall.base.text import escape_text, to_unicode, utf8, xhtml_escape

__all__ = [
    "EyewallError",
    "LimitExceeded",
    "Slot",
    "access_log",
    "app_log",
    "escape_text",
    "format_timestamp",
    "gen_log",
    "http_date",
    "json_decode",
    "json_encode",
    "lazy_attribute",
    "request_id",
    "to_unicode",
    "url_escape",
    "url_unescape",
    "utf8",
    "xhtml_escape",
    "xhtml_unescape",
]

_NAMES = {
    "EyewallError": "errors",
    "LimitExceeded": "errors",
    "Slot": "probe",
    "access_log": "loggers",
    "app_log": "loggers",
    "escape_text": "text",
    "format_timestamp": "clock",
    "gen_log": "loggers",
    "http_date": "clock",
    "json_decode": "escape",
    "json_encode": "escape",
    "lazy_attribute": "lazy",
    "request_id": "context",
    "to_unicode": "text",
    "url_escape": "escape",
    "url_unescape": "escape",
    "utf8": "text",
    "xhtml_escape": "text",
    "xhtml_unescape": "escape",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
