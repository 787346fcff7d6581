"""Request targets that are not just a path, and the hosts that requests name (RFC 9112 section 3.2).

A server that is told two hosts, or a host that two readers would take for different ones, refuses. So an authority
is exactly a host and perhaps a port: no user information, no list, no escape that is none.
"""

from __future__ import annotations

import socket

from eyewall.http.errors import RemoteProtocolError
from eyewall.http.grammar import HEX_DIGITS, HOST_OCTETS
from eyewall.http.h1.head import Head

_SCHEMES = ("http", "https")
#: The longest IPv6 address as text.
_LONGEST_ADDRESS = 45


def is_authority(data: bytes, start: int, end: int) -> bool:
    """Tells whether `data[start:end]` is host[:port] (RFC 9110 section 4.2, RFC 3986 section 3.2.2)."""
    position = start
    if position < end and data[position] == 91:
        while position < end and data[position] != 93:
            position += 1
        if position >= end or not _is_address(data[start + 1 : position]):
            return False
        position += 1
    else:
        while position < end:
            if HOST_OCTETS[data[position]]:
                position += 1
            elif (
                data[position] == 37
                and position + 2 < end
                and HEX_DIGITS[data[position + 1]]
                and HEX_DIGITS[data[position + 2]]
            ):
                position += 3
            else:
                break
    if position == start:
        return False
    if position == end:
        return True
    if data[position] != 58 or end - position > 6:
        return False
    port = 0
    position += 1
    while position < end:
        digit = data[position] - 48
        if digit < 0 or digit > 9:
            return False
        port = port * 10 + digit
        position += 1
    return port < 65536


def _is_address(text: bytes) -> bool:
    """Tells whether this is an IPv6 address (without a zone, which is nobody else's business)."""
    if not text.isascii() or len(text) > _LONGEST_ADDRESS:
        return False
    try:
        socket.inet_pton(socket.AF_INET6, text.decode("ascii"))
    except (OSError, ValueError):
        return False
    return True


def parse_target(head: Head) -> None:
    """Completes the head of a request whose target is no path: absolute-form, authority-form, asterisk-form.

    An absolute-form target becomes the path it names, and `authority`; its scheme counts for nothing, since the
    connection knows better. Raises RemoteProtocolError for what is none of these, or not for this method.
    """
    target = head.target
    if head.method == "CONNECT":
        raw = target.encode("latin-1")
        if not is_authority(raw, 0, len(raw)) or not target.rpartition(":")[2].isdigit():
            raise RemoteProtocolError(400, "malformed target of CONNECT")
        head.authority = target
        return
    if target == "*":
        if head.method != "OPTIONS":
            raise RemoteProtocolError(400, "the target * is for OPTIONS only")
        head.path = target
        return
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise RemoteProtocolError(400, "malformed request target")
    cut = len(rest)
    for delimiter in "/?":
        found = rest.find(delimiter)
        if 0 <= found < cut:
            cut = found
    raw = rest[:cut].encode("latin-1")
    if not is_authority(raw, 0, len(raw)):
        raise RemoteProtocolError(400, "malformed authority in the request target")
    origin = rest[cut:]
    if not origin.startswith("/"):
        origin = "/" + origin
    head.authority = rest[:cut]
    head.target = origin
    head.path, _, head.query = origin.partition("?")
