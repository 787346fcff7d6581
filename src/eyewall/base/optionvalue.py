"""How the text of an option becomes its value: by type.

str        as it is
bool       false for `false`, `0`, `f` in any case; true for everything else
int, float as Python reads them
datetime   one of the forms in `DATETIME_FORMS`
timedelta  numbers with units, added up: `1h 30m`, `45s`, `2 days`; a number without a unit counts seconds
others     the type is called with the text
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

#: As `datetime.strptime` reads them, tried in this order. A date alone is its midnight.
DATETIME_FORMS = (
    *(
        f"{day}{at}"
        for day in ("%Y-%m-%d", "%Y%m%d")
        for at in (" %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", "")
    ),
    "%a %b %d %H:%M:%S %Y",
    "%H:%M:%S",
    "%H:%M",
)

#: Units of time. The beginning of a name will do, and means the first that begins so.
_UNITS = ("seconds", "minutes", "hours", "days", "weeks", "milliseconds", "microseconds")
_ABBREVIATIONS = {"ms": "milliseconds", "us": "microseconds", "": "seconds"}
#: Numbers that one range in an option may stand for.
LONGEST_RANGE = 1_000_000

_SPAN = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z]*)\s*")


def parse_datetime(text: str) -> datetime.datetime:
    """Returns the moment that `text` names. Raises ValueError for one in none of the known forms."""
    for form in DATETIME_FORMS:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(f"not a date or time in a form that is known: {text!r}")


def _unit(text: str) -> str:
    found = _ABBREVIATIONS.get(text) or next((unit for unit in _UNITS if unit.startswith(text)), None)
    if found is None:
        raise ValueError(f"not a unit of time: {text!r}")
    return found


def parse_timedelta(text: str) -> datetime.timedelta:
    """Returns the length of time that `text` names. Raises ValueError for what is not numbers with units."""
    total = datetime.timedelta()
    at = 0
    while at < len(text):
        match = _SPAN.match(text, at)
        if match is None:
            raise ValueError(f"not a length of time: {text!r}")
        total += datetime.timedelta(**{_unit(match[2]): float(match[1])})
        at = match.end()
    if not text.strip():
        raise ValueError("a length of time must not be empty")
    return total


def parse_bool(text: str) -> bool:
    """Returns False for the words that mean it, True for every other text."""
    return text.lower() not in ("false", "0", "f")


def parser_of(kind: type) -> Callable[[str], Any]:
    """Returns the function that makes a value of type `kind` from text."""
    if kind is datetime.datetime:
        return parse_datetime
    if kind is datetime.timedelta:
        return parse_timedelta
    if kind is bool:
        return parse_bool
    return kind


def parse_list(text: str, kind: type) -> list[Any]:
    """Returns the values in `text`, separated by commas; of integers, `5:7` stands for 5, 6, 7.

    Raises ValueError for a range of more than a million.
    """
    parse = parser_of(kind)
    values: list[Any] = []
    for part in text.split(","):
        if not issubclass(kind, int) or ":" not in part:
            values.append(parse(part))
            continue
        first, _, last = part.partition(":")
        span = range(int(first), int(last or first) + 1)
        if len(span) > LONGEST_RANGE:
            raise ValueError(f"the range {part} has more than {LONGEST_RANGE} numbers")
        values.extend(parse(str(number)) for number in span)
    return values
