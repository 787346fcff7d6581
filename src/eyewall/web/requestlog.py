"""The line in the log for each request that was answered."""

from __future__ import annotations

import os
from logging import ERROR, INFO, WARNING
from typing import Any

from eyewall.base import probe
from eyewall.base.loggers import access_log

_request_end = probe.request_end
#: Also where this is a shared object.
_FILE = f"{os.path.dirname(__file__)}/requestlog.py"
#: What `access_log` has found out about its levels; `logging` empties it when a level changes.
_levels: dict[int, bool] = getattr(access_log, "_cache", {})


class RequestLog:
    """Logs requests for an application, whose base it is. `settings`: the application's."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def log_request(self, handler: Any) -> None:
        """Logs the finished request of `handler`: with the setting `log_function` if there is one, else to
        `tornado.access`.
        """
        if _request_end.fire is not None:
            request = handler.request
            # For those who listen: it does not know its handler.
            request._handler, request._steps = type(handler), handler._steps
            _request_end.fire(request, handler.get_status(), request.request_time())
        log = self.settings.get("log_function")
        if log is not None:
            log(handler)
            return
        status = handler.get_status()
        level = INFO if status < 400 else WARNING if status < 500 else ERROR
        # Most production systems don't log this: they should not pay for finding out each time.
        if _levels.get(level) is False or not access_log.isEnabledFor(level):
            return
        milliseconds = 1000.0 * handler.request.request_time()
        # As `log` does, but without a search for who calls: compiled, it has no frame, and the loop would be found.
        access_log.handle(
            access_log.makeRecord(
                access_log.name,
                level,
                _FILE,
                1,
                "%d %s %.2fms",
                (status, handler._request_summary(), milliseconds),
                None,
                "log_request",
            )
        )
