"""Traces and request ids on their way: from a request that comes, through what serves it, to the requests it makes.

Two probe slots are all that is needed: a request begins (its context is taken from its fields, and kept for everything
that runs on its behalf), and a client is about to make one (the fields are written). While nobody has called `enable`,
nobody listens, and it costs nothing.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from eyewall.base import probe
from eyewall.base.context import request_id
from eyewall.doctor.tracing.context import TraceContext, current_trace, new_trace, parse
from eyewall.http.headers import HTTPHeaders

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider


class Spans(Protocol):
    """Who records spans. A span is what the methods return, and take."""

    def serve(self, request: Any, parent: TraceContext | None) -> tuple[Any, TraceContext]:
        """A request has come."""

    def served(self, span: Any, route: str, status: int) -> None:
        """Its response is written. A status of 0: it never was."""

    def fetch(self, options: Any, parent: TraceContext | None) -> tuple[Any, TraceContext]:
        """A request is about to be made."""

    def fetched(self, span: Any, status: int, error: BaseException | None) -> None:
        """It has ended, with a response or an error."""


class NoSpans:
    """Passes contexts on and records nothing."""

    def serve(self, request: Any, parent: TraceContext | None) -> tuple[Any, TraceContext]:
        """A span of the client's trace, or of a new one that nobody records."""
        return None, parent.child() if parent is not None else new_trace(sampled=False)

    def served(self, span: Any, route: str, status: int) -> None:
        """Nothing."""

    def fetch(self, options: Any, parent: TraceContext | None) -> tuple[Any, TraceContext]:
        """A span below the present one."""
        return None, parent.child() if parent is not None else new_trace(sampled=False)

    def fetched(self, span: Any, status: int, error: BaseException | None) -> None:
        """Nothing."""


class _Propagation:
    """What listens while tracing is on."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._serving: weakref.WeakKeyDictionary[Any, weakref.finalize[..., Any]] = (
            weakref.WeakKeyDictionary()
        )
        self._detach = [
            probe.request_begin.attach(self.request_begins),
            probe.request_end.attach(self.request_ends),
            probe.fetch_begin.attach(self.fetch_begins),
        ]

    def end(self) -> None:
        """Listens no more."""
        for detach in self._detach:
            detach()

    def request_begins(self, request: Any) -> None:
        """Has everything that serves it belong to its trace."""
        parent = parse(request.find_header(b"traceparent"), request.find_header(b"tracestate"))
        span, context = self._spans.serve(request, parent)
        current_trace.set(context)
        # Where its client leaves, nothing is said of its end.
        self._serving[request] = weakref.finalize(request, self._spans.served, span, "", 0)

    def request_ends(self, request: Any, status: int, seconds: float) -> None:
        """Its response is written."""
        finalizer = self._serving.pop(request, None)
        found = None if finalizer is None else finalizer.detach()
        if found is not None:
            self._spans.served(found[2][0], getattr(request, "_route", ""), status)

    def fetch_begins(self, options: Any, future: Any) -> None:
        """Writes the fields, unless the application has."""
        span, context = self._spans.fetch(options, current_trace.get())
        headers = HTTPHeaders(options.headers)
        if "traceparent" not in headers:
            headers["traceparent"] = context.traceparent()
            state = context.tracestate()
            if state:
                headers["tracestate"] = state
        name = request_id.get()
        if name is not None and "X-Request-ID" not in headers:
            headers["X-Request-ID"] = name
        # For this time only: an application may make the same request again.
        options.headers = headers
        future.add_done_callback(lambda done: self._fetched(span, done))

    def _fetched(self, span: Any, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            self._spans.fetched(span, 0, asyncio.CancelledError())
            return
        # To ask for it would count as reading it.
        error: BaseException | None = future._exception
        if error is None:
            self._spans.fetched(span, future.result().code, None)
        else:
            response = getattr(error, "response", None)
            self._spans.fetched(span, 0 if response is None else response.code, error)


_lock = Lock()
_propagation: _Propagation | None = None


def enable(*, spans: bool = False, provider: TracerProvider | None = None) -> Callable[[], None]:
    """Has traces and request ids travel with requests from now on, in this process. Returns `disable`.

    `spans`: records each request that is served, and each that a client makes, as a span of OpenTelemetry, with the
    `provider`, by default the one that the program has set (`opentelemetry.trace.set_tracer_provider`). That needs the
    extra `tracing`; ImportError says so where it is missing. A second call replaces the first.
    """
    global _propagation
    recorder: Spans = NoSpans()
    if spans or provider is not None:
        # An extra: loaded where it is wanted.
        from eyewall.doctor.tracing.spans import OpenTelemetrySpans

        recorder = OpenTelemetrySpans(provider)
    with _lock:
        if _propagation is not None:
            _propagation.end()
        _propagation = _Propagation(recorder)
    return disable


def disable() -> None:
    """Ends it. Spans that have begun are not recorded any more."""
    global _propagation
    with _lock:
        propagation, _propagation = _propagation, None
        if propagation is not None:
            propagation.end()
