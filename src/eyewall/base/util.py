"""Small utilities: the public names of `tornado.util`."""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING

from eyewall.base.compression import GzipDecompressor
from eyewall.base.configurable import Configurable
from eyewall.base.objects import (
    ArgReplacer,
    ObjectDict,
    errno_from_exception,
    exec_in,
    import_object,
    raise_exc_info,
    re_unescape,
    timedelta_to_seconds,
)

if TYPE_CHECKING:
    import unittest

__all__ = [
    "ArgReplacer",
    "Configurable",
    "GzipDecompressor",
    "ObjectDict",
    "TimeoutError",
    "basestring_type",
    "bytes_type",
    "doctests",
    "errno_from_exception",
    "exec_in",
    "import_object",
    "raise_exc_info",
    "re_unescape",
    "timedelta_to_seconds",
    "unicode_type",
]

#: Raised by `with_timeout` and `run_sync`, among others. The same class as the built-in one and asyncio's.
TimeoutError = builtins.TimeoutError

#: From the time of two string types.
bytes_type = bytes
unicode_type = str
basestring_type = str


def doctests() -> unittest.TestSuite:
    """Returns the examples in this module's docstrings as a test suite; there are none."""
    # Test machinery, of no use to a server.
    import doctest

    return doctest.DocTestSuite(sys.modules[__name__])
