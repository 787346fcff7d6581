"""HTTP dates (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.

Every response carries one, so the current date is formatted once a second and kept. `time.strftime` is not
used because its names of days and months follow the locale.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime

#: The time of day in seconds. Where a compiled module calls it, it is a call of C, see `clock.pxd`.
unix_time = time.time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _imf_fixdate(seconds: float) -> str:
    at = time.gmtime(seconds)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04d} "
        f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} GMT"
    )


class DateCache:
    """The HTTP date of the second that was asked for last."""

    __slots__ = ("_begin", "_end", "_octets", "_text")

    def __init__(self) -> None:
        self._begin = 0.0
        self._end = 0.0
        self._text = ""
        self._octets = b""

    def text(self, now: float) -> str:
        """Returns the HTTP date of `now`, in seconds since the epoch."""
        if not self._begin <= now < self._end:
            self._turn(now)
        return self._text

    def octets(self, now: float) -> bytes:
        """Returns what `text` does, encoded."""
        if not self._begin <= now < self._end:
            self._turn(now)
        return self._octets

    def _turn(self, now: float) -> None:
        # The text comes before the bounds: a second thread may then see the new date early, never an old one
        # late.
        begin = now // 1.0
        self._text = _imf_fixdate(begin)
        self._octets = self._text.encode("ascii")
        self._begin = begin
        self._end = begin + 1.0


_cache = DateCache()


def http_date(now: float) -> str:
    """Returns `now`, in seconds since the epoch, as the value of a `Date` header; kept for the second."""
    return _cache.text(now)


def http_date_bytes(now: float) -> bytes:
    """Returns what `http_date` does, encoded."""
    return _cache.octets(now)


def _days_before(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of `month`, in the proleptic Gregorian calendar."""
    # Years that begin in March put the leap day at their end, so that the months have a fixed pattern.
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    month_from_march = (month + 9) % 12
    day_of_year = (153 * month_from_march + 2) // 5
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


def _seconds_of(parts: tuple[int, ...]) -> int:
    if len(parts) < 6:
        raise ValueError(f"a time tuple has at least six numbers, this one {len(parts)}")
    year, month, day, hour, minute, second = parts[:6]
    if not 1 <= month <= 12:
        raise ValueError(f"month {month} is not in 1..12")
    return ((_days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second


def format_timestamp(ts: float | tuple[int, ...] | time.struct_time | datetime.datetime) -> str:
    """Returns `ts` as HTTP writes dates.

    `ts` is a number of seconds since the epoch, a time tuple in UTC as `time.gmtime` returns it, or a
    datetime; one without a time zone counts as UTC. Raises TypeError for anything else.
    """
    if isinstance(ts, (int, float)):
        return _imf_fixdate(ts // 1)
    if isinstance(ts, tuple):
        return _imf_fixdate(_seconds_of(ts))
    to_utc = getattr(ts, "utctimetuple", None)
    if to_utc is not None:
        return _imf_fixdate(_seconds_of(to_utc()))
    raise TypeError(f"not a timestamp: {ts!r}")
