"""Sending a part of a file as it is: from the page cache to the socket where that is possible.

Four things make this more than a call of `os.sendfile`.

The descriptor: the transport owns its own, closes it when it likes, and a moment later the number may belong
to another client. So a duplicate is sent to; it is also what can be waited for, as no loop lets others wait
for a transport's descriptor. The duplicate keeps the connection open, so whoever loses the connection has to
wake us: that is `FlowControl.waiter`.

The order: what the transport still has to write goes first, so its buffer must be empty before we begin.

The disk: `sendfile` waits for it, and the loop with it. So a window of the file is brought into memory first.

The end: a file can be truncated, a client can leave, a task can be cancelled. In each case the announced
length cannot be kept, and the connection is aborted, so that nothing that follows is taken for the rest.

Over TLS, and where the system cannot do it, the file is read and written in pieces, with the same guarantees.
"""

from __future__ import annotations

import asyncio
import errno
import os
from concurrent.futures import Executor
from typing import Protocol

from eyewall.net.errors import FileChanged, StreamClosedError
from eyewall.net.files import load_range, read_range
from eyewall.net.transport import FlowControl

#: Up to this size reading and writing costs less than preparing for `sendfile`.
SMALL_BYTES = 64 * 1024
#: Bytes of the file brought into memory, and sent, before others have their turn on the loop.
WINDOW_BYTES = 1024 * 1024
#: Bytes read and written at once where `sendfile` cannot be used.
CHUNK_BYTES = 256 * 1024

#: This file or this socket is not for `sendfile`.
_UNSUITABLE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSOCK, errno.EOVERFLOW})


class HasDescriptor(Protocol):
    """An open file of the operating system."""

    def fileno(self) -> int:
        """Returns its descriptor."""


async def send_file(
    flow: FlowControl, file: HasDescriptor, offset: int, count: int, *, executor: Executor | None = None
) -> None:
    """Sends `count` bytes of `file` from `offset` on the connection of `flow`; returns when they are sent.

    Sent means given to the system, or to the transport within its limits. Nobody else may write meanwhile.
    The file's own position is neither used nor changed. What is not in memory is read in `executor`, by
    default the threads of `net.filethreads`.

    Raises FileChanged when the file ends before that, StreamClosedError when the connection is lost, OSError
    when the file cannot be read. Whenever it raises, and when it is cancelled, the connection is aborted.
    """
    try:
        if offset < 0 or count < 0:
            raise ValueError(f"no such part of a file: {count} bytes from {offset}")
        if count == 0:
            return
        fd = file.fileno()
        if count > SMALL_BYTES and _plain(flow):
            await _emptied(flow)
            sent = await _send_directly(flow, fd, offset, count, executor)
            offset += sent
            count -= sent
        if count:
            await _copy(flow, fd, offset, count, executor)
    except BaseException as error:
        flow.abort(error)
        raise


def _plain(flow: FlowControl) -> bool:
    """Whether the bytes of the transport are those of the socket, and the system can send files to it."""
    transport = flow.transport
    if transport is None or transport.is_closing():
        raise StreamClosedError(flow.error)
    return (
        hasattr(os, "sendfile")
        and transport.get_extra_info("sslcontext") is None
        and transport.get_extra_info("socket") is not None
    )


async def _emptied(flow: FlowControl) -> None:
    """Waits until the transport has written everything."""
    transport = flow.transport
    if transport is None:
        raise StreamClosedError(flow.error)
    if transport.get_write_buffer_size() == 0:
        return
    # With this limit the transport tells when nothing is left; it counts as paused until then.
    transport.set_write_buffer_limits(0)
    try:
        while flow.waiting():
            flow.watch_writes()
            await flow.waiter()
    finally:
        if flow.transport is not None:
            flow.transport.set_write_buffer_limits(flow.write_high_water)
    if flow.closed:
        raise StreamClosedError(flow.error)


async def _send_directly(
    flow: FlowControl, fd: int, offset: int, count: int, executor: Executor | None
) -> int:
    """Sends with `sendfile` and returns how many bytes: all, or what there was when it proved impossible."""
    transport = flow.transport
    if transport is None or transport.is_closing():
        raise StreamClosedError(flow.error)
    # Nothing is awaited between this check and the duplicate, so the number is still the transport's.
    sock = os.dup(transport.get_extra_info("socket").fileno())
    sent = 0
    try:
        while sent < count:
            window = min(WINDOW_BYTES, count - sent)
            await load_range(fd, offset + sent, window, executor=executor)
            end = sent + window
            while sent < end:
                _check(flow)
                try:
                    step = os.sendfile(sock, fd, offset + sent, end - sent)
                except BlockingIOError:
                    await _writable(flow, sock)
                    continue
                except OSError as error:
                    if error.errno in _UNSUITABLE and sent == 0:
                        return 0
                    if isinstance(error, ConnectionError):
                        raise StreamClosedError(error) from error
                    raise
                if step == 0:
                    raise FileChanged(count - sent)
                sent += step
                flow.written += step
            if sent < count:
                await asyncio.sleep(0)
        return sent
    finally:
        os.close(sock)


def _check(flow: FlowControl) -> None:
    """Raises StreamClosedError if the connection is lost, or is being closed by us."""
    transport = flow.transport
    if transport is None or transport.is_closing():
        raise StreamClosedError(flow.error)


async def _writable(flow: FlowControl, sock: int) -> None:
    """Waits until `sock` takes bytes again; the write deadline runs meanwhile."""
    waiter = flow.waiter()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    flow.outside = True
    flow.watch_writes()
    flow.loop.add_writer(sock, wake)
    try:
        await waiter
    finally:
        flow.outside = False
        flow.loop.remove_writer(sock)


async def _copy(flow: FlowControl, fd: int, offset: int, count: int, executor: Executor | None) -> None:
    """Reads and writes in pieces; waits while the transport is full."""
    while count:
        chunk = await read_range(fd, offset, min(CHUNK_BYTES, count), executor=executor)
        if not chunk:
            raise FileChanged(count)
        _check(flow)
        flow.write(chunk)
        offset += len(chunk)
        count -= len(chunk)
        if count:
            # Also a transport that takes everything at once must not keep the others waiting.
            await (flow.drained() if flow.paused else asyncio.sleep(0))
