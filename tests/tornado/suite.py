"""Runs a module of Tornado's own tests as Tornado does, `tornado.test.runtests`, without what is excluded.

    python -m eyewall.tornado -m tests.tornado.suite MODULE...

Its strictness is Tornado's: a warning is an error, and whatever is logged or written to standard error and not
expected fails the run.
"""

from __future__ import annotations

import html  # noqa: F401 - Eyewall imports it when it is needed, and `test_memory_budget` would count that
import importlib
import sys
import time
import types
import unittest

from tests.tornado.exclusions import excluded

#: Its programs get 40 looks, a tenth of a second apart, to end; they need longer on a machine that does much else. As
#: ASYNC_TEST_TIMEOUT, which it does not ask for.
_IMPATIENT = "tornado.test.autoreload_test"
_LONGER = 5.0


def main() -> None:
    """Runs the modules that the command line names."""
    if _IMPATIENT in sys.argv[1:]:
        waiting = types.SimpleNamespace(sleep=lambda seconds: time.sleep(_LONGER * seconds))
        importlib.import_module(_IMPATIENT).time = waiting  # type: ignore[attr-defined]
    skipped = excluded()
    for name, reason in skipped.items():
        if any(name.startswith(module + ".") for module in sys.argv[1:]):
            skip(name, reason)
    importlib.import_module("tornado.test.runtests").main()


def skip(name: str, reason: str) -> None:
    """Has a test skipped. Raises LookupError where there is no such test."""
    path, _, method = name.rpartition(".")
    module, _, cls = path.rpartition(".")
    case = getattr(importlib.import_module(module), cls, None)
    if not callable(getattr(case, method, None)):
        raise LookupError(f"there is no test {name}")
    setattr(case, method, unittest.skip(f"excluded: {reason}")(getattr(case, method)))


if __name__ == "__main__":
    main()
