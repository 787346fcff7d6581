"""A server's part in the drain of its process (`guard.lifecycle`): requests in flight, WebSockets, event streams."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol
from weakref import ref

from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.lifecycle.drain import SERVERS


class Server(Protocol):
    """What `http.server.HTTPServer` has for this."""

    loop: asyncio.AbstractEventLoop
    left: list[str]

    async def drain(self, timeout: float) -> int: ...  # noqa: ASYNC109 - see there
    def unfinished(self) -> list[str]: ...


class ServerDrain:
    """The participant of one server, which holds it; not the other way round."""

    name = "server"
    phase = SERVERS

    def __init__(self, server: Server) -> None:
        self._server = ref(server)

    async def drain(self, deadline: Deadline) -> Sequence[str]:
        """See `guard.drain.Participant`. The server may be one of another loop, in another thread."""
        server = self._server()
        if server is None or server.loop.is_closed():
            return ()
        draining = server.drain(deadline.remaining())
        if server.loop is asyncio.get_running_loop():
            await draining
        elif server.loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(draining, server.loop))
        else:
            # Nothing happens there, whatever is open.
            draining.close()
        return server.left

    def pending(self) -> list[str]:
        """See `guard.drain.Participant`."""
        server = self._server()
        return [] if server is None else server.unfinished()
