"""Who the client is behind a reverse proxy.

X-Real-Ip and X-Scheme, X-Forwarded-For and X-Forwarded-Proto, or Forwarded say so. Every one of these can
be forged by a client, so only what the nearest proxy wrote counts: the last element of a list, or the last
one before those of further proxies that are known by address. To be used only where all requests come
through a proxy that sets, or removes, these headers.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection
from typing import NamedTuple

from eyewall.http.grammar import HTTP_WHITESPACE
from eyewall.http.headers import HTTPHeaders
from eyewall.http.parameters import iter_parameters, split_list

_ZONE = re.compile("[A-Za-z0-9._-]+")
_NODE = re.compile("(?:\\[([^]]*)]|([^:\\[]*))(?::[A-Za-z0-9._-]+)?")


class Trust(NamedTuple):
    """What is believed: `downstream` are addresses of proxies between the nearest one and the client.

    `standard`: the nearest proxy writes Forwarded (RFC 7239); the X- headers are then ignored, because a
    proxy that writes one kind lets the other through.
    """

    downstream: Collection[str] = ()
    standard: bool = False


def is_ip(text: str) -> bool:
    """Whether `text` is an IPv4 address in four parts, or an IPv6 address, a zone included."""
    if ":" not in text:
        family, address = socket.AF_INET, text
    else:
        family = socket.AF_INET6
        address, percent, zone = text.partition("%")
        if percent and not _ZONE.fullmatch(zone):
            return False
    try:
        socket.inet_pton(family, address)
    except (OSError, ValueError):
        return False
    return True


def forwarded(
    headers: HTTPHeaders, remote_ip: str, protocol: str, trust: Trust | Collection[str] = ()
) -> tuple[str, str]:
    """Returns the (remote_ip, protocol) of a request as its proxy states them.

    `remote_ip` and `protocol` are those of the connection: what cannot be read leaves them as they are. A
    bare collection for `trust` is `Trust(downstream)`.
    """
    if not isinstance(trust, Trust):
        trust = Trust(trust)
    if trust.standard:
        stated_ip, stated_protocol = _standard(headers, trust.downstream)
    else:
        real_ip = headers.get("X-Real-Ip")
        if real_ip is None:
            real_ip = _nearest(headers.get("X-Forwarded-For", "").split(","), trust.downstream)
        scheme = headers.get("X-Scheme")
        if scheme is None:
            # Each proxy adds its own at the end; the last one speaks of the connection that it took.
            scheme = headers.get("X-Forwarded-Proto", "").rpartition(",")[2]
        stated_ip, stated_protocol = real_ip, scheme
    stated_ip = stated_ip.strip(HTTP_WHITESPACE)
    stated_protocol = stated_protocol.strip(HTTP_WHITESPACE)
    return (
        stated_ip if is_ip(stated_ip) else remote_ip,
        stated_protocol if stated_protocol in ("http", "https") else protocol,
    )


def _nearest(addresses: list[str], downstream: Collection[str]) -> str:
    """Returns the last address that is not one of `downstream`; the first where all are."""
    address = ""
    for address in reversed(addresses):
        if address.strip(HTTP_WHITESPACE) not in downstream:
            break
    return address


def _standard(headers: HTTPHeaders, downstream: Collection[str]) -> tuple[str, str]:
    elements = [dict(iter_parameters(text)) for text in split_list(headers.get("Forwarded", ""))]
    addresses = []
    for element in elements:
        node = _NODE.fullmatch(element.get("for", ""))
        addresses.append((node[1] or node[2]) if node else "")
    return _nearest(addresses, downstream), elements[-1].get("proto", "").lower()
