"""Health endpoints of an application: as the setting `health`, or as routes among its own.

The setting puts them before the application, so that nothing of it stands in their way. Routes are for an application
that is itself mounted in another one, or wants to see these requests.
"""

from __future__ import annotations

import re
from inspect import isawaitable
from typing import TYPE_CHECKING

from eyewall.base import probe as slots
from eyewall.guard.checks.healthregistry import Health
from eyewall.guard.verdict import Probe
from eyewall.http.health import HealthApp, HealthEndpoints, Question
from eyewall.http.insiders import FORWARDING
from eyewall.web.handler import RequestHandler
from eyewall.web.routing import URLSpec

if TYPE_CHECKING:
    from eyewall.http.interfaces import App


class HealthHandler(RequestHandler):
    """Answers one endpoint; its requests are not logged unless `endpoints` say so."""

    def initialize(self, endpoints: HealthEndpoints, probe: Probe) -> None:
        self._endpoints = endpoints
        self._probe = probe

    async def get(self) -> None:
        """Answers with the report."""
        request, headers = self.request, self.request.headers
        answer = self._endpoints.answer(
            Question(
                self._probe,
                "GET",
                request.query,
                request.remote_ip or "",
                headers.get("Host"),
                headers.get("Accept"),
                headers.get("Authorization"),
                any(name in headers for name in FORWARDING),
            )
        )
        if isawaitable(answer):
            answer = await answer
        self.set_status(answer.status)
        for name, value in answer.fields():
            self.set_header(name, value)
        self.write(answer.body)

    head = get

    def compute_etag(self) -> str | None:
        """None: nobody is to keep an answer."""
        return None

    def _log(self) -> None:
        if self._endpoints.access_log:
            super()._log()
            return
        fire = slots.request_end.fire
        if fire is not None:
            fire(self.request, self.get_status(), self.request.request_time())


def health_routes(
    health: Health | None = None,
    *,
    prefix: str = "/",
    token: str | None = None,
    loopback: bool = False,
    exclude: bool = False,
    access_log: bool = False,
) -> list[URLSpec]:
    """Returns routes for the endpoints; the arguments are those of `HealthEndpoints`."""
    endpoints = HealthEndpoints(
        health, prefix=prefix, token=token, loopback=loopback, exclude=exclude, access_log=access_log
    )
    return [
        URLSpec(re.escape(path), HealthHandler, {"endpoints": endpoints, "probe": probe})
        for path, probe in endpoints.paths.items()
    ]


def answering(app: App, setting: object) -> HealthApp:
    """Returns `app` with the endpoints before it that the setting `health` asks for: True, a prefix, or endpoints.

    Raises TypeError for anything else.
    """
    if setting is True:
        endpoints = HealthEndpoints()
    elif isinstance(setting, str):
        endpoints = HealthEndpoints(prefix=setting)
    elif isinstance(setting, HealthEndpoints):
        endpoints = setting
    else:
        raise TypeError(
            f"the setting health is True, a prefix like '/health', or HealthEndpoints, not {setting!r}"
        )
    return HealthApp(app, endpoints)
