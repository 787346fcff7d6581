"""HTTP dates (RFC 9110 section 5.6.7): strict reading of the three forms, and writing.

::

    Sun, 06 Nov 1994 08:49:37 GMT    IMF-fixdate, the one that is written
    Sunday, 06-Nov-94 08:49:37 GMT   RFC 850
    Sun Nov  6 08:49:37 1994         asctime
"""

from __future__ import annotations

import re
import time
from functools import cache

from eyewall.base.clock import format_timestamp

__all__ = ["format_timestamp", "parse_http_date"]

_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS_TO_EPOCH = 719_162


@cache
def _forms() -> tuple[re.Pattern[str], ...]:
    # Compiled when the first date is read: that costs a millisecond.
    return (
        re.compile(f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
        re.compile(f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
        re.compile(f"{_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
    )


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to the date, in the Gregorian calendar."""
    before = year - 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += sum(_DAYS_IN_MONTH[: month - 1])
    if month > 2 and not leap:
        days -= 1
    if day < 1 or day > _DAYS_IN_MONTH[month - 1] or (month == 2 and day == 29 and not leap):
        raise ValueError
    return days + day - 1 - _DAYS_TO_EPOCH


def parse_http_date(text: str, now: float | None = None) -> int | None:
    """Returns the seconds since the epoch that `text` names, or None where it is no HTTP date.

    A date that cannot be read is to be ignored (RFC 9110 section 13.1.3), so nothing is raised. The day of
    the week is not compared with the date. A year of two digits is the one that is at most 50 years after
    `now` (seconds since the epoch; the current time where it is not given).
    """
    for form in _forms():
        match = form.fullmatch(text)
        if match is not None:
            break
    else:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        this_year = time.gmtime(now).tm_year
        year += this_year // 100 * 100
        if year > this_year + 50:
            year -= 100
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    # 60 is a leap second.
    if hour > 23 or minute > 59 or second > 60 or year < 1:
        return None
    try:
        days = _days(year, _MONTHS.index(match["month"]) + 1, int(match["day"]))
    except ValueError:
        return None
    return ((days * 24 + hour) * 60 + minute) * 60 + second
