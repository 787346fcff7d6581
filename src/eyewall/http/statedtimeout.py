"""How much time a client says that it has: `X-Request-Timeout`, in seconds, and gRPC's `grpc-timeout`.

Read strictly: what is not exactly a time is refused, rather than taken for one that the client did not mean.
"""

from __future__ import annotations

import re
from typing import Protocol

from eyewall.http.errors import RemoteProtocolError

#: "2", "0.25": seconds.
_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)
#: gRPC over HTTP/2: at most eight digits and a unit.
_GRPC = re.compile(r"([0-9]{1,8})([HMSmun])", re.ASCII)
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


class Fields(Protocol):
    """A request whose header fields can be looked up by their lower-case names."""

    def find_header(self, name: bytes) -> str | None: ...


def stated_timeout(request: Fields) -> float:
    """Returns the seconds that the client of `request` states, the fewest where it does so twice; 0 for nothing.

    Raises RemoteProtocolError (400) for what is not a positive time.
    """
    seconds = request.find_header(b"x-request-timeout")
    grpc = request.find_header(b"grpc-timeout")
    stated = []
    if seconds is not None:
        stated.append(parse_seconds(seconds))
    if grpc is not None:
        stated.append(parse_grpc_timeout(grpc))
    return min(stated, default=0.0)


def parse_seconds(value: str) -> float:
    """Returns what an X-Request-Timeout field says, in seconds. Raises RemoteProtocolError."""
    found = _SECONDS.fullmatch(value)
    return _positive(float(value) if found is not None else 0.0, "X-Request-Timeout")


def parse_grpc_timeout(value: str) -> float:
    """Returns what a grpc-timeout field ("100m" for 100 milliseconds) says, in seconds. Raises RemoteProtocolError."""
    found = _GRPC.fullmatch(value)
    return _positive(int(found[1]) * _UNITS[found[2]] if found is not None else 0.0, "grpc-timeout")


def _positive(seconds: float, name: str) -> float:
    if seconds <= 0.0:
        raise RemoteProtocolError(400, f"the field {name} is not a positive time")
    return seconds
