"""The grammar of HTTP's small words (RFC 9110 section 5, RFC 9112), as compiled patterns over str.

A str here stands for bytes: characters up to U+00FF, as decoding from Latin-1 gives them. Every pattern is
meant for `fullmatch` and takes linear time.
"""

from __future__ import annotations

import re

#: What RFC 9110 calls OWS, and the only white space that surrounds a value.
HTTP_WHITESPACE = " \t"

#: tchar of RFC 9110 section 5.6.2.
TCHAR = "!#$%&'*+\\-.^_`|~0-9A-Za-z"
#: field-vchar of RFC 9110 section 5.5, obs-text included.
_FIELD_VCHAR = "\x21-\x7e\x80-\xff"

TOKEN = re.compile(f"[{TCHAR}]+")
FIELD_NAME = TOKEN
FIELD_VALUE = re.compile(f"(?:[{_FIELD_VCHAR}](?:[\t \x21-\x7e\x80-\xff]*[{_FIELD_VCHAR}])?)?")
REQUEST_TARGET = re.compile(f"[{_FIELD_VCHAR}]+")
REASON_PHRASE = re.compile("[\t \x21-\x7e\x80-\xff]+")

#: What no field value may contain: it would end the field, or be read differently by the next server.
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def is_token(text: str) -> bool:
    """Whether `text` is a token of RFC 9110 section 5.6.2."""
    return TOKEN.fullmatch(text) is not None


def has_control(text: str) -> bool:
    """Whether `text` contains a control character other than a tab: CR, LF, NUL and the like."""
    # `isprintable` is many times faster than a pattern; what it rejects too much of is looked at again.
    return not text.isprintable() and CONTROL.search(text) is not None
