"""Log messages that a test expects: they must come, and nobody needs to see them."""

from __future__ import annotations

import logging
import re
import warnings
from types import TracebackType
from typing import Self

from eyewall.base.escape import to_unicode
from eyewall.base.loggers import app_log


class MissingLogMessage(Exception):
    """No message that an `ExpectLog` was waiting for has been logged."""


class ExpectLog(logging.Filter):
    """A context manager that takes the expected messages out of the log, and fails if there were none.

    `logger` is a logger or its name, '' for the root one; only what is logged to that very logger counts.
    `regex` must match from the beginning of a message. Messages that it matches do not reach the handlers, all
    others do.

    With `level`, a constant of `logging`, only messages of just this level count, and the logger is set to let
    them through meanwhile. Without it all do, but to match at INFO or below is deprecated, because whether such
    messages are logged depends on what runs the tests.

    If nothing matched, the end of the block raises MissingLogMessage, unless `required` is false or the block
    raised something itself.

    Afterwards `matched` is the number of messages, and `logged_stack` tells whether any message of the logger
    came with a traceback, matched or not. Not for use by several threads at once.
    """

    def __init__(
        self,
        logger: logging.Logger | str,
        regex: str,
        required: bool = True,
        level: int | None = None,
    ) -> None:
        super().__init__()
        self.logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self.regex = re.compile(regex)
        self.required, self.level = required, level
        #: How many messages were the expected ones; and how many of them Tornado 7 will not count any more, since they
        #: came at INFO or below, and no level was asked for.
        self.matched = self.deprecated_level_matched = 0
        self.logged_stack = False
        #: The level that the logger had, where this object has changed it.
        self.orig_level: int | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is to be logged, which is when it was not expected."""
        if record.exc_info:
            self.logged_stack = True
        if self.regex.match(self._text(record)) is None:
            return True
        if self.level is None:
            self.deprecated_level_matched += record.levelno <= logging.INFO
        elif record.levelno != self.level:
            app_log.warning(
                "Got expected log message %r at unexpected level (%s vs %s)",
                record.getMessage(),
                logging.getLevelName(self.level),
                record.levelname,
            )
            return True
        self.matched += 1
        return False

    def __enter__(self) -> Self:
        if self.level is not None and not self.logger.isEnabledFor(self.level):
            self.orig_level = self.logger.level
            self.logger.setLevel(self.level)
        self.logger.addFilter(self)
        return self

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.logger.removeFilter(self)
        if self.orig_level is not None:
            self.logger.setLevel(self.orig_level)
        if typ is not None:
            return
        if self.required and not self.matched:
            raise MissingLogMessage("did not get expected log message")
        if self.required and self.deprecated_level_matched:
            warnings.warn(
                "ExpectLog matched at INFO or below without level argument", DeprecationWarning, stacklevel=2
            )

    @staticmethod
    def _text(record: logging.LogRecord) -> str:
        # Old programs log bytes.
        return to_unicode(record.msg) if isinstance(record.msg, bytes) else record.getMessage()
