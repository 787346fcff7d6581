"""`main`: a program that runs tests, with Tornado's options on its command line."""

from __future__ import annotations

import signal
import sys
import unittest
from typing import Any

from eyewall.base.options import define, options, parse_command_line

#: Options that unittest has, too: what they do, its argument for them, and the value of that if not the option's own.
_FLAGS: dict[str, tuple[str, str, int | None]] = {
    "verbose": ("a line for each test", "verbosity", 2),
    "quiet": ("nothing but failures", "verbosity", 0),
    "failfast": ("stop at the first failure", "failfast", None),
    "catch": ("after Ctrl-C, finish the test that runs and report", "catchbreak", None),
    "buffer": ("show what a test prints only if it fails", "buffer", None),
}


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
    for name, (text, _, _) in _FLAGS.items():
        define(name, type=bool, help=text)
    names = parse_command_line(sys.argv)
    if not options.exception_on_interrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name, (_, argument, meaning) in _FLAGS.items():
        given = getattr(options, name)
        # What was not asked for is left to unittest's own defaults.
        if given is not None:
            kwargs[argument] = given if meaning is None else meaning
    if names:
        # They are full names, not those of attributes of the main program.
        kwargs.setdefault("module", None)
    elif "defaultTest" not in kwargs:
        if not hasattr(sys.modules["__main__"], "all"):
            print("No tests specified", file=sys.stderr)
            sys.exit(1)
        kwargs["defaultTest"] = "all"
    unittest.main(argv=[sys.argv[0], *names], **kwargs)
