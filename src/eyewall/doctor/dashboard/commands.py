"""What a page may ask of a process, and tell it to do: names, arguments, bounds. Nothing else gets to a socket."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from eyewall.doctor.control.protocol import ControlError

#: Characters of a text that is passed on.
TEXT = 1000
#: Entries that may be asked for.
LIMIT = 5000
#: Seconds that a profile, or a look at memory, may take.
SECONDS = 60.0
#: Seconds that a process has for an answer.
TIMEOUT = 10.0

Check = Callable[[str, object], object]


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > TEXT:
        raise ControlError("arguments", f"{name} is a text of at most {TEXT} characters")
    return value


def _limit(name: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 6:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= LIMIT:
        raise ControlError("arguments", f"{name} is a whole number from 1 to {LIMIT}")
    return value


def _seconds(name: str, value: object) -> float:
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = float(value)
        except ValueError:
            value = math.nan
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.0 < value <= SECONDS:
        raise ControlError("arguments", f"{name} is a number of seconds, more than 0 and at most {SECONDS:g}")
    return float(value)


def _since(name: str, value: object) -> float:
    if isinstance(value, str) and len(value) <= 30:
        try:
            value = float(value)
        except ValueError:
            value = math.nan
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.0 <= value < 1e12:
        raise ControlError("arguments", f"{name} is a time in seconds since 1970")
    return float(value)


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ControlError("arguments", f"{name} is true or false")
    return value


@dataclass(frozen=True)
class Command:
    """A command: what each argument must be, which must be there, and by which argument it takes longer."""

    arguments: Mapping[str, Check] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    lasts: str = ""

    def checked(self, name: str, given: Mapping[str, object]) -> dict[str, Any]:
        """Returns the arguments as they are passed on. Raises ControlError ("arguments")."""
        found = {}
        for key, value in given.items():
            check = self.arguments.get(key)
            if check is None:
                known = ", ".join(self.arguments) or "none"
                raise ControlError("arguments", f"{name} has no argument {key[:50]!r}, only {known}")
            found[key] = check(key, value)
        for key in self.needed:
            if key not in found:
                raise ControlError("arguments", f"{name} needs the argument {key}")
        return found

    def timeout(self, arguments: Mapping[str, Any]) -> float:
        """Returns the seconds that the process has for an answer."""
        return TIMEOUT + (arguments.get(self.lasts, SECONDS) if self.lasts else 0.0)


#: What reads.
READING = {
    "process": Command(),
    "state": Command({"limit": _limit}),
    "findings": Command({"limit": _limit}),
    "history": Command({"since": _since}),
    "stacks": Command({"limit": _limit}),
    "waits": Command({"limit": _limit}),
    "timelines": Command({"limit": _limit, "route": _text}),
    "memory": Command(),
    "memory-sites": Command({"seconds": _seconds}, lasts="seconds"),
    "profile": Command({"id": _text}, ("id",)),
    "open": Command({"registry": _text, "limit": _limit, "sort": _text, "contains": _text}),
}
#: What acts.
ACTING = {
    "cancel-task": Command({"task": _text, "name": _text}, ("task", "name")),
    "close-connection": Command(
        {"connection": _text, "peer": _text, "at_once": _switch}, ("connection", "peer")
    ),
    # Begins one, which is read by its id later.
    "profile": Command({"seconds": _seconds, "clock": _text}),
}

#: What a refusal is in HTTP.
STATUS = {
    "arguments": 400,
    "malformed": 400,
    "unknown-command": 501,
    "not-installed": 501,
    "not-found": 404,
    "not-allowed": 403,
    "no-process": 410,
    "no-doctor": 410,
    "busy": 503,
    "silent": 503,
}
#: Of any other.
FAILED = 502


def body(content: bytes) -> dict[str, object]:
    """Returns the arguments in the content of a request. Raises ControlError ("malformed")."""
    if not content:
        return {}
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise ControlError("malformed", "the content is a JSON object with the arguments")
    return said
