"""W3C trace context: which trace a piece of work belongs to, as it stands in `traceparent` and `tracestate`.

https://www.w3.org/TR/trace-context/. An engine: text in, a `TraceContext` out, and back. What does not parse is None,
never an error: somebody else's header must not fail a request (section 3.2.2.5 and 4.3).
"""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from typing import NamedTuple

#: Members of a tracestate that are kept, and characters of all of them together (section 3.3.1.5).
MEMBERS = 32
LENGTH = 512

SAMPLED = 0x01

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL)
#: Section 3.3.1.3: a vendor's key, or a tenant's with its system; the value is printable ASCII but comma and equals.
_MEMBER = re.compile(
    r"([a-z][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13})"
    r"=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])",
    re.ASCII,
)


class TraceContext(NamedTuple):
    """A span of a trace. `trace_id` and `span_id` are hexadecimal, 32 and 16 digits; `state` are the members of the
    tracestate, the most recent first."""

    trace_id: str
    span_id: str
    flags: int = 0
    state: tuple[tuple[str, str], ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether whoever began the trace records it."""
        return bool(self.flags & SAMPLED)

    def child(self) -> TraceContext:
        """Returns a new span of the same trace."""
        return self._replace(span_id=new_span_id())

    def traceparent(self) -> str:
        """Returns the field `traceparent`, in version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags & SAMPLED:02x}"

    def tracestate(self) -> str:
        """Returns the field `tracestate`, empty for none."""
        return ",".join(f"{name}={value}" for name, value in self.state)


#: The span that the work at hand is part of; None where nobody traces.
current_trace: ContextVar[TraceContext | None] = ContextVar("eyewall.trace", default=None)


def parse_traceparent(text: str) -> TraceContext | None:
    """Returns the context that `traceparent` says, without a state; None where it says none.

    A version that is not known yet is read as 00, and may have more behind it (section 3.2.4); version ff, ids of zeros
    only and capital letters are invalid.
    """
    match = _PARENT.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, int(flags, 16) & SAMPLED)


def parse_tracestate(text: str) -> tuple[tuple[str, str], ...]:
    """Returns the members of a `tracestate`, several fields joined by commas; none where it does not parse.

    One that is too long loses its last members (section 3.3.1.5).
    """
    found: dict[str, str] = {}
    for member in text.split(","):
        member = member.strip(" \t")
        if not member:
            # Empty members are allowed.
            continue
        match = _MEMBER.fullmatch(member)
        if match is None or match[1] in found:
            return ()
        found[match[1]] = match[2]
    if len(found) > MEMBERS:
        return ()
    kept: list[tuple[str, str]] = []
    length = 0
    for name, value in found.items():
        length += len(name) + len(value) + 1 + bool(kept)
        if length > LENGTH:
            break
        kept.append((name, value))
    return tuple(kept)


def parse(traceparent: str | None, tracestate: str | None = None) -> TraceContext | None:
    """Returns what both fields say; without a valid `traceparent`, the other one counts for nothing."""
    context = None if traceparent is None else parse_traceparent(traceparent)
    if context is None or not tracestate:
        return context
    return context._replace(state=parse_tracestate(tracestate))


def new_trace(sampled: bool = True) -> TraceContext:
    """Returns the first span of a new trace."""
    return TraceContext(_random(16), new_span_id(), SAMPLED if sampled else 0)


def new_span_id() -> str:
    """Returns an id that no other span of the trace has."""
    return _random(8)


def _random(size: int) -> str:
    while True:
        octets = os.urandom(size)
        if any(octets):
            return octets.hex()
