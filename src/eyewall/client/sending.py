"""The sending half of a request: its head, then its content, while somebody else waits for the response.

Content that is there goes out with the head. What a `body_producer` writes takes its time, and so does a server that
was asked to say 100 (Continue): that runs in a task beside the one that reads the response, and stops when the
response makes it pointless (RFC 9112 section 9.3).
"""

from __future__ import annotations

import asyncio
from typing import Any

from eyewall.client.connection import ClientConnection
from eyewall.client.plan import Plan
from eyewall.http.errors import HTTPOutputError
from eyewall.http.h1.writer import LAST_CHUNK, chunk_head
from eyewall.loop.eager import start_task

#: Content up to this size goes out in one write with the head, which takes a copy of it.
_ONE_WRITE = 16 * 1024


class Sending:
    """Sends one request. What goes wrong with it is what whoever reads the response gets (`ClientConnection.fail`).

    `head`: encoded; `length`: of the content, -1 for chunks; `patience`: seconds to wait for 100 (Continue).
    """

    def __init__(
        self, connection: ClientConnection, plan: Plan, head: bytes, length: int, patience: float
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._head = head
        self._length = length
        self._patience = patience
        #: A body_producer was called.
        self.produced = False
        self._written = 0
        self._done = False
        #: The server may be waited for no more.
        self._permission: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sends the head, and what can be sent at once."""
        plan, connection = self._plan, self._connection
        waits = bool(plan.options.expect_100_continue) and self._length != 0
        if plan.body_producer is None and not waits:
            body = plan.body or b""
            if len(body) <= _ONE_WRITE:
                self._write(self._head + body)
            else:
                self._write(self._head)
                self._write(body)
            self._done = True
            return
        self._write(self._head)
        if waits:
            self._permission = connection.loop.create_future()
        self._task = start_task(self._content(), connection.loop)

    def go_on(self) -> None:
        """The server wants the content."""
        if self._permission is not None and not self._permission.done():
            self._permission.set_result(None)

    def answered(self, status: int) -> None:
        """The final response has begun: content that was held back, or that an error makes useless, is not sent."""
        held = self._permission is not None and not self._permission.done()
        if not self._done and self._task is not None and (held or status >= 300):
            self._task.cancel()

    def finish(self) -> bool:
        """Ends sending; tells whether all of the request was sent."""
        if not self._done and self._task is not None:
            self._task.cancel()
        return self._done

    async def _content(self) -> None:
        try:
            if self._permission is not None:
                await asyncio.wait([self._permission], timeout=self._patience)
                self.go_on()
            if self._plan.body_producer is None:
                self._write(self._plan.body or b"")
            else:
                await self._produce()
            self._done = True
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Something that the producer waited for was cancelled, and not this.
            self._connection.fail(HTTPOutputError("the body_producer was cancelled"))
        except Exception as error:  # noqa: BLE001 - it is the caller's, who waits for the response
            # A server that has closed may have answered before: what it said counts more.
            if not self._connection.closed:
                self._connection.fail(error)

    async def _produce(self) -> None:
        self.produced = True
        result = self._plan.body_producer(self._write_content)
        if result is not None:
            await result
        if self._length < 0:
            self._write(LAST_CHUNK)
        elif self._written != self._length:
            raise HTTPOutputError(
                f"the body_producer wrote {self._length - self._written} bytes less than the Content-Length"
            )
        await self._connection.drained()

    def _write_content(self, chunk: bytes) -> asyncio.Future[None]:
        """What a body_producer writes with. The future is done when more may be written."""
        if self._done or (self._task is not None and self._task.cancelling()):
            raise HTTPOutputError("the request is over; nothing more can be written")
        self._written += len(chunk)
        if self._length < 0:
            # An empty chunk would be the last one.
            if chunk:
                self._write(b"%b%b\r\n" % (chunk_head(len(chunk)), chunk))
        elif self._written > self._length:
            raise HTTPOutputError("the body_producer wrote more than the Content-Length")
        else:
            self._write(chunk)
        return self._connection.drained()

    def _write(self, data: Any) -> None:
        if not self._connection.closed:
            self._connection.write(data)
