"""What waits to be written to a stream: little pieces copied together, large ones kept as they are.

Copying costs less than a system call up to some size, and beyond it more. So what is small is gathered in buffers of
our own, which go out with one call each, and what is large stays where it is: until it has been sent, its owner must
not change it, nor can a `bytearray` be resized. Every operation takes time in proportion to the bytes it adds or
removes.
"""

from __future__ import annotations

from collections import deque

#: Data up to this size (bytes) is copied; a buffer of ours is closed when it has reached it.
COPY_LIMIT = 16 * 1024

#: What can be written: its bytes count, whatever the type of its items.
Buffer = bytes | bytearray | memoryview


def flat(data: Buffer) -> memoryview:
    """Returns a view of the bytes of `data`. Raises TypeError for what has none, or not in one piece."""
    view = memoryview(data)
    if view.format != "B" or view.ndim != 1:
        # Not `with`: what is derived from a view lives on when that is released.
        view = view.cast("B")
    return view


class SendQueue:
    """A queue of bytes: `append` at its end, `peek` and `advance` at its front. `len` counts bytes."""

    def __init__(self) -> None:
        # Tests of applications know the two by these names.
        self._large_buf_threshold = COPY_LIMIT
        self._buffers: deque[bytearray | memoryview] = deque()
        self._start = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: Buffer) -> None:
        """Adds `data`. What is large is referred to until it was taken or dropped."""
        view = flat(data)
        size = len(view)
        if size > self._large_buf_threshold:
            self._buffers.append(view)
        elif size:
            last = self._buffers[-1] if self._buffers else None
            if isinstance(last, bytearray) and len(last) < self._large_buf_threshold:
                last += view
            else:
                self._buffers.append(bytearray(view))
            view.release()
        self._size += size

    def peek(self, size: int) -> memoryview:
        """Returns a view of at most `size` bytes from the front, at least one if there is any.

        The view must be released before the queue is changed.
        """
        if not self._buffers:
            return memoryview(b"")
        with memoryview(self._buffers[0]) as first:
            return first[self._start : self._start + size]

    def advance(self, size: int) -> None:
        """Removes `size` bytes from the front. Raises ValueError where there are not so many."""
        if size > self._size:
            raise ValueError(f"{size} bytes were sent of {self._size}")
        self._size -= size
        start = self._start + size
        while self._buffers and start >= len(self._buffers[0]):
            first = self._buffers.popleft()
            start -= len(first)
            _release(first)
        self._start = start

    def clear(self) -> None:
        """Drops everything, and lets go of what others own."""
        for piece in self._buffers:
            _release(piece)
        self._buffers.clear()
        self._start = self._size = 0


def _release(piece: bytearray | memoryview) -> None:
    if isinstance(piece, memoryview):
        piece.release()
