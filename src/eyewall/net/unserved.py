"""Listening for a loop that never runs: clients connect to the kernel, and wait for an answer that nobody will give.

It happens where `listen` comes after the loop has ended, or before `asyncio.run`, which makes a loop of its own. It is
said when the program ends, which with the second is when somebody has lost their patience.
"""

from __future__ import annotations

import atexit
import socket
from asyncio import AbstractEventLoop
from weakref import WeakSet

from eyewall.base.loggers import gen_log

_waiting: WeakSet[socket.socket] = WeakSet()


def expect(loop: AbstractEventLoop, sock: socket.socket) -> None:
    """Has it said at the end of the program if `sock` is open then and `loop`, which does not run yet, has not run."""
    if not _waiting:
        # Once, however often it is registered.
        atexit.unregister(tell)
        atexit.register(tell)
    _waiting.add(sock)
    loop.call_soon(_waiting.discard, sock)


def tell() -> None:
    """Says which sockets nobody was served on."""
    for sock in tuple(_waiting):
        _waiting.discard(sock)
        if sock.fileno() >= 0:
            gen_log.warning(
                "Nobody was served on %s: the loop that was current at `listen` never ran. Call `listen` in the "
                "coroutine that `run` or `asyncio.run` is given, or before `IOLoop.current().start()`",
                _address(sock),
            )


def _address(sock: socket.socket) -> str:
    name = sock.getsockname()
    return f"port {name[1]}" if isinstance(name, tuple) else f"the Unix socket {name!r}"
