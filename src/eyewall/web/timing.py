"""How much time a request has: what the application sets, its handler, the verb, and what the client says.

The nearest counts: the decorator `eyewall.guard.timeout` on a verb, else `REQUEST_TIMEOUT` of the handler's class, else
the setting `request_timeout`. 0 there is no deadline, None says nothing. A client that is believed (the setting
`trust_request_timeout`) may shorten that, or where nothing is set, set up to the limit `stated_timeout`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.deadline import Deadline, clock_of
from eyewall.guard.errors import DeadlineExceeded
from eyewall.http.statedtimeout import stated_timeout
from eyewall.web.timelimits import checked_seconds


class Timing:
    """The times of the requests of one application, from its `settings`. `most`: the limit `stated_timeout`.

    `status`: what answers requests whose time is over. `active`: there is a time for all requests, or a client may
    state one. Raises ValueError for settings that make no sense.
    """

    def __init__(self, settings: Mapping[str, Any], most: float) -> None:
        self.seconds = checked_seconds(settings.get("request_timeout"), "the setting request_timeout") or 0.0
        self.trusted = bool(settings.get("trust_request_timeout"))
        self.most = most
        self.status: int = settings.get("timeout_status", DeadlineExceeded.status)
        self.callback: Callable[[Any, DeadlineExceeded], object] | None = settings.get("on_timeout")
        self.active = self.seconds > 0.0 or self.trusted
        self._whose: dict[float, str] = {}

    def deadline_for(self, handler_class: Any, request: Any, loop: Any) -> Deadline | None:
        """Returns the deadline of `request`, from now on; None for none. Raises RemoteProtocolError where the client
        states something that is no time."""
        seconds = self.seconds
        limits = handler_class._time_limits
        if limits is not None:
            own = limits.get(request.method)
            if own is None:
                own = limits.get("")
            if own is not None:
                if own <= 0.0:
                    return None
                seconds = own
        by_client = False
        if self.trusted:
            stated = stated_timeout(request)
            if 0.0 < self.most < stated:
                stated = self.most
            if stated > 0.0 and (seconds <= 0.0 or stated < seconds):
                seconds = stated
                by_client = True
        if seconds <= 0.0:
            return None
        # Each request makes one: without the call of a constructor.
        deadline = Deadline.__new__(Deadline)
        clock = clock_of(loop)
        deadline.at = clock() + seconds
        deadline.clock = clock
        deadline.whose = self._describe(seconds, by_client)
        return deadline

    def _describe(self, seconds: float, by_client: bool) -> str:
        if by_client:
            return f"the request's deadline of {seconds:g} s, which the client has stated,"
        whose = self._whose.get(seconds)
        if whose is None:
            whose = self._whose[seconds] = f"the request's deadline of {seconds:g} s"
        return whose

    def answer(self, handler: Any, error: DeadlineExceeded) -> bool:
        """Has the application answer (the setting `on_timeout`), where it does so, and nothing was sent."""
        if self.callback is None or handler._headers_written:
            return False
        try:
            handler.clear()
            handler.set_status(self.status)
            self.callback(handler, error)
            if not handler._finished:
                handler.finish()
        except Exception:  # noqa: BLE001 - logged; the request must end whatever an application does
            app_log.error("Uncaught exception in on_timeout", exc_info=True)
            return bool(handler._finished)
        return True
