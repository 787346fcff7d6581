"""Who may see what is no business of clients: who sends a token, or comes from this machine."""

from __future__ import annotations

import ipaddress
from hmac import compare_digest
from typing import TYPE_CHECKING

from eyewall.http.url import split_host_and_port

if TYPE_CHECKING:
    from eyewall.http.h1.head import Head

#: What a proxy adds to a request. One that comes through a proxy on this machine does not come from this machine.
FORWARDING = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")


class Insiders:
    """Who sends `token` as `Authorization: Bearer`; with `loopback`, also who comes from this machine, by its address
    and by the name it asks for, and not through a proxy that says so.

    A proxy on this machine that says nothing makes everybody come from here: believe it only on an address that no
    proxy passes on. Raises ValueError for an empty token.
    """

    __slots__ = ("_loopback", "_token")

    def __init__(self, token: str | None = None, loopback: bool = False) -> None:
        if token == "":
            raise ValueError("an empty token would let everybody see details; leave it away for nobody")
        self._token = None if token is None else token.encode()
        self._loopback = loopback

    def admits(self, peer: str, host: str | None, authorization: str | None, forwarded: bool) -> bool:
        """Whether a request is of one of them. `peer`: the address it comes from. `forwarded`: a proxy has passed it
        on. `host`, `authorization`: header fields, None where there is none."""
        if self._token is not None and authorization is not None:
            scheme, _, given = authorization.partition(" ")
            if scheme.lower() == "bearer" and compare_digest(given.strip().encode(), self._token):
                return True
        if not self._loopback or forwarded or not is_loopback(peer):
            return False
        # A page in a browser on this machine can make its own name lead here, but not leave that name out.
        name = split_host_and_port(host or "")[0]
        return name == "localhost" or is_loopback(name)


def was_forwarded(head: Head) -> bool:
    """Whether a request came through a proxy that says so."""
    return any(head.find(name.lower().encode()) is not None for name in FORWARDING)


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine's own."""
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return found.is_loopback or (mapped is not None and mapped.is_loopback)
