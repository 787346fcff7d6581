"""`main`: a program that runs tests, with Tornado's options on its command line."""

from __future__ import annotations

import signal
import sys
import unittest
from typing import Any

from eyewall.base.options import define, options, parse_command_line


def main(**kwargs: Any) -> None:
    """Runs `unittest.main` after parsing the command line for options, those of logging among them.

    The arguments that are left name tests; without any, `all()` of the main program returns the suite that is
    run. `--verbose`, `--quiet`, `--failfast`, `--catch` and `--buffer` are those of unittest. `kwargs` go to
    `unittest.main`, for example `verbosity=2`; their `defaultTest` takes the place of `all`.

    No program needs it: the test cases run under any test runner.
    """
    define(
        "exception_on_interrupt",
        type=bool,
        default=True,
        help="Ctrl-C raises KeyboardInterrupt, so that one sees where; otherwise it ends the process, always",
    )
    for name, text in (
        ("verbose", "a line for each test"),
        ("quiet", "nothing but failures"),
        ("failfast", "stop at the first failure"),
        ("catch", "after Ctrl-C, finish the test that runs and report"),
        ("buffer", "show what a test prints only if it fails"),
    ):
        define(name, type=bool, help=text)
    names = parse_command_line(sys.argv)
    if not options.exception_on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # What was not asked for is left to unittest's own defaults.
    if options.verbose is not None:
        kwargs["verbosity"] = 2
    if options.quiet is not None:
        kwargs["verbosity"] = 0
    for name, argument in (("failfast", "failfast"), ("catch", "catchbreak"), ("buffer", "buffer")):
        if getattr(options, name) is not None:
            kwargs[argument] = getattr(options, name)
    if names:
        # They are full names, not those of attributes of the main program.
        kwargs.setdefault("module", None)
    elif "defaultTest" not in kwargs:
        if not hasattr(sys.modules["__main__"], "all"):
            print("No tests specified", file=sys.stderr)
            sys.exit(1)
        kwargs["defaultTest"] = "all"
    unittest.main(argv=[sys.argv[0], *names], **kwargs)
