"""The octet classes of HTTP/1 (RFC 9110 section 5.6.2, RFC 9112 section 2) as tables of 256 flags.

A table answers `TABLE[octet]` with 1 where the octet belongs to the class. The parser looks every octet of a head
up in one of them, so that an octet that no rule allows has no way in.
"""

from __future__ import annotations

_ALPHANUMERIC = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def octet_table(allowed: bytes) -> bytes:
    """Returns the table whose class is `allowed`."""
    return bytes(octet in allowed for octet in range(256))


#: tchar: what methods and field names are made of.
TOKEN = octet_table(b"!#$%&'*+-.^_`|~" + _ALPHANUMERIC)
#: field-vchar, SP and HTAB: what field values are made of.
VALUE = octet_table(bytes([9, *range(32, 127), *range(128, 256)]))
#: What a request target is made of. A fragment is never sent (RFC 9110 section 7.1).
TARGET = octet_table(bytes(octet for octet in range(33, 127) if octet != ord("#")))
#: A lenient target: what Tornado lets through, too.
LENIENT_TARGET = octet_table(bytes([*range(33, 127), *range(128, 256)]))
#: uri-host with an optional port (RFC 3986 section 3.2.2).
HOST = octet_table(b"-._~!$&'()*+,;=:[]%" + _ALPHANUMERIC)
#: HEXDIG, to its value plus one; 0 for every other octet.
HEX = bytes(b"0123456789abcdef".find(bytes([octet]).lower()) + 1 for octet in range(256))
