"""Who may make a request now, and who waits: at most `limit` at once, the others in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from eyewall.client.errors import ClientClosed, ClientQueueFull, ClientQueueTimeout


class Places:
    """Places for requests, and a queue for those that have none. A key stands for a request."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: The requests that are being made, by key.
        self.active: dict[object, Any] = {}
        #: Those that wait, in their order, and what wakes each of them.
        self.queue: deque[tuple[object, Any]] = deque()
        self.waiting: dict[object, asyncio.Future[None]] = {}

    async def enter(self, key: object, request: Any, timeout: float | None, most: int) -> None:  # noqa: ASYNC109
        """Takes a place, when there is one. `leave` gives it back.

        Raises ClientQueueTimeout after `timeout` seconds (None: never), ClientQueueFull where `most` wait already
        (0: any number), ClientClosed.
        """
        if len(self.active) < self.limit and not self.queue:
            self.active[key] = request
            return
        if most and len(self.queue) >= most:
            raise ClientQueueFull(most)
        turn = asyncio.get_running_loop().create_future()
        self.queue.append((key, request))
        self.waiting[key] = turn
        try:
            async with asyncio.timeout(timeout):
                await turn
        except BaseException as error:
            # The turn may have come in the moment in which it was given up.
            self.leave(key)
            if isinstance(error, TimeoutError):
                raise ClientQueueTimeout("Timeout in request queue") from None
            raise
        finally:
            del self.waiting[key]

    def leave(self, key: object) -> None:
        """Gives a place back, or leaves the queue."""
        if self.active.pop(key, None) is None:
            for entry in self.queue:
                if entry[0] is key:
                    self.queue.remove(entry)
                    break
        while self.queue and len(self.active) < self.limit:
            key, request = self.queue.popleft()
            turn = self.waiting[key]
            if not turn.done():
                self.active[key] = request
                turn.set_result(None)

    def close(self) -> None:
        """Sends everybody away who waits."""
        self.queue.clear()
        for turn in self.waiting.values():
            if not turn.done():
                turn.set_exception(ClientClosed("the client was closed"))
