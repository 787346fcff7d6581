"""Streams over pipes: what subprocesses and terminals are read from and written to."""

from __future__ import annotations

import errno
import os
from typing import Any

from eyewall.net.basestream import BaseIOStream


class PipeIOStream(BaseIOStream):
    """A stream over one end of a pipe, for reading or for writing; also over a terminal.

    `fd` is the stream's from then on. Further arguments are those of `BaseIOStream`. Not on Windows.
    """

    def __init__(self, fd: int, *args: Any, **kwargs: Any) -> None:
        self.fd = fd
        os.set_blocking(fd, False)
        super().__init__(*args, **kwargs)

    def fileno(self) -> int:
        """Returns the descriptor."""
        return self.fd

    def close_fd(self) -> None:
        """Closes the descriptor."""
        os.close(self.fd)

    def write_to_fd(self, data: memoryview) -> int:
        """See `BaseIOStream.write_to_fd`."""
        return os.write(self.fd, data)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """See `BaseIOStream.read_from_fd`."""
        try:
            return os.readv(self.fd, [buf])
        except BlockingIOError:
            return None
        except OSError as error:
            # How the end looks: of the reader, at an end for writing; of the program, at a terminal.
            if error.errno in (errno.EBADF, errno.EIO):
                return 0
            raise
