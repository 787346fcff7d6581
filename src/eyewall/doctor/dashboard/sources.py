"""Who is asked: other processes over their control sockets, and this one.

A process that hangs, or was stopped, costs whoever asks a coroutine that waits, and nobody else anything: no thread
waits for it, and what it has not answered in time is not waited for any more.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from eyewall.doctor.control import protocol
from eyewall.doctor.control.client import NoDoctor, connected
from eyewall.doctor.control.commands import Patient, answer_to
from eyewall.doctor.control.protocol import ControlError, Lines

#: Bytes of an answer that are taken. What a dashboard asks for is limited to less.
ANSWER = 16 * 1024 * 1024
#: Threads that answer in this process, for all that is asked at once.
THREADS = 2
#: What may wait for them.
WAITING = 16


class Source(Protocol):
    """A process that can be asked."""

    @property
    def pid(self) -> int:
        """Which process it is."""

    async def ask(self, command: str, arguments: Mapping[str, Any], patience: float) -> Any:
        """Returns the answer to a command of the control socket, for which the process has `patience` seconds.

        Raises NoDoctor where the process is gone, ControlError where it does not answer this, or not in time
        ("silent").
        """

    def close(self) -> None:
        """Asks no more for now. May be asked again."""


class SocketSource:
    """The doctor in process `pid`, over its socket: one question at a time, over one connection that is kept."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._connection: socket.socket | None = None
        self._lines = Lines(ANSWER)
        self._asked = 0
        self._busy = asyncio.Lock()

    @property
    def pid(self) -> int:
        """See `Source`."""
        return self._pid

    async def ask(self, command: str, arguments: Mapping[str, Any], patience: float) -> Any:
        """See `Source`."""
        try:
            async with asyncio.timeout(patience), self._busy:
                return await self._ask(command, arguments)
        except TimeoutError:
            raise ControlError(
                "silent",
                f"process {self._pid} has not answered within {patience:g} s: a call keeps its interpreter, or it "
                "was stopped",
            ) from None

    def close(self) -> None:
        """See `Source`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def _ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        kept = self._connection is not None
        done = False
        try:
            try:
                answer = await self._converse(command, arguments)
            except OSError:
                if not kept:
                    raise
                # A connection on which nothing was asked for a while is closed by the other side.
                self.close()
                answer = await self._converse(command, arguments)
            done = True
        except OSError:
            raise NoDoctor("no-doctor", f"process {self._pid} has ended, or turned its doctor off") from None
        finally:
            if not done:
                # What comes later on this connection would be taken for the answer to something else.
                self.close()
        return protocol.parse_answer(answer, self._asked)

    async def _converse(self, command: str, arguments: Mapping[str, Any]) -> bytes:
        loop = asyncio.get_running_loop()
        if self._connection is None:
            # A socket of this machine, and no wait: it is connected at once or not at all.
            self._connection = connected(self._pid, 0.0)  # eyewall: ignore[blocking-socket]
            self._lines = Lines(ANSWER)
        connection = self._connection
        self._asked += 1
        await loop.sock_sendall(connection, protocol.question(self._asked, command, arguments))
        while True:
            data = await loop.sock_recv(connection, 1 << 18)
            if not data:
                raise ConnectionResetError
            for line in self._lines.feed(data):
                return line


class OwnSource:
    """This process, which answers `patient`'s questions in threads of its own: a command may wait for the loop.

    The threads are there from the first question until all are answered after `close`.
    """

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        # What follows is changed by the loop's thread, and by those that answer.
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._open: set[Future[Any]] = set()
        self._closed = True

    @property
    def pid(self) -> int:
        """See `Source`."""
        return os.getpid()

    async def ask(self, command: str, arguments: Mapping[str, Any], patience: float) -> Any:
        """See `Source`."""
        with self._lock:
            if len(self._open) >= THREADS + WAITING:
                raise ControlError("busy", "too much is asked of this process at once")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, "eyewall-dashboard")
            self._closed = False
            answer = self._threads.submit(answer_to, self._patient, command, dict(arguments))
            self._open.add(answer)
        # Not under the lock: it is called at once where the answer is there already.
        answer.add_done_callback(self._answered)
        try:
            async with asyncio.timeout(patience):
                return await asyncio.wrap_future(answer)
        except TimeoutError:
            raise ControlError("busy", f"no answer came within {patience:g} s") from None

    def close(self) -> None:
        """See `Source`."""
        with self._lock:
            self._closed = True
            self._rest()

    def _answered(self, answer: Future[Any]) -> None:
        with self._lock:
            self._open.discard(answer)
            self._rest()

    def _rest(self) -> None:
        """Ends the threads where nobody needs them."""
        if self._closed and not self._open and self._threads is not None:
            self._threads.shutdown(wait=False)
            self._threads = None
