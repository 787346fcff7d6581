"""A bytes object that is filled piece by piece, where it lies: its content is copied once, by whoever writes it.

Joining pieces takes twice the memory and a second copy, and for a body of some megabytes the kernel's work for fresh
pages costs more than all else. CPython's C interface has a way around: `PyBytes_FromStringAndSize` without content
returns an object whose octets may be written for as long as nobody else has it. It is called through `ctypes`, so
that it is the same compiled and not. What is not filled yet is memory that nobody has touched, so a size that
somebody only announces takes none. The object is handed out when every octet has been written, and never before.
"""

from __future__ import annotations

import ctypes

_new_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_address_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(("PyBytes_AsString", ctypes.pythonapi))
_view_of = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)(
    ("PyMemoryView_FromMemory", ctypes.pythonapi)
)
_WRITABLE = 0x200


class Filling:
    """Bytes of a known `size`, at least 2, that come one after the other. Raises MemoryError for more than there is.

    `filled`: how many have come.
    """

    __slots__ = ("_body", "_view", "filled", "size")

    def __init__(self, size: int) -> None:
        if size < 2:
            # Shorter ones are shared by all who have them.
            raise ValueError(f"nothing to fill in {size} bytes")
        self.size = size
        self.filled = 0
        self._body: bytes = _new_bytes(None, size)
        self._view: memoryview = _view_of(_address_of(self._body), size, _WRITABLE)

    @property
    def missing(self) -> int:
        """How many bytes are still to come."""
        return self.size - self.filled

    def room(self, most: int) -> memoryview:
        """Returns where the next bytes are to be written, at most `most`. Nobody keeps it beyond the write."""
        return self._view[self.filled : self.filled + most]

    def advance(self, count: int) -> None:
        """Says that the first `count` bytes of `room` have been written."""
        if not 0 <= count <= self.missing:
            raise ValueError(f"{count} bytes where {self.missing} are missing")
        self.filled += count

    def add(self, data: bytes) -> None:
        """Writes `data`, which must not be more than what is missing."""
        end = self.filled + len(data)
        self._view[self.filled : end] = data
        self.filled = end

    def take(self) -> bytes:
        """Returns the bytes, once they are complete; this object is done for."""
        if self.missing or not self._body:
            raise ValueError(f"{self.missing} bytes are missing")
        body = self._body
        self._body = b""
        self._view.release()
        return body
