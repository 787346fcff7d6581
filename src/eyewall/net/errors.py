"""What can happen to a connection.

::

    OSError
    └── StreamClosedError      the connection is closed; `real_error` says why, where that is known

An application that waits for a write (`await self.flush()`) or a read learns from it that the other side has left.
"""

from __future__ import annotations


class StreamClosedError(OSError):
    """The connection was closed before the operation was done.

    `real_error`: the exception that closed it, None for an orderly end.
    """

    def __init__(self, real_error: BaseException | None = None) -> None:
        super().__init__("Stream is closed")
        self.real_error = real_error
