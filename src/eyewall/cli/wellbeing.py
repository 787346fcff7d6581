"""What a worker tells about its health, and to whom.

    probes        endpoints before the application (`--health`), or on an address of their own (`--health-port`)
    systemd       ready, stopping, status, and the watchdog, where no supervisor does that
    supervisor    a word when the start is over, and one every so often while the worker is live

All of it reads the registry of the process, `eyewall.guard.health`, whose checks run in the background for that.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable, Sequence

from eyewall.cli.settings import Settings
from eyewall.guard.checks.healthregistry import health
from eyewall.guard.checks.systemd import Notifier
from eyewall.guard.verdict import Probe, Status
from eyewall.http.health import HealthApp, HealthEndpoints
from eyewall.http.interfaces import App
from eyewall.http.server import HTTPServer

#: What a worker says to its supervisor: its start is over; it is live.
STARTED = b"started\n"
ALIVE = b"alive\n"
#: Seconds between two looks at what systemd is to show as the status.
_STATUS_INTERVAL = 5.0
#: Seconds that probes have to be answered at the very end.
_DRAIN = 0.5


class Wellbeing:
    """Of one worker. `sockets`: what probes come to, where that is not what requests come to.

    `notifier`: the service manager's, where this process is the one that it watches. `say`: how words to the supervisor
    are said, None where there are none. `beat`: seconds between two that it is live.
    """

    def __init__(
        self,
        settings: Settings,
        sockets: Sequence[socket.socket],
        notifier: Notifier | None,
        beat: float,
        say: Callable[[bytes], object] | None,
    ) -> None:
        self._settings = settings
        self._sockets = sockets
        self._notifier = notifier
        self._beat = beat
        self._say = say
        self._server: HTTPServer | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._waiting: asyncio.Task[None] | None = None
        self._where = ""
        self._application_started: Callable[[], None] | None = None
        self._started = self._ending = False

    @property
    def wanted(self) -> bool:
        """Whether anybody asks."""
        return self._settings.health_wanted or self._notifier is not None or self._say is not None

    def begin(self) -> None:
        """The loop runs, and there is no application yet."""
        if not self.wanted:
            return
        self._application_started = health.expect("application")
        health.start()
        if self._sockets:
            # Nobody passes requests on to an address of its own: who is at this machine may see everything.
            endpoints = HealthEndpoints(
                prefix=self._settings.health or "/",
                token=self._settings.health_token,
                loopback=True,
                exclude=self._settings.health_exclude,
            )
            self._server = HTTPServer(HealthApp(None, endpoints))
            # Probes are answered to the end: that nobody is to send requests is what they are told.
            self._server.ends_with_process = False
            self._server.add_sockets(self._sockets)
        if self._notifier is not None:
            self._notifier.status("Starting")
            if self._notifier.watchdog_timeout is not None:
                self._every(self._notifier.watchdog_timeout / 2.0, self._feed)
            self._every(_STATUS_INTERVAL, self._show)
        if self._say is not None and self._beat < math.inf:
            self._every(self._beat, self._report)

    def before(self, app: App) -> App:
        """Returns what serves requests: `app`, behind the endpoints where these are to be on its addresses."""
        if self._settings.health is None or self._sockets:
            return app
        endpoints = HealthEndpoints(
            prefix=self._settings.health,
            token=self._settings.health_token,
            exclude=self._settings.health_exclude,
        )
        return HealthApp(app, endpoints)

    def serving(self, urls: Sequence[str]) -> None:
        """The application has started, and requests are accepted at `urls`."""
        if self._application_started is not None:
            self._application_started()
            self._where = f" on {', '.join(urls)}" if urls else ""
            self._waiting = asyncio.get_running_loop().create_task(self._tell_started())

    async def _tell_started(self) -> None:
        if not health.started and self._notifier is not None:
            self._notifier.status("Waiting for the first checks to pass")
        await health.wait_started()
        self._started = True
        if self._notifier is not None:
            self._notifier.ready(self._status())
        if self._say is not None:
            self._say(STARTED)

    def drain(self) -> None:
        """The end begins: nobody is to send requests any more."""
        health.draining = True
        self._ending = True
        if self._waiting is not None:
            self._waiting.cancel()
        if self._notifier is not None:
            self._notifier.stopping("Draining")

    def leave(self) -> None:
        """Another worker answers probes from now on."""
        if self._server is not None:
            self._server.stop()

    async def end(self) -> None:
        """Everything else has ended."""
        for timer in self._timers:
            timer.cancel()
        if self._waiting is not None:
            self._waiting.cancel()
        if self._server is not None:
            await self._server.drain(_DRAIN)
        if self.wanted:
            await health.stop()

    # -- every so often ---------------------------------------------------------------------------------

    def _every(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls `call` now, and on the loop every so many seconds."""
        index = len(self._timers)
        loop = asyncio.get_running_loop()

        def again() -> None:
            # First, so that it goes on whatever comes of this time.
            self._timers[index] = loop.call_later(seconds, again)
            call()

        self._timers.append(loop.call_later(0.0, again))

    def _feed(self) -> None:
        if self._notifier is not None:
            report = health.now(Probe.LIVE)
            if report.ok:
                self._notifier.watchdog()
            else:
                self._notifier.status(report.summary())

    def _report(self) -> None:
        if self._say is not None and health.now(Probe.LIVE).ok:
            self._say(ALIVE)

    def _show(self) -> None:
        if self._notifier is not None and self._started and not self._ending:
            live = health.now(Probe.LIVE)
            self._notifier.status(self._status() if live.ok else live.summary())

    def _status(self) -> str:
        report = health.now(Probe.READY)
        serving = f"Serving{self._where}"
        return serving if report.status is Status.PASS else f"{serving}; {report.summary()}"
