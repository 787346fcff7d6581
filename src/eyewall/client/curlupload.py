"""What a `body_producer` writes, on its way to libcurl.

libcurl asks for content from within its own work, where an application's code must not run. So the producer is a task
of its own; what it writes is kept here until libcurl asks. Where libcurl asks first the transfer pauses, and where the
producer is ahead it waits.

libcurl may want it all once more, for a redirect or a challenge: then the producer is called again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import pycurl

from eyewall.http.errors import HTTPOutputError
from eyewall.loop.done import done_future


class CurlUpload:
    """The content of one request. `length`: -1 where it is not announced; `most`: bytes that wait for libcurl.

    `go_on` is called when libcurl, which has asked in vain, is to ask again; `fail` with what went wrong.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        producer: Callable[[Callable[[bytes], Any]], Any],
        length: int,
        most: int,
        go_on: Callable[[], object],
        fail: Callable[[BaseException], object],
    ) -> None:
        self._loop = loop
        self._producer = producer
        self._length = length
        self._most = most
        self._go_on = go_on
        self._fail = fail
        self._chunks: deque[bytes] = deque()
        #: Of the first chunk, what libcurl has.
        self._taken = 0
        self._waiting = 0
        self._written = 0
        #: The producer has written all of it.
        self._complete = False
        #: Nobody wants it any more.
        self._over = False
        self._asked_in_vain = False
        self._room: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._starting: asyncio.Handle | None = None

    # -- libcurl asks -----------------------------------------------------------------------------------

    def read(self, size: int) -> bytes | int:
        """Returns at most `size` bytes, none at the end; or what tells libcurl to wait."""
        if self._over:
            aborted: int = pycurl.READFUNC_ABORT
            return aborted
        if not self._chunks:
            if self._complete:
                return b""
            if self._task is None and self._starting is None:
                self._starting = self._loop.call_soon(self._start)
            self._asked_in_vain = True
            paused: int = pycurl.READFUNC_PAUSE
            return paused
        chunk = self._chunks[0][self._taken : self._taken + size]
        self._taken += len(chunk)
        if self._taken == len(self._chunks[0]):
            self._chunks.popleft()
            self._taken = 0
        self._waiting -= len(chunk)
        room = self._room
        if room is not None and self._waiting < self._most:
            self._room = None
            if not room.done():
                room.set_result(None)
        return chunk

    def seek(self, offset: int, origin: int) -> int:
        """libcurl wants to send from `offset` on; only the beginning can be had."""
        if offset or origin:
            refused: int = pycurl.SEEKFUNC_CANTSEEK
            return refused
        self._stop()
        self._written = 0
        self._complete = False
        done: int = pycurl.SEEKFUNC_OK
        return done

    def close(self) -> None:
        """The transfer is over, whether or not it took all of the content."""
        self._over = True
        self._stop()

    def _stop(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._room = None
        self._chunks.clear()
        self._taken = self._waiting = 0

    # -- the producer writes ----------------------------------------------------------------------------

    def _start(self) -> None:
        self._starting = None
        self._task = self._loop.create_task(self._produce())

    async def _produce(self) -> None:
        task = asyncio.current_task()

        def write(chunk: bytes) -> asyncio.Future[None]:
            if self._over or self._task is not task:
                raise HTTPOutputError("the request is over; nothing more can be written")
            return self._write(chunk)

        try:
            result = self._producer(write)
            if result is not None:
                await result
            if self._over or self._task is not task:
                # libcurl has begun again, with another run of the producer: what became of this one does not matter.
                return
            if self._length >= 0 and self._written != self._length:
                missing = self._length - self._written
                raise HTTPOutputError(f"the body_producer wrote {missing} bytes less than the Content-Length")
        except asyncio.CancelledError:
            if task is not None and task.cancelling():
                raise
            # Something that the producer waited for was cancelled, and not this.
            self._fail(HTTPOutputError("the body_producer was cancelled"))
        except Exception as error:  # noqa: BLE001 - it is the caller's, who waits for the response
            if not self._over and self._task is task:
                self._fail(error)
        else:
            self._complete = True
            self._offer()

    def _write(self, chunk: bytes) -> asyncio.Future[None]:
        self._written += len(chunk)
        if 0 <= self._length < self._written:
            raise HTTPOutputError("the body_producer wrote more than the Content-Length")
        if chunk:
            self._chunks.append(bytes(chunk))
            self._waiting += len(chunk)
            self._offer()
        if self._waiting < self._most:
            return done_future(self._loop)
        if self._room is None:
            self._room = self._loop.create_future()
        return self._room

    def _offer(self) -> None:
        if self._asked_in_vain:
            self._asked_in_vain = False
            # Not from within what the producer does: libcurl may fail the request, which cancels it.
            self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        if not self._over:
            self._go_on()
