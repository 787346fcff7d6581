"""One request through several processes: W3C trace context, request ids, OpenTelemetry spans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.doctor.tracing.context import TraceContext, current_trace
    from eyewall.doctor.tracing.propagation import disable, enable

__all__ = ["TraceContext", "current_trace", "disable", "enable"]

_NAMES = {
    "TraceContext": "context",
    "current_trace": "context",
    "disable": "propagation",
    "enable": "propagation",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
