"""Byte ranges of a request (RFC 9110 section 14): which part of a representation is wanted.

One range is served; a request for several gets the whole, as section 14.2 allows, because many small ranges
of one file are an old way to make a server work.
"""

from __future__ import annotations

import re

#: `first-last`, `first-`, `-suffix`; and `first`, which Tornado reads as `first-`.
_RANGE = re.compile("([0-9]*)[ \t]*(?:(-)[ \t]*([0-9]*))?")
#: No file is longer; longer numbers are not worth the time of converting them.
_HUGE = 10**18


class RangeNotSatisfiable(Exception):
    """No byte of the representation is in the range: 416, with `content_range` as the header's value."""

    def __init__(self, size: int) -> None:
        super().__init__(f"range not satisfiable for {size} bytes")
        self.size = size
        self.content_range = f"bytes */{size}"


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else _HUGE


def parse_range(header: str) -> tuple[int | None, int | None] | None:
    """Returns the (start, stop) that a `Range` header asks for, or None where it is to be ignored.

    `stop` is exclusive and None for the end. A negative start counts from the end. An empty suffix (`-0`) is
    `(None, 0)`; nothing at all (`bytes=-`) is `(None, None)`.
    """
    unit, equals, text = header.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    match = _RANGE.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    first, dash, last = match.groups()
    if first:
        return _number(first), (_number(last) + 1 if last else None)
    if dash and last:
        suffix = _number(last)
        return (-suffix, None) if suffix else (None, 0)
    return None, None


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Returns the (start, stop), stop exclusive, to serve of `size` bytes; None for all of them (200).

    None as well where there is no header, it cannot be read, asks for several ranges, or for everything.
    Raises RangeNotSatisfiable (416) where the range lies beyond the end, or is empty.
    """
    found = parse_range(header) if header is not None else None
    if found is None:
        return None
    start, stop = found
    if start is None:
        if stop == 0:
            raise RangeNotSatisfiable(size)
        return None
    if start < 0:
        start = max(size + start, 0)
    elif start >= size:
        raise RangeNotSatisfiable(size)
    stop = size if stop is None else min(stop, size)
    if start == 0 and stop == size:
        return None
    if start >= stop:
        raise RangeNotSatisfiable(size)
    return start, stop


def content_range(start: int | None, stop: int | None, size: int) -> str:
    """Returns the value of `Content-Range` for a part of `size` bytes; `stop` is exclusive, None is the end.

    >>> content_range(1, 3, 4)
    'bytes 1-2/4'
    """
    return f"bytes {start or 0}-{(stop or size) - 1}/{size}"
