"""What is sent to whoever scrapes: the text format of Prometheus, or OpenMetrics, as it asks for."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from eyewall.doctor.metrics.families import EyewallMetrics


class _Together(Collector):
    """Eyewall's metrics, and those of a registry: what the program counts itself, the process, the interpreter."""

    def __init__(self, registry: Collector) -> None:
        self._registry = registry
        self._own = EyewallMetrics()

    def collect(self) -> Iterator[Metric]:
        """Returns both, each name once."""
        seen: set[str] = set()
        for family in self._own.collect():
            seen.add(family.name)
            yield family
        for family in self._registry.collect():
            # A program may have registered `EyewallMetrics` itself.
            if family.name not in seen:
                yield family


def exposition(accept: str = "", registry: Collector = REGISTRY) -> tuple[bytes, str]:
    """Returns everything that is counted, and its Content-Type.

    `accept`: the Accept field of the request; OpenMetrics where that names it. `registry`: what else is told, by
    default what `prometheus_client` registers everything with.
    """
    encoder, content_type = choose_encoder(accept)
    return encoder(_Together(registry)), content_type
