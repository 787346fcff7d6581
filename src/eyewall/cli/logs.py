"""Logging as `eyewall run` is told: one handler on standard error, lines for people or for machines."""

from __future__ import annotations

import logging
import os
import sys
import threading
from types import TracebackType

from eyewall.base.formatters import JSONFormatter, LogFormatter
from eyewall.base.loggers import access_log, app_log
from eyewall.cli.settings import Settings

_WITH_PID = LogFormatter.DEFAULT_FORMAT.replace("%(asctime)s", "%(asctime)s %(process)d")


def set_up_logging(settings: Settings) -> None:
    """Has everything that is logged in this process, and in its workers, written as `settings` say.

    With JSON, warnings and exceptions that nobody caught are records as well, so that every line is one.
    """
    handler = logging.StreamHandler()
    if settings.log_format == "json":
        handler.setFormatter(JSONFormatter())
        handler.addFilter(_add_pid)
        logging.captureWarnings(True)
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_uncaught_in_thread
    else:
        handler.setFormatter(LogFormatter(_WITH_PID if settings.supervised else LogFormatter.DEFAULT_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    access_log.disabled = not settings.access_log


def _add_pid(record: logging.LogRecord) -> bool:
    record.pid = os.getpid()
    return True


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    app_log.critical("Uncaught exception", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread is not None else "a thread"
        app_log.critical(
            "Uncaught exception in %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
