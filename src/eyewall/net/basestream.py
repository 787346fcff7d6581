"""`BaseIOStream`: reading and writing a descriptor, without waiting for it.

A stream has a buffer of what has come (`_inbox`), a queue of what is to go out (`_write_buffer`), at most one
request to read, and futures of those who wrote. A read is first answered from the buffer, then by reading at once,
and only then by the loop's telling when there is something. A write is tried at once, too.

The loop is asked to watch the descriptor for reading while a request waits, and while the buffer is empty, so that the
end is noticed also when nobody reads. What nobody asks for stays with the kernel, which slows the peer down, or where
that cannot be seen without reading, one chunk of it.

Subclasses say what the descriptor is and how bytes pass through it: `fileno`, `close_fd`, `read_from_fd`,
`write_to_fd`, `get_fd_error`. Those of Eyewall also override `_prepare`, for what comes before the first byte.
"""

from __future__ import annotations

import asyncio
import errno
import re
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

from eyewall.base.loggers import gen_log
from eyewall.guard.profile import active
from eyewall.loop.done import done_future
from eyewall.loop.ioloop import IOLoop, Selectable
from eyewall.net.errors import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
from eyewall.net.readrequest import (
    UNSATISFIED,
    Counted,
    Delimited,
    Filling,
    Matched,
    ReadRequest,
    ToTheEnd,
)
from eyewall.net.sendqueue import Buffer, SendQueue, flat

#: Bytes read, and written, before others have their turn; and calls made for that, however little each brings.
_TURN_BYTES = 1024 * 1024
_TURN_CALLS = 256
#: Bytes offered to the kernel at once.
_SEND_BYTES = 1024 * 1024
#: How a peer that leaves may look; no more than its end to us.
_LEFT = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})
#: Buffers to read into that are kept, all of one size.
_KEPT_SCRATCH = 4
_SCRATCH_BYTES = 64 * 1024
_scratch: list[bytearray] = []

#: What `close` is told of the reason: whether there is an exception to be taken, or which.
ExcInfo = bool | BaseException | tuple[Any, Any, Any]


