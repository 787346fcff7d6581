"""Logging: the public names of `tornado.log`, with our JSON formatter and request ids beside them."""

from __future__ import annotations

import logging
from typing import Any

from eyewall.base.formatters import (
    JSONFormatter,
    LogFormatter,
    RequestIdFilter,
    install_request_ids,
    request_id_of,
)
from eyewall.base.loggers import access_log, app_log, gen_log

__all__ = [
    "JSONFormatter",
    "LogFormatter",
    "RequestIdFilter",
    "access_log",
    "app_log",
    "colorama",
    "curses",
    "define_logging_options",
    "enable_pretty_logging",
    "gen_log",
    "install_request_ids",
    "request_id_of",
]

#: The libraries that Tornado colours lines with, where they are installed. Eyewall needs neither.
colorama = None
curses = None


def enable_pretty_logging(options: Any = None, logger: logging.Logger | None = None) -> None:
    """Turns on formatted logging as `options` say (None: those of the process), for `logger` (None: the
    root).

    Parsing a command line or a configuration file does this by itself. Raises ValueError for a mode of
    rotation that does not exist.
    """
    # Options, and the parsing of dates that comes with them, are for main programs; loggers are for everyone.
    from eyewall.base.logsetup import apply_logging
    from eyewall.base.options import options as of_process

    apply_logging(of_process if options is None else options, logger)


def define_logging_options(options: Any = None) -> None:
    """Defines the logging options in `options`, an `OptionParser` of your own.

    The options of the process (None) have them from the start, so that defining them there again raises
    `options.Error`.
    """
    # As above.
    from eyewall.base.logsetup import define_logging
    from eyewall.base.options import options as of_process

    define_logging(of_process if options is None else options)
