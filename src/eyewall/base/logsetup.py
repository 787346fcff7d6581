"""Logging as the command line asks for it: the options, and the handlers they describe."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from eyewall.base.formatters import JSONFormatter, LogFormatter

if TYPE_CHECKING:
    from eyewall.base.optionparser import OptionParser


def define_logging(options: OptionParser) -> None:
    """Defines the logging options in `options`, and has them take effect when it is done parsing."""
    options.define(
        "logging",
        default="info",
        metavar="debug|info|warning|error|none",
        help="level of the messages that are logged; none leaves Python's logging as it is configured",
    )
    options.define(
        "log_to_stderr",
        type=bool,
        default=None,
        help="log to standard error, in colour where it is a terminal "
        "(by default where neither log_file_prefix nor another handler is set)",
    )
    options.define(
        "log_file_prefix",
        type=str,
        default=None,
        metavar="PATH",
        help="log to this file and rotate it; several processes on one port each need a path of their own "
        "(with the process's number or port, for one)",
    )
    options.define(
        "log_file_max_size",
        type=int,
        default=100 * 1000 * 1000,
        help="bytes after which the log file is rotated",
    )
    options.define("log_file_num_backups", type=int, default=10, help="rotated log files that are kept")
    options.define(
        "log_rotate_when",
        type=str,
        default="midnight",
        help="what log_rotate_interval counts: S, M, H, D, W0-W6 or midnight",
    )
    options.define("log_rotate_interval", type=int, default=1, help="how many of them make a log file")
    options.define("log_rotate_mode", type=str, default="size", help="rotate by size or by time")
    options.define(
        "log_format", type=str, default="text", help="lines for people (text) or for machines (json)"
    )
    options.add_parse_callback(lambda: apply_logging(options, None))


def apply_logging(options: Any, logger: logging.Logger | None) -> None:
    """Sets the level of `logger` (the root one for None) and adds the handlers that `options` describes.

    `options` has the attributes that `define_logging` defines. Does nothing where its `logging` is None or
    "none". Raises ValueError for a `log_rotate_mode` or `log_format` that does not exist.
    """
    level = options.logging
    if level is None or level.lower() == "none":
        return
    target = logging.getLogger() if logger is None else logger
    target.setLevel(level.upper())
    as_json = _is_json(getattr(options, "log_format", "text"))
    if options.log_file_prefix:
        to_file = _file_handler(options)
        to_file.setFormatter(JSONFormatter() if as_json else LogFormatter(color=False))
        target.addHandler(to_file)
    if options.log_to_stderr or (options.log_to_stderr is None and not target.handlers):
        to_stderr = logging.StreamHandler()
        to_stderr.setFormatter(JSONFormatter() if as_json else LogFormatter())
        target.addHandler(to_stderr)


def _is_json(name: str) -> bool:
    if name not in ("text", "json"):
        raise ValueError(f"log_format must be text or json, not {name!r}")
    return name == "json"


def _file_handler(options: Any) -> logging.Handler:
    # Brings queues, pickling and sockets along; a program that logs to standard error needs none of them.
    from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler

    mode, path, kept = options.log_rotate_mode, options.log_file_prefix, options.log_file_num_backups
    if mode == "size":
        limit = options.log_file_max_size
        return RotatingFileHandler(path, maxBytes=limit, backupCount=kept, encoding="utf-8")
    if mode == "time":
        when, interval = options.log_rotate_when, options.log_rotate_interval
        return TimedRotatingFileHandler(path, when, interval, backupCount=kept, encoding="utf-8")
    raise ValueError(f"log_rotate_mode must be size or time, not {mode!r}")