class BaseIOStream:
    """A non-blocking stream over a descriptor.

    `max_buffer_size`: bytes that are kept for reading (100 MiB); beyond it the stream is closed with
    StreamBufferFullError. `read_chunk_size`: bytes read at once (64 KiB). `max_write_buffer_size`: bytes that may
    wait to be written; beyond it `write` raises StreamBufferFullError. The defaults are those of the active profile.

    Everything that waits raises StreamClosedError when the stream is closed; `real_error` says what closed it.
    """

    def __init__(
        self,
        max_buffer_size: int | None = None,
        read_chunk_size: int | None = None,
        max_write_buffer_size: int | None = None,
    ) -> None:
        profile = active()
        self.io_loop = IOLoop.current()
        self.max_buffer_size = max_buffer_size or profile.stream_buffer_bytes
        # A chunk must leave room for another, or a small buffer would overflow by what was not even asked for.
        self.read_chunk_size = max(
            1, min(read_chunk_size or profile.stream_chunk_bytes, self.max_buffer_size // 2)
        )
        self.max_write_buffer_size = max_write_buffer_size or profile.stream_unsent_bytes or None
        #: What closed the stream, None for an ordinary end.
        self.error: BaseException | None = None
        self._aio: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        self._inbox = bytearray()
        self._request: ReadRequest | None = None
        self._write_buffer = SendQueue()
        # Bytes taken for writing, and written, since the beginning.
        self._accepted = 0
        self._written = 0
        self._writers: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._close_callback: Callable[[], object] | None = None
        self._closed = False
        self._peer_ended = False
        # False as long as `_prepare` is to be called: bytes do not pass yet.
        self._prepared = True
        self._watched = IOLoop.NONE
        # Something has come that nobody has asked for yet.
        self._unread = False

    # -- for subclasses ---------------------------------------------------------------------------------

    def fileno(self) -> int | Selectable:
        """Returns the descriptor, or an object that has one."""
        raise NotImplementedError(f"{type(self).__name__} has no fileno")

    def close_fd(self) -> None:
        """Closes the descriptor. Called once, by `close`."""
        raise NotImplementedError(f"{type(self).__name__} does not close its descriptor")

    def write_to_fd(self, data: memoryview) -> int:
        """Writes a part of `data` and returns how many bytes.

        0, or a BlockingIOError, says that nothing can be written now. `data` must not be kept.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write")

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Reads into `buf` and returns how many bytes, None where there are none now, 0 at the end."""
        raise NotImplementedError(f"{type(self).__name__} does not read")

    def get_fd_error(self) -> BaseException | None:
        """Returns what went wrong with the descriptor, if that can be told."""
        return None

    # -- reading ----------------------------------------------------------------------------------------

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> asyncio.Future[bytes]:
        """Returns a future of the bytes up to `delimiter`, with it.

        When it is not among the first `max_bytes` the stream is closed.
        """
        return self._begin(Delimited(self._aio.create_future(), delimiter, max_bytes))

    def read_until_regex(
        self, regex: bytes | re.Pattern[bytes], max_bytes: int | None = None
    ) -> asyncio.Future[bytes]:
        """Returns a future of the bytes up to the end of the first match of `regex`.

        When it is not within the first `max_bytes` the stream is closed.
        """
        return self._begin(Matched(self._aio.create_future(), re.compile(regex), max_bytes))

    def read_bytes(self, num_bytes: int, partial: bool = False) -> asyncio.Future[bytes]:
        """Returns a future of `num_bytes` bytes, or with `partial` of what there is, one byte at least."""
        if num_bytes < 0:
            raise ValueError(f"{num_bytes} bytes cannot be read")
        return self._begin(Counted(self._aio.create_future(), num_bytes, partial))

    def read_into(self, buf: bytearray | memoryview, partial: bool = False) -> asyncio.Future[int]:
        """Fills `buf`, or with `partial` a part of it; returns a future of the number of bytes.

        `buf` must be neither resized nor used until then.
        """
        view = flat(buf)
        if view.readonly:
            raise TypeError("read_into needs a buffer that can be written to")
        request = Filling(self._aio.create_future(), view, partial)
        future = self._begin(request)
        if not future.done():
            # The caller has its buffer back as soon as it does not wait any more.
            future.add_done_callback(lambda _: self._drop_cancelled())
        return future

    def read_until_close(self) -> asyncio.Future[bytes]:
        """Returns a future of everything up to the end of the stream, `max_buffer_size` bytes at most."""
        request = ToTheEnd(self._aio.create_future())
        # Whether the end of the peer was seen before this call, or is by it, makes no difference.
        if not (self._closed and (self._inbox or self._peer_ended) and self._ended_well()):
            return self._begin(request)
        request.future.set_result(request.take(self._inbox, len(self._inbox)))
        return request.future

    def reading(self) -> bool:
        """Whether a read waits."""
        return self._request is not None and not self._request.future.done()

    def _begin(self, request: ReadRequest) -> asyncio.Future[Any]:
        self._drop_cancelled()
        if self._request is not None:
            request.release()
            raise AssertionError("Already reading: a stream has one reader at a time")
        self._request = request
        try:
            self._try_inline_read()
        except UnsatisfiableReadError as error:
            self._give_up(error)
        except BaseException:
            if self._request is request:
                self._request = None
                request.release()
            raise
        return request.future

    def _try_inline_read(self) -> None:
        """Answers the request with what has come already, or asks the loop to tell when more has.

        Raises StreamClosedError, or the error of reading.
        """
        if self._answer(settled=True):
            if not self._inbox:
                # What came is read: from now on the end would be noticed.
                self._watch()
            return
        self._check_open()
        if self._prepared:
            self._receive()
        self._watch()

    def _answer(self, settled: bool) -> bool:
        """Completes the request if the bytes for it are there."""
        request = self._request
        if request is None:
            return False
        if request.future.done():
            self._drop_cancelled()
            return True
        count = request.find(self._inbox, settled)
        if count == UNSATISFIED:
            return False
        self._request = None
        answer = request.take(self._inbox, count)
        request.release()
        request.future.set_result(answer)
        return True

    def _drop_cancelled(self) -> None:
        """Forgets a request that nobody waits for any more; what has come is for the next one."""
        request = self._request
        if request is not None and request.future.done():
            self._request = None
            request.give_back(self._inbox)
            request.release()

    def _receive(self) -> None:
        """Reads until the request is answered, nothing more is there, or it is somebody else's turn.

        Raises the error of reading, after the stream was closed for it.
        """
        left = _TURN_BYTES
        self._unread = False
        while not self._closed:
            request = self._request
            count = self._read_once(request)
            if count is None:
                break
            if count == 0:
                self._ended()
                return
            if self._answer(settled=False):
                return
            if request is None:
                return
            if len(self._inbox) > self.max_buffer_size:
                gen_log.error("Reached maximum read buffer size")
                self._fail(StreamBufferFullError("Reached maximum read buffer size"))
            left -= max(count, _TURN_BYTES // _TURN_CALLS)
            if left <= 0:
                # Not left to the loop: TLS may have bytes that the descriptor does not show any more.
                self._aio.call_soon(self._continue)
                break
        self._answer(settled=True)

    def _read_once(self, request: ReadRequest | None) -> int | None:
        """Returns how many bytes came, None where there are none now, 0 at the end."""
        room = request.room() if request is not None else None
        try:
            if request is None or room is None:
                return self._read_chunk()
            with room:
                count = self.read_from_fd(room)
            if count:
                request.put(count)
            return count
        except BlockingIOError:
            return None
        except Exception as error:  # noqa: BLE001 - whoever reads is told
            if self._is_leaving(error):
                self.error = error
                return 0
            self._fail(error)

    def _read_chunk(self) -> int | None:
        # One byte more than there may be: to see the end, or that it is not.
        size = min(self.read_chunk_size, self.max_buffer_size - len(self._inbox) + 1)
        scratch = (
            _scratch.pop() if size <= _SCRATCH_BYTES and _scratch else bytearray(max(size, _SCRATCH_BYTES))
        )
        try:
            with memoryview(scratch) as whole, whole[:size] as view:
                count = self.read_from_fd(view)
                if count:
                    self._inbox += view[:count]
        finally:
            if len(scratch) == _SCRATCH_BYTES and len(_scratch) < _KEPT_SCRATCH:
                _scratch.append(scratch)
        return count

    def _fail(self, error: BaseException) -> NoReturn:
        self.close(exc_info=error)
        raise error

    def _ended(self) -> None:
        """The peer sends no more."""
        self._peer_ended = True
        try:
            self._answer(settled=True)
        except UnsatisfiableReadError as error:
            self._give_up(error)
        self.close(exc_info=self.error if self.error is not None else False)

    def _give_up(self, error: UnsatisfiableReadError) -> None:
        gen_log.info("Unsatisfiable read, closing connection: %s", error)
        self.close(exc_info=error)

    def _on_readable(self) -> None:
        try:
            self._receive()
        except UnsatisfiableReadError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - the reader is told; whoever runs the server as well
            gen_log.warning("error on read: %s", error)

    def _look(self) -> None:
        """Something has come, or the end has, and nobody reads: finds out which."""
        self._on_readable()

    def _continue(self) -> None:
        """Goes on reading where a turn was used up."""
        if not self._closed and self._request is not None and self._prepared:
            self._on_readable()
            self._watch()

    # -- writing ----------------------------------------------------------------------------------------

    def write(self, data: Buffer) -> asyncio.Future[None]:
        """Writes all of `data`; returns a future that is done when it has been handed to the system.

        The future need not be awaited: what cannot be sent now waits, up to `max_write_buffer_size`. What is large
        is not copied, and must not be changed before. Raises StreamClosedError, and StreamBufferFullError where
        `data` does not fit.
        """
        self._check_open()
        view = flat(data)
        size = len(view)
        queue = self._write_buffer
        limit = self.max_write_buffer_size
        if limit is not None and len(queue) + size > limit:
            raise StreamBufferFullError(f"Reached maximum write buffer size: {limit} bytes")
        self._accepted += size
        if self._prepared and not len(queue):
            view = self._send(view)
        if len(view) and not self._closed:
            queue.append(view)
        view.release()
        if self._closed:
            return self._failed(self._aio.create_future())
        if not len(queue):
            return done_future(self._aio)
        future: asyncio.Future[None] = self._aio.create_future()
        self._writers.append((self._accepted, future))
        self._watch()
        return future

    # Dask puts what it sends into the queue itself, counts it here, and writes b"" then.
    @property
    def _total_write_index(self) -> int:
        return self._accepted

    @_total_write_index.setter
    def _total_write_index(self, count: int) -> None:
        self._accepted = count

    def writing(self) -> bool:
        """Whether bytes wait to be written."""
        return len(self._write_buffer) > 0

    def unsent(self) -> int:
        """Returns how many bytes wait to be written."""
        return len(self._write_buffer)

    def put_back(self, data: bytes) -> None:
        """Puts `data`, bytes that were read, back to the front, for the next reader."""
        self._inbox[:0] = data

    def _send(self, view: memoryview) -> memoryview:
        """Writes what can be written of `view` now, and returns the rest."""
        left = _TURN_BYTES
        while len(view) and left > 0:
            with view[:_SEND_BYTES] as piece:
                count = self._write_once(piece)
            if not count:
                break
            rest = view[count:]
            view.release()
            view = rest
            left -= max(count, _TURN_BYTES // _TURN_CALLS)
        return view

    def _flush(self) -> None:
        """Writes what can be written of the queue now, and tells those who wrote it."""
        queue = self._write_buffer
        left = _TURN_BYTES
        while len(queue) and left > 0:
            with queue.peek(_SEND_BYTES) as piece:
                count = self._write_once(piece)
            if not count:
                break
            queue.advance(count)
            left -= max(count, _TURN_BYTES // _TURN_CALLS)
        while self._writers and self._writers[0][0] <= self._written:
            _, future = self._writers.popleft()
            if not future.done():
                future.set_result(None)

    def _write_once(self, piece: memoryview) -> int:
        """Returns how many bytes were written; 0 where that is not possible now, or not any more."""
        try:
            count = self.write_to_fd(piece)
        except BlockingIOError:
            return 0
        except Exception as error:  # noqa: BLE001 - those who wrote are told
            if not self._is_leaving(error):
                gen_log.warning("Write error on %s: %s", self.fileno(), error)
            # The piece belongs to what closing lets go of.
            piece.release()
            self.close(exc_info=error)
            return 0
        self._written += count
        return count

    # -- the loop ---------------------------------------------------------------------------------------

    def _prepare(self) -> bool:
        """The descriptor is ready while the stream is not `_prepared`: goes on with what has to come first.

        Returns whether that is done.
        """
        raise NotImplementedError(f"{type(self).__name__} has nothing to prepare")

    def _interest(self) -> int:
        """Returns the events of the descriptor that something waits for."""
        if self._closed:
            return IOLoop.NONE
        if not self._prepared:
            return IOLoop.WRITE
        events = IOLoop.NONE
        if self._request is not None or not (self._inbox or self._unread):
            events |= IOLoop.READ
        if len(self._write_buffer):
            events |= IOLoop.WRITE
        return events

    def _watch(self) -> None:
        """Makes the loop watch for what something waits for."""
        events = self._interest()
        if events == self._watched:
            return
        if self._watched == IOLoop.NONE:
            self.io_loop.add_handler(self.fileno(), self._on_event, events)
        elif events == IOLoop.NONE:
            self.io_loop.remove_handler(self.fileno())
        else:
            self.io_loop.update_handler(self.fileno(), events)
        self._watched = events

    def _on_event(self, _fd: int | Selectable, events: int) -> None:
        if self._closed:
            return
        if not self._prepared:
            if not self._prepare():
                self._watch()
                return
            events = IOLoop.WRITE if self._request is None else IOLoop.READ | IOLoop.WRITE
        if events & IOLoop.WRITE and len(self._write_buffer):
            self._flush()
        if events & IOLoop.READ and not self._closed:
            if self._request is not None:
                self._on_readable()
            elif not self._inbox:
                self._look()
        if not self._closed:
            self._watch()

    # -- the end ----------------------------------------------------------------------------------------

    def close(self, exc_info: ExcInfo = False) -> None:
        """Closes the stream and drops what waits to be written. What has come can still be read.

        `exc_info`: what closes it, which becomes `error` and the `real_error` of those who wait: an exception, a
        tuple as from `sys.exc_info()`, or True for the one that is being handled.
        """
        if self._closed:
            return
        if exc_info:
            self.error = _exception_of(exc_info)
        self._closed = True
        if self._watched != IOLoop.NONE:
            self._watched = IOLoop.NONE
            self.io_loop.remove_handler(self.fileno())
        try:
            self.close_fd()
        finally:
            self._write_buffer.clear()
            self._wake()

    def _wake(self) -> None:
        """Tells everybody who waits that the stream is closed."""
        request, self._request = self._request, None
        if request is not None:
            if request.future.done():
                request.give_back(self._inbox)
            elif isinstance(request, ToTheEnd) and self._ended_well():
                request.future.set_result(request.take(self._inbox, len(self._inbox)))
            else:
                self._failed(request.future)
            request.release()
        while self._writers:
            _, future = self._writers.popleft()
            if not future.done():
                self._failed(future)
        self._call_back()

    def _ended_well(self) -> bool:
        # Some systems show the reset of a peer that has closed before they show what it sent as read.
        return self.error is None or self._is_leaving(self.error)

    def _is_leaving(self, error: BaseException) -> bool:
        """Whether `error` only says that the peer has left."""
        return isinstance(error, OSError) and error.errno in _LEFT

    def _call_back(self) -> None:
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            self.io_loop.add_callback(callback)

    def _failed(self, future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        future.set_exception(StreamClosedError(real_error=self.error))
        # Nobody has to wait for it: that a peer leaves is not an error that must be reported.
        future.exception()
        return future

    def closed(self) -> bool:
        """Whether the stream is closed."""
        return self._closed

    def set_close_callback(self, callback: Callable[[], object] | None) -> None:
        """Has `callback` called when the stream is closed, once; at once if it is. None: nothing is called.

        That a peer has closed it is noticed when what it sent before has been read.
        """
        self._close_callback = callback
        if self._closed:
            self._call_back()
        else:
            self._watch()

    def set_nodelay(self, value: bool) -> None:
        """Sends small writes without delay where `value` is true, or gathers them, where the descriptor knows
        of such a thing.
        """

    def _check_open(self) -> None:
        if self._closed:
            raise StreamClosedError(real_error=self.error)


def _exception_of(exc_info: ExcInfo) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        error: BaseException | None = exc_info[1]
        return error
    return sys.exc_info()[1]
