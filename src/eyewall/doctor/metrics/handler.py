"""`/metrics` among the routes of an application."""

from __future__ import annotations

import re

from eyewall.doctor.metrics.endpoint import PATH, MetricsEndpoint, Scrape
from eyewall.http.insiders import FORWARDING
from eyewall.web.handler import RequestHandler
from eyewall.web.routing import URLSpec


class MetricsHandler(RequestHandler):
    """Answers with everything that is counted; see `MetricsEndpoint` for who may ask. It is not logged."""

    def initialize(self, endpoint: MetricsEndpoint) -> None:
        self._endpoint = endpoint

    def get(self) -> None:
        """Answers with what `endpoint` does."""
        request, headers = self.request, self.request.headers
        reading = self._endpoint.answer(
            Scrape(
                "GET",
                request.remote_ip or "",
                headers.get("Host"),
                headers.get("Accept"),
                headers.get("Authorization"),
                any(name in headers for name in FORWARDING),
            )
        )
        self.set_status(reading.status)
        for name, value in reading.fields:
            self.set_header(name, value)
        self.write(reading.body)

    head = get

    def compute_etag(self) -> str | None:
        """None: nobody is to keep an answer."""
        return None

    def _log(self) -> None:
        """A line for every scrape would be most of a log."""


def metrics_routes(
    path: str = PATH, *, token: str | None = None, loopback: bool = False, public: bool = False
) -> list[URLSpec]:
    """Returns the route at `path` for an application; `token`, `loopback` and `public` are those of
    `MetricsEndpoint`, and so is what is raised.
    """
    endpoint = MetricsEndpoint(path, token=token, loopback=loopback, public=public)
    return [URLSpec(re.escape(path), MetricsHandler, {"endpoint": endpoint})]
