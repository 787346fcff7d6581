"""One process that serves: how it starts, what its signals mean, how it ends.

    load the application → make the server → accept → ... signal ... → drain → end

Where nobody watches over it, SIGTERM, SIGINT and SIGHUP drain, and a second signal ends the process at once.

Under a supervisor, signals are the supervisor's business: terminals and service managers send them to the whole
group of processes, so that a worker may get each of them twice, and before the supervisor does. A worker says
when it accepts (`ready`) and that it got a SIGTERM (`signalled`); it drains when it is told to, alone (`drain`) or
with all others (`end`), which the supervisor does once nobody new can connect, and when the supervisor is gone.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import os
import signal
import socket
import ssl
import threading
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from eyewall.base.loggers import gen_log
from eyewall.cli.addresses import Addresses
from eyewall.cli.exits import ExitCode, StartError
from eyewall.cli.interface import adapted, factory_of, is_factory
from eyewall.cli.lifespan import ASGITasks, LifespanEnd
from eyewall.cli.settings import Settings
from eyewall.cli.shedding import shedding
from eyewall.cli.target import TargetError, load
from eyewall.cli.wellbeing import Wellbeing
from eyewall.doctor.enabling import enable
from eyewall.guard.checks.systemd import Notifier
from eyewall.guard.executors import registry
from eyewall.guard.executors.lifetime import executors
from eyewall.guard.lifecycle.drain import Participant, process_drain
from eyewall.guard.lifecycle.hooks import Lifecycle, LifecycleError, StartupFailed
from eyewall.guard.profile import Profile, activate, active, override
from eyewall.http.asgi import ASGIContainer, LifespanError
from eyewall.http.proxy import Trust
from eyewall.http.requestids import IdentifyingApp
from eyewall.http.server import HTTPServer
from eyewall.loop.policy import new_event_loop, set_current_loop
from eyewall.loop.process import task_id
from eyewall.net.tls import TLSConfigError, server_context

if TYPE_CHECKING:
    from eyewall.cli.measuring import Measuring

#: What a worker says to its supervisor: it accepts connections; it got a SIGTERM.
READY = b"ready\n"
SIGNALLED = b"signalled\n"
#: And what it is told: to finish what it has begun, and to end; alone, or with all others.
DRAIN = b"drain\n"
END = b"end\n"
#: Seconds that threads and tasks have to end when everything is drained.
_EXIT_GRACE = 5.0
#: Seconds that an application may run the loop while it is imported, before somebody is told.
_IMPORT_PATIENCE = 2.0


class Worker:
    """Serves the sockets of `addresses`, which are its own from now on, as `settings` say.

    `urls` are logged when it serves. `supervisor`: the line to the process that watches over it. `notifier`: the
    service manager's, where nobody else talks to that. `beat`: seconds between two words to the supervisor that the
    worker is live, infinity for only one at the start, None for none.
    """

    def __init__(
        self,
        settings: Settings,
        addresses: Addresses,
        urls: Sequence[str] = (),
        supervisor: socket.socket | None = None,
        notifier: Notifier | None = None,
        beat: float | None = None,
    ) -> None:
        self._settings = settings
        self._addresses = addresses
        self._urls = urls
        self._supervisor = supervisor
        self._replaced = False
        self._wellbeing = Wellbeing(
            settings,
            addresses.probes,
            notifier,
            math.inf if beat is None else beat,
            None if beat is None or supervisor is None else self._say,
        )
        self._measuring = self._measured()
        self._signals = 0
        self._container: Any = None
        # The drain holds nobody.
        self._participants: tuple[Participant, ...] = ()
        self._lifecycle: Lifecycle | None = None
        self._server: HTTPServer | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Future[str]

    def run(self) -> int:
        """Serves until a signal comes. Returns the exit code; what could not start is logged."""
        try:
            # What the application makes while it is imported takes these limits by default.
            override(**self._settings.limits)
            registry.override(self._settings.executors)
            if self._settings.doctor:
                enable()
            if self._settings.profile is not None:
                activate(self._settings.profile_for(None))
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                self._loop = runner.get_loop()
                # An application that asks for the loop while it is imported gets the one it will run on.
                set_current_loop(self._loop)
                impatience = self._loop.call_later(_IMPORT_PATIENCE, self._tell_of_own_loop)
                found = load(self._settings.target, self._settings.app_dir)
                impatience.cancel()
                set_current_loop(self._loop)
                code = runner.run(self._serve(found))
                if self._supervisor is not None:
                    # The interpreter puts back what signals do by default before it ends, except for this.
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                self._leave_within(_EXIT_GRACE)
        except StartError as error:
            gen_log.error("%s", error, exc_info=error.__cause__)
            return error.code
        return code

    def _tell_of_own_loop(self) -> None:
        """The loop runs, and not for us: a program starts a server of its own when it is imported."""
        gen_log.warning(
            "%s runs the loop while it is imported, for %.0f s now, and nothing is served before it has ended. "
            "`IOLoop.current().start()` and the like belong under `if __name__ == '__main__':`",
            self._settings.target,
            _IMPORT_PATIENCE,
        )

    # -- serving ----------------------------------------------------------------------------------------

    def _measured(self) -> Measuring | None:
        """Returns what counts and tells, where somebody wants to know."""
        if self._settings.metrics is None:
            return None
        # Loaded only where it is wanted: it needs an extra.
        from eyewall.cli.measuring import Measuring

        scrapes = self._addresses.scrapes
        return Measuring(self._settings, scrapes[(task_id() or 0) % len(scrapes)] if scrapes else ())

    async def _serve(self, found: Any) -> ExitCode:
        self._stop = self._loop.create_future()
        self._take_signals()
        try:
            self._wellbeing.begin()
            if self._measuring is not None:
                self._measuring.begin()
            return await self._serve_until_told(found)
        finally:
            await self._wellbeing.end()
            if self._measuring is not None:
                await self._measuring.end()

    async def _serve_until_told(self, found: Any) -> ExitCode:
        starting = self._loop.create_task(self._start(found))
        await asyncio.wait((starting, self._stop), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait((starting,))
            return ExitCode.DONE
        # The loop has no other hold of it than its connections.
        self._server = starting.result()
        reason = await self._stop
        return await self._end(reason)

    async def _start(self, found: Any) -> HTTPServer:
        settings = self._settings
        served = await self._application(found)
        own = getattr(served, "profile", None)
        # What has none of its own gets what the program has activated: importing `eyewall.tornado` does.
        profile = settings.profile_for(own if isinstance(own, Profile) else active())
        activate(profile)
        if isinstance(own, Profile):
            served.profile = profile
        tls = self._tls()
        self._container = adapted(served, settings.interface, settings.target, settings.wsgi_threads)
        if isinstance(self._container, ASGIContainer):
            try:
                await self._container.startup()
            except LifespanError as error:
                raise TargetError(str(error)) from None
            self._participants = (ASGITasks(self._container), LifespanEnd(self._container))
            for participant in self._participants:
                process_drain.join(participant)
        lifecycle = getattr(served, "lifecycle", None)
        if isinstance(lifecycle, Lifecycle):
            try:
                await lifecycle.startup()
            except (LifecycleError, StartupFailed) as error:
                raise TargetError(str(error)) from error.__cause__
            self._lifecycle = lifecycle
        server = HTTPServer(
            self._container,
            profile=profile,
            no_keep_alive=not settings.keep_alive,
            ssl_options=tls,
            protocol=settings.protocol,
            decompress_request=settings.decompress_request,
        )
        if settings.shed is not None:
            server.limit_requests(shedding(settings.shed, profile))
        if settings.xheaders or settings.forwarded:
            server.xheaders = True
            server.trust = Trust(downstream=settings.trusted_proxies, standard=settings.forwarded)
        if settings.request_ids and getattr(served, "settings", {}).get("request_ids", True):
            server.app = IdentifyingApp(server.app, profile.request_id_bytes)
        server.app = self._wellbeing.before(server.app)
        if self._measuring is not None:
            server.app = self._measuring.before(server.app)
        server.add_sockets(self._addresses.sockets)
        for url in self._urls:
            gen_log.info("Listening on %s", url)
        if self._supervisor is not None:
            self._supervisor.send(READY)
        self._wellbeing.serving(self._urls)
        return server

    async def _application(self, found: Any) -> Any:
        """Returns the application: `found`, or what it makes."""
        settings = self._settings
        if settings.factory or (settings.factory is None and is_factory(found)):
            factory = factory_of(found, settings.target)
            try:
                found = factory()
                if inspect.isawaitable(found):
                    found = await found
            except Exception as error:
                raise TargetError(
                    f"the factory {settings.target!r} raised {type(error).__name__}: {error}"
                ) from error
        return found

    def _tls(self) -> ssl.SSLContext | None:
        settings = self._settings
        if settings.tls_cert is None:
            return None
        try:
            return server_context(
                settings.tls_cert,
                settings.tls_key,
                ca_certs=settings.tls_ca,
                password=settings.tls_key_password,
            )
        except TLSConfigError as error:
            raise StartError(ExitCode.TLS, str(error)) from None

    # -- signals ----------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        # Not the loop's own handlers: these run while a handler blocks the loop, too.
        signal.signal(signal.SIGTERM, self._signalled)
        for number in (signal.SIGINT, signal.SIGHUP):
            if self._supervisor is not None:
                # Not SIG_IGN, which programs that are started from here would inherit.
                signal.signal(number, _do_nothing)
            elif number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._signalled)
        if self._supervisor is not None:
            self._supervisor.setblocking(False)
            self._loop.add_reader(self._supervisor.fileno(), self._hear)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._supervisor is not None:
            if self._signals == 1:
                self._tell_of_signal(self._supervisor)
            return
        if self._signals > 1:
            os._exit(128 + number)
        self._stop_soon(signal.Signals(number).name)

    def _tell_of_signal(self, supervisor: socket.socket) -> None:
        try:
            supervisor.send(SIGNALLED)
        except OSError:
            # It is gone, or the application has closed the line.
            self._stop_soon(signal.SIGTERM.name)

    def _say(self, word: bytes) -> None:
        """Says something to the supervisor that does not matter when nobody hears it."""
        assert self._supervisor is not None
        try:
            self._supervisor.send(word)
        except OSError:
            # It is gone, which shows elsewhere; or it stands still, and has enough to read when it goes on.
            return

    def _stop_soon(self, reason: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._request_stop, reason)

    def _hear(self) -> None:
        """The supervisor tells this worker to drain, or is gone."""
        assert self._supervisor is not None
        try:
            said = self._supervisor.recv(1024)
            if said:
                self._replaced = END not in said
                self._request_stop("told by the supervisor")
                return
        except BlockingIOError:
            return
        except OSError:
            # Its end was reset, which says the same.
            pass
        self._loop.remove_reader(self._supervisor.fileno())
        self._request_stop("the supervisor is gone")

    def _request_stop(self, reason: str) -> None:
        if not self._stop.done():
            self._stop.set_result(reason)

    # -- the end ----------------------------------------------------------------------------------------

    async def _end(self, reason: str) -> ExitCode:
        timeout = self._settings.drain_timeout
        gen_log.info("Draining (%s): requests have %g s to finish", reason, timeout)
        self._wellbeing.drain()
        if self._replaced:
            self._wellbeing.leave()
            if self._measuring is not None:
                self._measuring.leave()
        if self._supervisor is None:
            self._addresses.refuse()
        report = await process_drain.run(timeout)
        for line in report.lines():
            gen_log.log(logging.INFO if report.clean else logging.WARNING, "%s", line)
        if not report.clean:
            gen_log.error("Stopped; not everything was finished")
            return ExitCode.CUT
        gen_log.info("Stopped; everything was finished")
        return ExitCode.DONE

    def _leave_within(self, seconds: float) -> None:
        """Ends the process even where tasks swallow their cancellation or threads do not end."""
        timer = threading.Timer(seconds, _leave)
        timer.daemon = True
        timer.start()


def _leave() -> None:
    names = [
        thread.name
        for thread in threading.enumerate()
        # The interpreter does not wait for daemons.
        if not thread.daemon and thread is not threading.main_thread()
    ]
    what = f"threads {', '.join(names)}" if names else "tasks"
    jobs = [f"{job} in the executor {each.name!r}" for each in executors() for job in each.running()]
    if jobs:
        what = f"jobs: {'; '.join(jobs)}"
    gen_log.error("Not ended within %g s, and cut off: %s", _EXIT_GRACE, what)
    logging.shutdown()
    os._exit(ExitCode.CUT)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """Takes a signal that is for somebody else."""
