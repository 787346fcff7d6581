"""What somebody waits for on a stream: so many bytes, a delimiter, a match, the end.

A request looks at the bytes that have come (`find`) and says how many of them it takes. None of them looks at the
same byte twice more often than it must: `Delimited` goes on where it stopped, and `Matched`, which cannot (a match may
begin anywhere), looks again when there is twice as much, or when nothing more comes for now.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from eyewall.net.errors import UnsatisfiableReadError

#: More has to come.
UNSATISFIED = -1


class ReadRequest:
    """Waits for bytes. `future` is done with them when they have come."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future

    def find(self, buffer: bytearray, settled: bool) -> int:
        """Returns how many bytes of `buffer` are the answer, or UNSATISFIED.

        `settled`: nothing more comes for now. Raises UnsatisfiableReadError where the limit of the request rules an
        answer out.
        """
        raise NotImplementedError

    def take(self, buffer: bytearray, count: int) -> Any:
        """Removes the answer from `buffer` and returns it."""
        with memoryview(buffer) as view:
            answer = bytes(view[:count])
        del buffer[:count]
        return answer

    def room(self) -> memoryview | None:
        """Returns where what comes is to be put, in place of the stream's buffer; to be released after use."""
        return None

    def put(self, count: int) -> None:
        """So many bytes were put there."""

    def give_back(self, buffer: bytearray) -> None:
        """The request was cancelled: puts what it has taken already back to the front of `buffer`."""

    def release(self) -> None:
        """The request is over: lets go of what others own."""


class Counted(ReadRequest):
    """Waits for `count` bytes, or with `partial` for any."""

    def __init__(self, future: asyncio.Future[Any], count: int, partial: bool) -> None:
        super().__init__(future)
        self._count = count
        self._least = min(1, count) if partial else count

    def find(self, buffer: bytearray, settled: bool) -> int:
        """See `ReadRequest.find`."""
        return min(self._count, len(buffer)) if len(buffer) >= self._least else UNSATISFIED


class Delimited(ReadRequest):
    """Waits for `delimiter`, within `limit` bytes."""

    def __init__(self, future: asyncio.Future[Any], delimiter: bytes, limit: int | None) -> None:
        super().__init__(future)
        self._delimiter = delimiter
        self._limit = limit
        self._seen = 0

    def find(self, buffer: bytearray, settled: bool) -> int:
        """See `ReadRequest.find`."""
        at = buffer.find(self._delimiter, self._seen)
        if at >= 0:
            end = at + len(self._delimiter)
            return _within(self._limit, end, self._delimiter)
        # A delimiter may have come in part.
        self._seen = max(0, len(buffer) - len(self._delimiter) + 1)
        _within(self._limit, len(buffer), self._delimiter)
        return UNSATISFIED


class Matched(ReadRequest):
    """Waits for a match of `pattern`, within `limit` bytes."""

    def __init__(self, future: asyncio.Future[Any], pattern: re.Pattern[bytes], limit: int | None) -> None:
        super().__init__(future)
        self._pattern = pattern
        self._limit = limit
        self._worth = 1

    def find(self, buffer: bytearray, settled: bool) -> int:
        """See `ReadRequest.find`."""
        size = len(buffer)
        if not settled and size < self._worth:
            return UNSATISFIED
        self._worth = 2 * size
        match = self._pattern.search(buffer)
        if match is not None:
            return _within(self._limit, match.end(), self._pattern.pattern)
        _within(self._limit, size, self._pattern.pattern)
        return UNSATISFIED


class ToTheEnd(ReadRequest):
    """Waits for the end of the stream, which answers it (`BaseIOStream.close`)."""

    def find(self, buffer: bytearray, settled: bool) -> int:
        """See `ReadRequest.find`."""
        return UNSATISFIED


class Filling(ReadRequest):
    """Fills a buffer of the caller's, or with `partial` a part of it. The answer is the number of bytes."""

    def __init__(self, future: asyncio.Future[Any], view: memoryview, partial: bool) -> None:
        super().__init__(future)
        self._view = view
        self._filled = 0
        self._least = min(1, len(view)) if partial else len(view)

    def find(self, buffer: bytearray, settled: bool) -> int:
        """See `ReadRequest.find`. What is in `buffer` is moved first."""
        count = min(len(buffer), len(self._view) - self._filled)
        if count:
            with memoryview(buffer) as view:
                self._view[self._filled : self._filled + count] = view[:count]
            del buffer[:count]
            self._filled += count
        return 0 if self._filled >= self._least else UNSATISFIED

    def take(self, buffer: bytearray, count: int) -> int:
        """See `ReadRequest.take`."""
        return self._filled

    def room(self) -> memoryview | None:
        """See `ReadRequest.room`."""
        return self._view[self._filled :]

    def put(self, count: int) -> None:
        """See `ReadRequest.put`."""
        self._filled += count

    def give_back(self, buffer: bytearray) -> None:
        """See `ReadRequest.give_back`."""
        with self._view[: self._filled] as taken:
            buffer[:0] = taken

    def release(self) -> None:
        """See `ReadRequest.release`."""
        self._view.release()


def _within(limit: int | None, size: int, what: bytes) -> int:
    if limit is not None and size > limit:
        raise UnsatisfiableReadError(f"{what!r} not found within {limit} bytes")
    return size
