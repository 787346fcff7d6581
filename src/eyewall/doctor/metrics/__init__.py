"""`/metrics`: everything that is counted, in the formats that Prometheus reads. Needs the extra `metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.doctor.metrics.endpoint import MetricsApp, MetricsEndpoint
    from eyewall.doctor.metrics.families import EyewallMetrics
    from eyewall.doctor.metrics.handler import MetricsHandler, metrics_routes
    from eyewall.doctor.metrics.rendering import exposition

__all__ = [
    "EyewallMetrics",
    "MetricsApp",
    "MetricsEndpoint",
    "MetricsHandler",
    "exposition",
    "metrics_routes",
]

_NAMES = {
    "EyewallMetrics": "families",
    "MetricsApp": "endpoint",
    "MetricsEndpoint": "endpoint",
    "MetricsHandler": "handler",
    "exposition": "rendering",
    "metrics_routes": "handler",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
