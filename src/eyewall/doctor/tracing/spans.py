"""Spans of OpenTelemetry for requests, named as its semantic conventions for HTTP say.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
except ImportError as error:
    raise ImportError(
        "spans need OpenTelemetry, which is not installed: pip install 'eyewall[tracing]'"
    ) from error
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from eyewall._version import VERSION
from eyewall.doctor.tracing.context import TraceContext
from eyewall.http.url import split_host_and_port

#: Methods that are called by their name; others are `_OTHER`, as clients may send anything.
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"))
_PORTS = {"http": 80, "https": 443}


class OpenTelemetrySpans:
    """Records spans with the tracer of `provider`; None for the one that the program has set."""

    def __init__(self, provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("eyewall", VERSION, provider)

    def serve(self, request: Any, parent: TraceContext | None) -> tuple[Any, TraceContext]:
        """Begins the span of a request, which becomes the present one for whatever else records spans."""
        host, port = split_host_and_port(request.host)
        attributes: dict[str, Any] = {
            **_method(request.method),
            "url.scheme": request.protocol,
            "url.path": request.path,
            "server.address": host,
            "network.protocol.version": request.version.partition("/")[2],
        }
        if port is not None:
            attributes["server.port"] = port
        if request.query:
            attributes["url.query"] = request.query
        if request.remote_ip:
            attributes["client.address"] = request.remote_ip
        agent = request.find_header(b"user-agent")
        if agent:
            attributes["user_agent.original"] = agent
        span = self._tracer.start_span(
            _name(request.method), _context_of(parent), SpanKind.SERVER, attributes
        )
        contexts.attach(trace.set_span_in_context(span, contexts.Context()))
        return (span, request.method), _of_span(span)

    def served(self, span: Any, route: str, status: int) -> None:
        """Ends it."""
        recorded, method = span
        if route:
            recorded.update_name(f"{_name(method)} {route}")
            recorded.set_attribute("http.route", route)
        if status:
            recorded.set_attribute("http.response.status_code", status)
        if not status or status >= 500:
            recorded.set_attribute("error.type", str(status) if status else "client_left")
            recorded.set_status(Status(StatusCode.ERROR))
        recorded.end()

    def fetch(self, options: Any, parent: TraceContext | None) -> tuple[Any, TraceContext]:
        """Begins the span of a request that a client makes, with all its redirects and repetitions."""
        parts = urlsplit(options.url)
        host = parts.hostname or ""
        try:
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            port = 0
        bare = parts.netloc.rpartition("@")[2]
        where = parts if bare == parts.netloc else parts._replace(netloc=f"REDACTED:REDACTED@{bare}")
        attributes: dict[str, Any] = {
            **_method(options.method),
            "url.full": urlunsplit(where),
            "server.address": host,
            "server.port": port,
        }
        present = trace.get_current_span().get_span_context()
        context = None if present.is_valid else _context_of(parent)
        span = self._tracer.start_span(_name(options.method), context, SpanKind.CLIENT, attributes)
        return span, _of_span(span)

    def fetched(self, span: Any, status: int, error: BaseException | None) -> None:
        """Ends it."""
        if status:
            span.set_attribute("http.response.status_code", status)
        if status >= 400 or error is not None:
            span.set_attribute(
                "error.type", str(status) if status or error is None else type(error).__qualname__
            )
            span.set_status(Status(StatusCode.ERROR))
        span.end()


def _name(method: str) -> str:
    return method if method in _METHODS else "HTTP"


def _method(method: str) -> dict[str, str]:
    if method in _METHODS:
        return {"http.request.method": method}
    return {"http.request.method": "_OTHER", "http.request.method_original": method}


def _context_of(parent: TraceContext | None) -> contexts.Context:
    """Returns a context of OpenTelemetry's in which `parent` is the present span, or none is."""
    if parent is None:
        return contexts.Context()
    span = SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        True,
        TraceFlags(parent.flags),
        TraceState(list(parent.state)),
    )
    return trace.set_span_in_context(NonRecordingSpan(span), contexts.Context())


def _of_span(span: trace.Span) -> TraceContext:
    found = span.get_span_context()
    return TraceContext(
        f"{found.trace_id:032x}",
        f"{found.span_id:016x}",
        int(found.trace_flags) & 1,
        tuple(found.trace_state.items()),
    )
