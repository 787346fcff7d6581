"""One send to each of many sockets with a system call for hundreds of them: Linux's io_uring (io_uring_setup(2)).

A call into the kernel costs two microseconds where the processor's own mistakes must be guarded against at each of its
gates, a quarter of what it takes to send a short message. Two pieces of memory are shared with
the kernel: an array of entries, each of which says what to send and where, and a ring of completions, each of which
says what became of one. `io_uring_enter` hands over all entries that are written, and comes back when they are done.

No send may be under way when it is back: the bytes belong to the caller, and a descriptor may be another client's a
moment later. With MSG_DONTWAIT the kernel sends at once or says EAGAIN, as `send` does. That is tried once, with a
socket that is full, because a kernel which knows io_uring, but not that, would wait for the client instead.

Many containers forbid io_uring, and so may an administrator (`kernel.io_uring_disabled`, EYEWALL_IO_URING=0). Then, and
where there is none, `send_each` writes to one socket after the other. What comes out is the same.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import sys
import threading

#: Entries that are handed over at once; more of them gain nothing.
ENTRIES = 256
#: Sockets below which, and bytes of one send beyond which, the way into the kernel is not what sending costs.
FEWEST = 64
LONGEST = 64 * 1024
#: The environment: 0 has nothing sent in this way.
VARIABLE = "EYEWALL_IO_URING"

_MACHINES = ("x86_64", "aarch64")
_SETUP = 425
_ENTER = 426
#: Where the two pieces begin, for `mmap`; both rings are one piece since Linux 5.4.
_RINGS_AT = 0
_ENTRIES_AT = 0x10000000
_SINGLE_MMAP = 1
_GETEVENTS = 1
_SEND = 26
_PROTECTION = 1 | 2
#: Shared, and its pages made at once.
_MAPPING = 1 | 0x8000
_LAST = ENTRIES - 1
_ENTRY_WORDS = 8
_COMPLETION_WORDS = 2
#: In the upper half of the word whose lower half is the length.
_FLAGS = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) << 32 if sys.platform == "linux" else 0


class _Offsets(ctypes.Structure):
    # struct io_sqring_offsets and struct io_cqring_offsets: what we use has the same place in both.
    _fields_ = (
        ("head", ctypes.c_uint32),
        ("tail", ctypes.c_uint32),
        ("mask", ctypes.c_uint32),
        ("entries", ctypes.c_uint32),
        ("fifth", ctypes.c_uint32),
        ("sixth", ctypes.c_uint32),
        ("seventh", ctypes.c_uint32),
        ("rest", ctypes.c_uint32 * 3),
    )


class _Parameters(ctypes.Structure):
    # struct io_uring_params
    _fields_ = (
        ("sq_entries", ctypes.c_uint32),
        ("cq_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("thread_cpu", ctypes.c_uint32),
        ("thread_idle", ctypes.c_uint32),
        ("features", ctypes.c_uint32),
        ("wq_fd", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
        ("sq", _Offsets),
        ("cq", _Offsets),
    )


class SendRing:
    """Sends to many sockets at once. Holds one descriptor and 32 KiB until `close`.

    Raises OSError where the kernel does not offer it.
    """

    def __init__(self) -> None:
        self.descriptor = -1
        self._mapped: list[tuple[int, int]] = []
        if sys.platform != "linux" or platform.machine() not in _MACHINES or sys.maxsize < 1 << 32:
            raise OSError(errno.ENOSYS, "io_uring is not known here")
        library = ctypes.CDLL(None, use_errno=True)
        self._syscall = library.syscall
        self._syscall.argtypes = (ctypes.c_long,) * 7
        self._syscall.restype = ctypes.c_long
        self._mmap = library.mmap
        self._mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t) + (ctypes.c_int,) * 3 + (ctypes.c_long,)
        self._mmap.restype = ctypes.c_void_p
        self._munmap = library.munmap
        self._munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
        try:
            self._open()
            self._try()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        said = _Parameters()
        self.descriptor = self._syscall(_SETUP, ENTRIES, ctypes.addressof(said), 0, 0, 0, 0)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "io_uring_setup failed")
        if not said.features & _SINGLE_MMAP or said.sq_entries != ENTRIES:
            raise OSError(errno.ENOSYS, "this io_uring is too old")
        # Behind both rings: the array of indices of the one, the completions of the other.
        indices, completions = said.sq.seventh, said.cq.sixth
        size = max(indices + 4 * ENTRIES, completions + 8 * _COMPLETION_WORDS * said.cq_entries)
        rings = self._map(size, _RINGS_AT)
        self._numbers = _view(rings, size // 4 * 4, "I")
        self._completions = _view(rings + completions, 8 * _COMPLETION_WORDS * said.cq_entries, "Q")
        entries = 8 * _ENTRY_WORDS * ENTRIES
        self._entries = _view(self._map(entries, _ENTRIES_AT), entries, "Q")
        self._sq_head = said.sq.head // 4
        self._sq_tail = said.sq.tail // 4
        self._cq_head = said.cq.head // 4
        self._cq_tail = said.cq.tail // 4
        self._cq_mask = said.cq_entries - 1
        for index in range(ENTRIES):
            self._numbers[indices // 4 + index] = index

    def _map(self, size: int, where: int) -> int:
        address = self._mmap(None, size, _PROTECTION, _MAPPING, self.descriptor, where)
        if address is None or address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap of an io_uring failed")
        self._mapped.append((address, size))
        return int(address)

    def _try(self) -> None:
        """Raises OSError unless a full socket is told of at once, and one with room takes what is sent."""
        full, room = socket.socketpair()
        with full, room:
            full.setblocking(False)
            try:
                while True:
                    full.send(bytes(65536))
            except BlockingIOError:
                pass
            descriptors, frames = [full.fileno(), room.fileno()], [b"full", b"room"]
            self._fill(descriptors, frames, 0, 2)
            rests: list[tuple[int, int]] = []
            if self._enter(2, 0) != 2 or self._collect(frames, rests) != 2 or rests != [(0, 0)]:
                raise OSError(errno.ENOSYS, "this io_uring waits for sockets that are full")

    def send(self, descriptors: list[int], frames: list[bytes]) -> list[tuple[int, int]]:
        """As `send_each`, for frames of at most `LONGEST` bytes and a ring that is not closed."""
        rests: list[tuple[int, int]] = []
        total = len(descriptors)
        first = 0
        while first < total:
            count = min(ENTRIES, total - first)
            self._fill(descriptors, frames, first, count)
            taken = self._enter(count, count)
            if taken <= 0:
                if ctypes.get_errno() in (errno.EBADF, errno.EOPNOTSUPP):
                    # Somebody has closed all descriptors, as daemons do: the number is not ours any more.
                    self.descriptor = -1
                    self.close()
                rests.extend([(index, 0) for index in range(first, total)])
                break
            left = taken - self._collect(frames, rests)
            while left > 0:
                if self._enter(0, left) < 0 and ctypes.get_errno() != errno.EINTR:
                    raise OSError(ctypes.get_errno(), "io_uring_enter failed")
                left -= self._collect(frames, rests)
            first += taken
        return rests

    def _fill(self, descriptors: list[int], frames: list[bytes], first: int, count: int) -> None:
        """Writes the entries for `count` sends from the one with the index `first` on."""
        # What was written or done and not looked at is of a send that was interrupted: what it was to send may be gone.
        tail = self._numbers[self._sq_head]
        self._numbers[self._cq_head] = self._numbers[self._cq_tail]
        last = None
        address = size = 0
        for index in range(first, first + count):
            frame = frames[index]
            if frame is not last:
                last = frame
                address = ctypes.cast(ctypes.c_char_p(frame), ctypes.c_void_p).value or 0
                size = len(frame) | _FLAGS
            at = (tail & _LAST) * _ENTRY_WORDS
            descriptor = descriptors[index]
            # struct io_uring_sqe; the words between are never written, and 0.
            self._entries[at] = descriptor << 32 | _SEND
            self._entries[at + 2] = address
            self._entries[at + 3] = size
            self._entries[at + 4] = index
            tail = tail + 1 & 0xFFFFFFFF
        self._numbers[self._sq_tail] = tail

    def _enter(self, count: int, awaited: int) -> int:
        """Hands over `count` entries and waits until `awaited` are done; returns how many were taken, or -1."""
        return int(self._syscall(_ENTER, self.descriptor, count, awaited, _GETEVENTS, 0, 0))

    def _collect(self, frames: list[bytes], rests: list[tuple[int, int]]) -> int:
        """Reads the completions that are there, and returns how many; adds those that are none to `rests`."""
        head = self._numbers[self._cq_head]
        tail = self._numbers[self._cq_tail]
        count = 0
        while head != tail:
            at = (head & self._cq_mask) * _COMPLETION_WORDS
            index = self._completions[at]
            result = self._completions[at + 1] & 0xFFFFFFFF
            if result != len(frames[index]):
                # Or a number of an error, which is negative.
                rests.append((index, result if result < 1 << 31 else 0))
            head = head + 1 & 0xFFFFFFFF
            count += 1
        self._numbers[self._cq_head] = head
        return count

    def close(self) -> None:
        """Gives everything back. A second call is no error."""
        mapped, self._mapped = self._mapped, []
        for address, size in mapped:
            self._munmap(address, size)
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _view(address: int, size: int, item: str) -> memoryview:
    """Returns the memory there as numbers, of the kind that `item` says as for `struct`."""
    view = memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")
    return view.cast(item)  # type: ignore[no-any-return, call-overload]


class _Shared:
    """The ring of this process, made when it is first wanted."""

    def __init__(self) -> None:
        # Whoever finds it taken, by another thread or by itself in a signal handler, does without.
        self.lock = threading.Lock()
        self.ring: SendRing | None = None
        self.tried = False

    def get(self) -> SendRing | None:
        """Returns it, None where there is none. Only for who has the lock."""
        if not self.tried:
            self.tried = True
            if os.environ.get(VARIABLE) != "0":
                try:
                    self.ring = SendRing()
                except OSError:
                    pass
        return self.ring

    def forget(self) -> None:
        """In a child: the ring is the parent's, who may be using it."""
        ring, self.ring = self.ring, None
        self.lock = threading.Lock()
        self.tried = False
        if ring is not None:
            ring.close()


_shared = _Shared()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared.forget)


def send_each(descriptors: list[int], frames: list[bytes]) -> list[tuple[int, int]]:
    """Sends `frames[i]` to the socket `descriptors[i]`, for each i, and waits for none.

    Returns (i, bytes taken) for each that did not take everything; 0 bytes also where it is broken. The sockets are
    those of connections, and non-blocking.
    """
    if (
        len(descriptors) >= FEWEST
        and max(map(len, frames)) <= LONGEST
        and _shared.lock.acquire(blocking=False)
    ):
        lock = _shared.lock
        try:
            ring = _shared.get()
            if ring is not None:
                rests = ring.send(descriptors, frames)
                if ring.descriptor < 0:
                    _shared.ring = None
                return rests
        finally:
            lock.release()
    return _write_each(descriptors, frames)


def _write_each(descriptors: list[int], frames: list[bytes]) -> list[tuple[int, int]]:
    rests: list[tuple[int, int]] = []
    for index in range(len(descriptors)):
        frame = frames[index]
        try:
            taken = os.write(descriptors[index], frame)
        except OSError:
            taken = 0
        if taken < len(frame):
            rests.append((index, taken))
    return rests
