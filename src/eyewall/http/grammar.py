"""The grammar of HTTP's small words (RFC 9110 sections 5 and 7, RFC 9112), each class of octets written down once.

A class comes in two forms. Tables of 256 flags are for octets: `TABLE[octet]` is 1 where the octet belongs to the
class, and a parser that looks every octet up lets none in that no rule allows. Patterns are for str, where a
character up to U+00FF stands for a byte, as decoding from Latin-1 gives them. Every pattern is meant for
`fullmatch` and takes linear time.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

#: What RFC 9110 calls OWS, and the only white space that surrounds a value.
HTTP_WHITESPACE = " \t"

_ALPHANUMERIC = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TCHAR = b"!#$%&'*+-.^_`|~" + _ALPHANUMERIC
_VCHAR = bytes(range(33, 127))
_OBS_TEXT = bytes(range(128, 256))


def octet_table(allowed: bytes) -> bytes:
    """Returns the table whose class is `allowed`."""
    flags = bytearray(256)
    for octet in allowed:
        flags[octet] = 1
    return bytes(flags)


#: tchar (RFC 9110 section 5.6.2): what methods, field names and codings are made of.
TOKEN_OCTETS = octet_table(_TCHAR)
#: field-vchar, SP and HTAB (section 5.5): what field values and reason phrases are made of.
VALUE_OCTETS = octet_table(b"\t " + _VCHAR + _OBS_TEXT)
#: What a request target is made of. A fragment is never sent (RFC 9110 section 7.1).
TARGET_OCTETS = octet_table(_VCHAR.replace(b"#", b""))
#: A lenient target: what Tornado lets through, too.
LENIENT_TARGET_OCTETS = octet_table(_VCHAR + _OBS_TEXT)
#: reg-name without percent signs and commas, which no name of a host has; see `http.h1.targets`.
HOST_OCTETS = octet_table(b"-._~!$&'()*+;=" + _ALPHANUMERIC)
#: HEXDIG, to its value plus one; 0 for every other octet.
HEX_DIGITS = bytes(b"0123456789abcdef".find(bytes([octet]).lower()) + 1 for octet in range(256))

TOKEN = re.compile(f"[{re.escape(_TCHAR.decode())}]+")
FIELD_NAME = TOKEN
#: field-vchar of RFC 9110 section 5.5, obs-text included.
_FIELD_VCHAR = "\x21-\x7e\x80-\xff"
FIELD_VALUE = re.compile(f"(?:[{_FIELD_VCHAR}](?:[\t {_FIELD_VCHAR}]*[{_FIELD_VCHAR}])?)?")
REQUEST_TARGET = re.compile(f"[{_FIELD_VCHAR}]+")
REASON_PHRASE = re.compile(f"[\t {_FIELD_VCHAR}]+")
#: What no field value may contain: it would end the field, or be read differently by the next server.
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def is_token(text: str) -> bool:
    """Tells whether `text` is a token of RFC 9110 section 5.6.2."""
    return TOKEN.fullmatch(text) is not None


def has_control(text: str) -> bool:
    """Tells whether `text` contains a control character other than a tab: CR, LF, NUL and the like."""
    # `isprintable` is many times faster than a pattern; what it rejects too much of is looked at again.
    return not text.isprintable() and CONTROL.search(text) is not None


#: The patterns by their names, in lower case.
PATTERNS = SimpleNamespace(
    **{name.lower(): value for name, value in globals().items() if isinstance(value, re.Pattern)}
)
