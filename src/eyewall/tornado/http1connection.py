"""Tornado's `tornado.http1connection`."""

from eyewall.http.h1connection import HTTP1Connection as HTTP1Connection
from eyewall.http.h1params import CR_OR_LF_RE as CR_OR_LF_RE, DIGITS as DIGITS, HEXDIGITS as HEXDIGITS
from eyewall.http.h1params import HTTP1ConnectionParameters as HTTP1ConnectionParameters
from eyewall.http.h1params import is_transfer_encoding_chunked as is_transfer_encoding_chunked
from eyewall.http.h1params import parse_hex_int as parse_hex_int, parse_int as parse_int
from eyewall.http.h1serving import HTTP1ServerConnection as HTTP1ServerConnection
from eyewall.guard.profile import TORNADO

_MAX_1XX_RESPONSES = TORNADO.informational_responses
