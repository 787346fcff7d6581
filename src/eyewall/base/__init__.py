"""What every other layer stands on: errors, text and escaping, loggers, probe slots, HTTP dates.

Options, log formatters and the small utilities are left to their modules (`options`, `log`, `util`): what is
re-exported here is loaded by every program.
"""

from __future__ import annotations

from eyewall.base.clock import format_timestamp, http_date
from eyewall.base.context import request_id
from eyewall.base.errors import EyewallError, LimitExceeded
from eyewall.base.escape import (
    escape_text,
    json_decode,
    json_encode,
    to_unicode,
    url_escape,
    url_unescape,
    utf8,
    xhtml_escape,
    xhtml_unescape,
)
from eyewall.base.lazy import lazy_attribute
from eyewall.base.loggers import access_log, app_log, gen_log
from eyewall.base.probe import Slot

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
