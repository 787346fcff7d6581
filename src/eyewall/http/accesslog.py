"""The line in `tornado.access` for a request that was not answered by a RequestHandler."""

from __future__ import annotations

import logging

from eyewall.base.loggers import access_log


def log_request(
    status: int, method: str | None, uri: str | None, remote_ip: str | None, seconds: float
) -> None:
    """Logs a finished request: INFO below 400, WARNING below 500, ERROR above."""
    level = logging.INFO if status < 400 else logging.WARNING if status < 500 else logging.ERROR
    if access_log.isEnabledFor(level):
        access_log.log(level, "%d %s %s (%s) %.2fms", status, method, uri, remote_ip, 1000.0 * seconds)
