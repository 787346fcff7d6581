"""Reading files without freezing the loop.

A read from the page cache takes microseconds; one from a disk takes milliseconds, or minutes when it is a
network file system whose server is away. Linux says beforehand which of the two a read would be (`preadv2`
with `RWF_NOWAIT`). So what is in memory is read at once, in the thread of the loop, and everything else in a
thread of an executor: by default that of `net.filethreads`, so that a disk that hangs stops nothing else.
"""

from __future__ import annotations

import errno
import os
from concurrent.futures import Executor

from eyewall.net import filethreads

#: The most that is read in the thread of the loop at once; more is read elsewhere, cached or not.
CACHED_BYTES = 256 * 1024
#: Buffers that are kept to read into: one for each thread that runs a loop is enough.
_BUFFERS = 4
#: Where in a buffer reading begins. Large allocations begin 16 bytes after a page does, and to copy from the
#: beginning of a page (of the page cache) to there takes x86 processors eight times as long as to elsewhere.
_BUFFER_OFFSET = 2048
#: How far apart the bytes are that stand for a range when it is looked for in memory: what the kernel reads
#: ahead and evicts together is of this order.
_PROBE_STEP = 64 * 1024
#: Bytes a thread reads at once to bring a range into memory.
_LOAD_BYTES = 256 * 1024

#: Missing where the platform has no such thing: then nothing counts as cached.
_NOWAIT = getattr(os, "RWF_NOWAIT", 0) if hasattr(os, "preadv") else 0
#: What a file system says that cannot answer, or a read that would have to wait.
_UNKNOWN = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM})

_buffers: list[bytearray] = []


def read_cached(fd: int, offset: int, count: int) -> bytes | None:
    """Returns `count` bytes from `offset` of a file if they are in memory, and None if that is not certain.

    Fewer bytes mean that the file ends there. It never waits for a disk; after None, which is also the answer
    for more than `CACHED_BYTES`, the caller reads in a thread, as `read_range` does. Raises OSError when
    reading fails.
    """
    if not _NOWAIT or count > CACHED_BYTES:
        return None
    try:
        buffer = _buffers.pop()
    except IndexError:
        buffer = bytearray(_BUFFER_OFFSET + CACHED_BYTES)
    try:
        with memoryview(buffer) as view:
            at, end = _BUFFER_OFFSET, _BUFFER_OFFSET + count
            while at < end:
                got = os.preadv(fd, [view[at:end]], offset, _NOWAIT)
                if got == 0:
                    break
                at += got
                offset += got
            return bytes(view[_BUFFER_OFFSET:at])
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno in _UNKNOWN:
            return None
        raise
    finally:
        if len(_buffers) < _BUFFERS:
            _buffers.append(buffer)


def probe_cached(fd: int, offset: int, count: int) -> bool | None:
    """Whether `count` bytes from `offset` are in memory, judged by samples; None if the system does not say.

    A range that extends beyond the end of the file is judged by what there is. Raises OSError when reading
    fails.
    """
    if not _NOWAIT:
        return None
    last = offset + count - 1
    sample = bytearray(1)
    buffers = [sample]
    try:
        for at in range(offset, last, _PROBE_STEP):
            os.preadv(fd, buffers, at, _NOWAIT)
        os.preadv(fd, buffers, last, _NOWAIT)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _UNKNOWN:
            return None
        raise
    return True


class _Borrowed:
    """A duplicate of a descriptor, closed when nobody refers to it any more.

    A thread that reads outlives the coroutine that waits for it when that is cancelled; the caller then
    closes its file, and the number may be another file's a moment later.
    """

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = -1
        self.fd = os.dup(fd)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


def _read_blocking(file: _Borrowed, offset: int, count: int) -> bytes:
    parts: list[bytes] = []
    while count > 0:
        part = os.pread(file.fd, count, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _load_blocking(file: _Borrowed, offset: int, count: int) -> None:
    end = offset + count
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fd, offset, count, os.POSIX_FADV_WILLNEED)
    while offset < end:
        got = len(os.pread(file.fd, min(_LOAD_BYTES, end - offset), offset))
        if not got:
            break
        offset += got


async def read_range(fd: int, offset: int, count: int, *, executor: Executor | None = None) -> bytes:
    """Returns `count` bytes from `offset`, fewer at the end of the file, without blocking the loop.

    What is not in memory is read in `executor`. `fd` may be closed when this is cancelled. Raises OSError when
    reading fails.
    """
    data = read_cached(fd, offset, count)
    if data is None:
        data = await filethreads.run(executor, _read_blocking, _Borrowed(fd), offset, count)
    return data


async def load_range(fd: int, offset: int, count: int, *, executor: Executor | None = None) -> None:
    """Brings a range of a file into memory, by reading it in `executor` if it is not there already.

    Raises OSError when reading fails.
    """
    if not probe_cached(fd, offset, count):
        await filethreads.run(executor, _load_blocking, _Borrowed(fd), offset, count)
