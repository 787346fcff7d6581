"""Running somebody's program with the doctor on, as if it ran alone.

It has its own `sys.argv`, `__main__`, signals and exit status, and ends when it likes. What was asked for comes on top:
a report, an end at the first finding, an exit status that says what was found.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from types import CodeType, ModuleType
from typing import Any

from eyewall.doctor import enabling
from eyewall.doctor.finding import Finding
from eyewall.doctor.report import status_of, write_report
from eyewall.tornado import _alias, _program

#: In `exit_on`: whatever is found.
ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to do besides running the program.

    `report`: the file for the report, None for none. `exit_on`: rules at whose first finding the process ends at once,
    with the status that stands for how bad it is. `status`: whether a program that ends well ends with that status,
    too. `alias`: whether `tornado` means Eyewall.
    """

    report: str | None = None
    exit_on: frozenset[str] = frozenset()
    status: bool = False
    alias: bool = False
    options: dict[str, Any] | None = None


def prepare(arguments: list[str], wishes: Wishes) -> Callable[[], None]:
    """Returns the function that runs the program that `arguments` name.

    Raises ProgramError where there is no such program, AliasError, and what `doctor.enable` raises.
    """
    if wishes.alias:
        _alias.install()
        _program.inherit()
    if arguments[0] == "-m" and not sys.flags.safe_path:
        # As `python -m` has it; the command may have been started from somewhere else.
        sys.path[0] = os.getcwd()
    code, module = _program.found(arguments)
    run = _Run(code, module, wishes)
    run.begin()
    return run


class _Run:
    def __init__(self, code: CodeType, module: ModuleType, wishes: Wishes) -> None:
        self._code = code
        self._module = module
        self._wishes = wishes
        self._report = None if wishes.report is None else os.path.abspath(wishes.report)
        self._pid = os.getpid()
        self._failed = False
        self._ending = Lock()

    def begin(self) -> None:
        """Turns the doctor on."""
        # First registered, last called: what the program does at its end is seen.
        atexit.register(self._ended)
        enabling.enable(**(self._wishes.options or {}))
        if self._wishes.exit_on:
            enabling.add_sink(self._found)

    def __call__(self) -> None:
        try:
            _program.execute(self._code, self._module)
        except SystemExit as end:
            self._failed = end.code not in (None, 0)
            raise
        except BaseException:
            self._failed = True
            raise

    def _found(self, finding: Finding) -> None:
        exit_on = self._wishes.exit_on
        if os.getpid() != self._pid or not (finding.rule in exit_on or ANY in exit_on):
            return
        # One thread ends the process; another one that comes here meanwhile would write the report, too.
        if self._ending.acquire(blocking=False):
            self._write()
            _leave(status_of([finding.severity]))

    def _ended(self) -> None:
        if os.getpid() != self._pid:
            # A child that was forked, and ended as an interpreter does.
            return
        self._write()
        if self._wishes.status and not self._failed:
            _leave(status_of(each.severity for each in enabling.findings()))

    def _write(self) -> None:
        if self._report is not None:
            try:
                write_report(self._report, enabling.findings())
            except OSError as error:
                _say(f"eyewall doctor: cannot write {self._report}: {error.strerror}")


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr)
    except (OSError, ValueError, AttributeError):
        # Nobody is there to be told.
        return


def _leave(status: int) -> None:
    """Ends the process with `status`, from whatever thread."""
    enabling.leave()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            # Closed, full, or none at all.
            continue
    os._exit(status)
