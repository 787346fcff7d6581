"""Tornado's `tornado.escape`."""

from eyewall.base.escape import to_unicode as _unicode  # noqa: F401 - programs are known to use it
from eyewall.base.escape import json_decode as json_decode, json_encode as json_encode, linkify as linkify
from eyewall.base.escape import native_str as native_str, parse_qs_bytes as parse_qs_bytes
from eyewall.base.escape import recursive_unicode as recursive_unicode, squeeze as squeeze
from eyewall.base.escape import to_basestring as to_basestring, to_unicode as to_unicode
from eyewall.base.escape import url_escape as url_escape, url_unescape as url_unescape, utf8 as utf8
from eyewall.base.escape import xhtml_escape as xhtml_escape, xhtml_unescape as xhtml_unescape
from eyewall.base.percent import percent_decode as _unquote_to_bytes  # noqa: F401
