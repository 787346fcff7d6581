"""How log records are written: lines for people, and lines of JSON for machines.

Both show the id of the request on whose behalf a record was made. It is taken when the record is made, by
`RequestIdFilter` or by the record factory, because a handler may format in another thread; without either,
it is looked up when the record is formatted.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from eyewall.base.context import request_id
from eyewall.base.jsontext import json_encode

#: Terminal colours by number: 1 red, 2 green, 3 yellow, 4 blue, 5 magenta.
_COLORS: dict[int, int] = {
    logging.DEBUG: 4,
    logging.INFO: 2,
    logging.WARNING: 3,
    logging.ERROR: 1,
    logging.CRITICAL: 5,
}

#: What `logging` puts into every record, and what formatters add; everything else came from `extra`.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {
    "asctime",
    "color",
    "end_color",
    "message",
    "request_id",
    "taskName",
}


def request_id_of(record: logging.LogRecord) -> str | None:
    """Returns the id of the request that `record` belongs to, or None."""
    found: str | None = getattr(record, "request_id", None)
    return found if found is not None else request_id.get()


class RequestIdFilter(logging.Filter):
    """Puts the current request's id, or None, into each record as `request_id`. Lets every record pass.

    For a handler that passes records to another thread, and for formats that name `%(request_id)s`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "request_id", None) is None:
            record.request_id = request_id.get()
        return True


def install_request_ids() -> Callable[[], None]:
    """Makes every record of the process, from whatever logger, carry `request_id`.

    Wraps the record factory that is set. Returns the function that puts that one back.
    """
    make = logging.getLogRecordFactory()

    def make_with_request_id(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.request_id = request_id.get()
        return record

    logging.setLogRecordFactory(make_with_request_id)
    return lambda: logging.setLogRecordFactory(make)


def stderr_takes_color() -> bool:
    """Whether standard error is a terminal that shows colours; not where `NO_COLOR` is set (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    try:
        if not sys.stderr.isatty():
            return False
    except (AttributeError, ValueError):
        # No standard error at all (pythonw), one that is not a file, or a closed one.
        return False
    return os.environ.get("TERM", "") not in ("", "dumb")


def _message_of(record: logging.LogRecord) -> str:
    """The message, or what can be said where its arguments do not fit: a wrong log call must not lose the
    line.
    """
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - the arguments' own __str__ and __repr__ run here
        return f"Bad message ({error!r}): {record.msg!r} % {type(record.args).__name__}"


class LogFormatter(logging.Formatter):
    """Lines for people: `[I 240131 12:30:00 web:42] message`, in colour where the terminal has it.

    `fmt` is applied to the attributes of the record in the given `style`; what stands between `%(color)s` and
    `%(end_color)s` is coloured by level, with the numbers of terminal colours in `colors`. `datefmt` is for
    `%(asctime)s`. Lines after the first are indented, so that a message cannot pass for another record. A
    record that belongs to a request has its id in parentheses before the message, unless `fmt` names
    `request_id`.
    """

    DEFAULT_FORMAT = "%(color)s[%(levelname)1.1s %(asctime)s %(module)s:%(lineno)d]%(end_color)s %(message)s"
    DEFAULT_DATE_FORMAT = "%y%m%d %H:%M:%S"
    DEFAULT_COLORS = _COLORS

    def __init__(
        self,
        fmt: str = DEFAULT_FORMAT,
        datefmt: str = DEFAULT_DATE_FORMAT,
        style: Literal["%", "{", "$"] = "%",
        color: bool = True,
        colors: Mapping[int, int] = DEFAULT_COLORS,
    ) -> None:
        super().__init__(fmt, datefmt, style)
        self._shows_request_id = "request_id" in fmt
        self._colors: dict[int, str] = {}
        self._normal = ""
        if color and stderr_takes_color():
            self._colors = {level: f"\x1b[3{number}m" for level, number in colors.items()}
            self._normal = "\x1b[0m"

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as text, without a line end."""
        message = _message_of(record)
        of_request = request_id_of(record)
        if self._shows_request_id:
            record.request_id = of_request
        elif of_request is not None:
            message = f"({of_request}) {message}"
        record.message = message
        record.asctime = self.formatTime(record, self.datefmt)
        color = self._colors.get(record.levelno)
        record.color = color or ""
        record.end_color = self._normal if color is not None else ""
        text = self.formatMessage(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        for more in (record.exc_text, record.stack_info):
            if more:
                text = f"{text.rstrip()}\n{more}"
        return text.replace("\n", "\n    ")


class JSONFormatter(logging.Formatter):
    """Lines for machines: each record is one JSON object on one line.

    Always there: `time` (RFC 3339, UTC, milliseconds), `level`, `logger`, `message`. `where` is the source
    file and line; `request_id`, `exception` and `stack` are there when there is one. What was given as
    `extra` is added under its own name; values that JSON cannot hold as their `repr`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as JSON, without a line end."""
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, Any] = {
            "time": f"{second}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message_of(record),
            "where": f"{record.filename}:{record.lineno}",
        }
        of_request = request_id_of(record)
        if of_request is not None:
            entry["request_id"] = of_request
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            entry["exception"] = record.exc_text
        if record.stack_info:
            entry["stack"] = record.stack_info
        for name, value in record.__dict__.items():
            if name not in _STANDARD and name not in entry:
                entry[name] = value
        try:
            return json_encode(entry)
        except (TypeError, ValueError):
            return json_encode({name: _encodable(value) for name, value in entry.items()})


def _encodable(value: object) -> object:
    try:
        json_encode(value)
    except (TypeError, ValueError):
        return repr(value)
    return value
