"""The socket of this process, and the threads that answer there.

One thread waits for connections, one for each connection answers; none of them has to do with a loop. They are daemons:
they keep no process alive. Whoever connects must be the same user, or root.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable

from eyewall.doctor.control import places, protocol
from eyewall.doctor.control.commands import Patient, answer_to
from eyewall.doctor.control.protocol import ControlError, Lines

#: Connections that are answered at once; further ones are refused.
CONNECTIONS = 16
#: Connections that wait to be accepted.
BACKLOG = 16
#: Seconds without a question, or in which an answer is not taken, after which a connection is closed.
IDLE = 60.0

_CREDENTIALS = struct.Struct("3i")


class ControlServer:
    """Answers questions about `patient` from `open` to `close`."""

    def __init__(self, patient: Patient, *, idle: float = IDLE, connections: int = CONNECTIONS) -> None:
        self._patient = patient
        self._idle = idle
        self._places = threading.BoundedSemaphore(connections)
        self._pid = os.getpid()
        self._listening: socket.socket | None = None
        self._inode = 0
        self._folder = ""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    @property
    def path(self) -> str:
        """Where it listens; empty where it does not."""
        return os.path.join(self._folder, places.name_of(self._pid)) if self._listening is not None else ""

    def open(self) -> None:
        """Listens, from a thread of its own. Raises OSError where there is no place to."""
        folder = places.own_folder()
        with places.opened(folder, os.geteuid(), make=True) as descriptor:
            places.sweep(descriptor)
            listening = places.listen(descriptor, folder, self._pid, BACKLOG)
            self._inode = places.inode_of(descriptor, self._pid)
        self._folder = folder
        self._listening = listening
        _start(lambda: self._accept(listening), "eyewall-doctor")

    def close(self) -> None:
        """Listens no more, closes all connections, and removes the socket from the file system."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        # Wakes the thread that waits, which closing does not.
        _shut(listening)
        with self._lock:
            for connection in self._open:
                _shut(connection)
        try:
            with places.opened(self._folder, os.geteuid()) as descriptor:
                places.remove(descriptor, self._pid, self._inode)
        except OSError:
            # The folder is gone, and the socket with it.
            return

    def forked(self) -> None:
        """This is a child: what is open here is the parent's, and so is the file."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()
        for connection in self._open:
            connection.close()
        self._open = set()

    def _accept(self, listening: socket.socket) -> None:
        with listening:
            while self._listening is listening:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    if self._listening is not listening:
                        return
                    # Out of descriptors, perhaps. Not at once again: that would take a whole core.
                    threading.Event().wait(1.0)
                    continue
                self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        connection.settimeout(self._idle)
        if not _is_friend(connection):
            connection.close()
            return
        if not self._places.acquire(blocking=False):
            with connection:
                _send(connection, protocol.refusal(None, ControlError("busy", "too many connections")))
            return
        with self._lock:
            self._open.add(connection)
        try:
            _start(lambda: self._serve(connection), "eyewall-doctor-answers")
        except RuntimeError:
            # No more threads, or the interpreter is about to end.
            self._release(connection)

    def _serve(self, connection: socket.socket) -> None:
        lines = Lines(protocol.QUESTION)
        try:
            while data := connection.recv(65536):
                for line in lines.feed(data):
                    if not _send(connection, self._answer(line)):
                        return
        except ControlError as error:
            _send(connection, protocol.refusal(None, error))
        except OSError:
            # It is gone, or silent for too long.
            return
        finally:
            self._release(connection)

    def _release(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()
        self._places.release()

    def _answer(self, line: bytes) -> bytes:
        number = None
        try:
            number, command, arguments = protocol.parse_question(line)
            return protocol.answer(number, answer_to(self._patient, command, arguments))
        except ControlError as error:
            return protocol.refusal(number, error)


def _start(run: Callable[[], None], name: str) -> None:
    threading.Thread(target=run, name=name, daemon=True).start()


def _send(connection: socket.socket, line: bytes) -> bool:
    """Sends a line; returns whether it was taken."""
    try:
        connection.sendall(line)
    except OSError:
        return False
    return True


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Not connected any more.
        return


def _is_friend(connection: socket.socket) -> bool:
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        # The folder lets nobody else in.
        return True
    _, user, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return user in (os.geteuid(), 0)
