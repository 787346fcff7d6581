"""What the doctor can be told: one immutable object, whose fields are the keyword arguments of `enable`."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

from eyewall.doctor.names import DETECTORS, RULES, unknown

#: The environment: 0 keeps the doctor away from a program that enables it, 1 turns it on where it can be chosen.
VARIABLE = "EYEWALL_DOCTOR"
_OFF = ("0", "false", "no", "off")
_ON = ("1", "true", "yes", "on")
#: The least that `blocked` may be, in seconds.
LEAST = 0.1
_PATIENCE = ("blocked", "starved", "orphaned", "jammed", "kept")
LEVELS = ("debug", "info", "warning", "error", "critical", "never")


class OptionError(ValueError):
    """An option of the doctor has a value that makes no sense; the text says which and what would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to watch. Raises OptionError for values that make no sense.

    `log_level`: findings below it are not logged; "never" logs none. A notice counts as info. `ignore`: rules that are
    not told at all. `without`: detectors that are not started, by the names of their classes. `interval`: seconds
    between two looks, up to twice as many where they take long. `again`, `longest`: seconds until the same fault is
    told again, doubled each time up to the longest. `keep`: faults that are told apart at once. `held`: seconds until a
    failed task is told of that a suspended coroutine holds. `socket`: whether `eyewall doctor PID` and its like can ask
    this process.

    What is too long, in seconds: `blocked`, for one callback; `starved`, for one turn of the loop of many callbacks;
    `orphaned`, to wait for what nobody can bring about; `jammed`, for requests to stand at one place where none gets
    on; `kept`, to stay after the end.
    """

    log_level: str = "info"
    ignore: Collection[str] = ()
    without: Collection[str] = ()
    interval: float = 0.5
    again: float = 60.0
    longest: float = 3600.0
    keep: int = 500
    held: float = 30.0
    blocked: float = 0.25
    starved: float = 0.5
    orphaned: float = 5.0
    jammed: float = 3.0
    kept: float = 6.0
    socket: bool = True

    def __post_init__(self) -> None:
        if self.log_level not in LEVELS:
            raise OptionError(f"log_level is one of {', '.join(LEVELS)}, not {self.log_level!r}")
        for name in ("ignore", "without"):
            value = getattr(self, name)
            if isinstance(value, str) or not all(isinstance(each, str) for each in value):
                raise OptionError(f"{name} is a collection of names, not {value!r}")
        for what, names, known in (("rule", self.ignore, RULES), ("detector", self.without, DETECTORS)):
            problem = unknown(what, names, known)
            if problem is not None:
                raise OptionError(problem)
        for name in ("interval", "again", "longest", "held", *_PATIENCE):
            if not 0.0 < getattr(self, name) < 1e9:
                raise OptionError(
                    f"{name} is a number of seconds greater than 0, not {getattr(self, name)!r}"
                )
        if self.longest < self.again:
            raise OptionError(f"longest ({self.longest!r}) is no less than again ({self.again!r})")
        if self.blocked < LEAST:
            raise OptionError(
                f"blocked is {LEAST} at least, not {self.blocked!r}: the loop is looked at some times in that"
            )
        if self.starved < self.blocked:
            raise OptionError(f"starved ({self.starved!r}) is no less than blocked ({self.blocked!r})")
        if self.keep < 1:
            raise OptionError(f"keep is at least 1, not {self.keep!r}")

    @property
    def level(self) -> int:
        """The level of `logging` from which on findings are logged."""
        if self.log_level == "never":
            return logging.CRITICAL + 1
        return int(getattr(logging, self.log_level.upper()))


def options_from(arguments: dict[str, Any]) -> Options:
    """Returns the options that keyword arguments state. Raises TypeError for a name that there is not."""
    known = [field.name for field in fields(Options)]
    unknown = [name for name in arguments if name not in known]
    if unknown:
        raise TypeError(f"the doctor has no option {unknown[0]!r}, only {', '.join(known)}")
    return Options(**arguments)


def wanted(otherwise: bool) -> bool:
    """Returns what the environment says of whether to turn the doctor on; `otherwise` where it says nothing.

    Raises OptionError where it says neither yes nor no.
    """
    said = os.environ.get(VARIABLE, "").lower()
    if not said:
        return otherwise
    if said not in (*_ON, *_OFF):
        raise OptionError(f"{VARIABLE} is 1 or 0, not {said!r}")
    return said in _ON
