"""What can go wrong with a connection.

    Exception
    ├── OSError
    │   ├── StreamClosedError         the connection is gone: closed by us or by the peer
    │   └── FileChanged               a file that was being sent is shorter than was promised
    ├── StreamBufferFullError         a buffer of a stream reached its limit
    └── UnsatisfiableReadError        what was to be read did not come within the allowed number of bytes

All are `EyewallError` as well. The names without a prefix of ours are the documented ones of Tornado.
"""

from __future__ import annotations

from eyewall.base.errors import EyewallError


class StreamClosedError(EyewallError, OSError):
    """The connection is closed. `real_error` is what closed it, or None for an ordinary close."""

    def __init__(self, real_error: BaseException | None = None) -> None:
        super().__init__("Stream is closed")
        self.real_error = real_error


class FileChanged(EyewallError, OSError):
    """A file ended before the bytes that were announced to the peer: it was truncated while being sent.

    The response cannot be completed any more, so whoever sees this aborts the connection.
    """

    def __init__(self, missing: int) -> None:
        super().__init__(f"the file was truncated while it was being sent; {missing} bytes are missing")
        #: How many announced bytes could not be sent.
        self.missing = missing


class StreamBufferFullError(EyewallError):
    """A buffer of a stream has reached its limit."""


class UnsatisfiableReadError(EyewallError):
    """A delimiter or pattern was not found within the number of bytes that were allowed for it."""
