"""The metrics of a worker: what is counted, and who may ask for it, at a path of the application or on an address.

On an address of their own they are for everybody who gets there, unless there is a token: who opens one to others wants
that. One of this machine is for this machine only, also by the name that is asked for, so that no page in a browser
can read it. At a path there has to be a token, since everybody who comes through a proxy comes from this machine.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from eyewall.cli.settings import Settings
from eyewall.doctor import enabling
from eyewall.doctor.metrics.endpoint import PATH, MetricsApp, MetricsEndpoint
from eyewall.doctor.timing.accountant import Accountant
from eyewall.http.insiders import is_loopback
from eyewall.http.interfaces import App
from eyewall.http.server import HTTPServer

#: Seconds that a scrape has to be answered at the very end.
_DRAIN = 0.5


class Measuring:
    """Of one worker. `sockets`: what scrapes come to, where that is not what requests come to."""

    def __init__(self, settings: Settings, sockets: Sequence[socket.socket]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._accountant = Accountant()
        self._server: HTTPServer | None = None

    def begin(self) -> None:
        """The loop runs, and there is no application yet."""
        self._accountant.start(asyncio.get_running_loop(), enabling.collector())
        if not self._sockets:
            return
        token = self._settings.metrics_token
        here = all(is_loopback(str(sock.getsockname()[0])) for sock in self._sockets)
        endpoint = MetricsEndpoint(
            PATH, token=token, loopback=here and token is None, public=not here and token is None
        )
        self._server = HTTPServer(MetricsApp(None, endpoint))
        # Scrapes are answered to the end.
        self._server.ends_with_process = False
        self._server.add_sockets(self._sockets)

    def before(self, app: App) -> App:
        """Returns what serves requests: `app`, behind the metrics where these are to be on its addresses."""
        # What was loaded since is to be counted, too.
        self._accountant.look()
        path = self._settings.metrics
        if path is None or self._sockets:
            return app
        return MetricsApp(app, MetricsEndpoint(path, token=self._settings.metrics_token))

    def leave(self) -> None:
        """Another worker answers scrapes from now on."""
        if self._server is not None:
            self._server.stop()

    async def end(self) -> None:
        """Everything else has ended."""
        self._accountant.stop()
        if self._server is not None:
            await self._server.drain(_DRAIN)
