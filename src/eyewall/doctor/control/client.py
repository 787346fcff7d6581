"""Asking a process that runs the doctor: what the command line uses.

with Client(4711) as client:
    for finding in client.call("findings"):
        ...
"""

from __future__ import annotations

import os
import socket
from types import TracebackType
from typing import Any

from eyewall.base.errors import EyewallError
from eyewall.doctor.control import places, protocol
from eyewall.doctor.control.protocol import ControlError, Lines

#: Seconds that a process has to answer.
TIMEOUT = 30.0
#: Seconds in which one whose threads can run says who it is.
AWAKE = 5.0
#: Seconds that each of many is given when all are asked who they are.
SHORT = 2.0


class NoDoctor(EyewallError):
    """A process can't be asked. `code`: "no-process", "no-doctor" (it does not run one, or without a socket),
    "not-allowed" (it is somebody else's)."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Client:
    """A connection to the doctor in process `pid`. `timeout`: seconds that it has for an answer.

    Raises NoDoctor where there is none that can be asked.
    """

    def __init__(self, pid: int, timeout: float = TIMEOUT) -> None:
        self.pid = pid
        self._connection = connected(pid, timeout)
        self._lines = Lines(protocol.ANSWER)
        self._asked = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def call(self, command: str, **arguments: Any) -> Any:
        """Returns the answer to a command.

        Raises ControlError where it is refused, or the process does not answer in time ("silent"); NoDoctor where the
        process ends meanwhile.
        """
        self._asked += 1
        line = protocol.question(self._asked, command, arguments)
        try:
            self._connection.sendall(line)
            while True:
                data = self._connection.recv(1 << 20)
                if not data:
                    raise ConnectionResetError
                for said in self._lines.feed(data):
                    return protocol.parse_answer(said, self._asked)
        except TimeoutError:
            self.close()
            raise ControlError(
                "silent",
                f"process {self.pid} has a doctor, but does not answer: a call keeps the interpreter, or it was "
                "stopped",
            ) from None
        except OSError:
            raise NoDoctor("no-doctor", f"process {self.pid} has ended, or turned its doctor off") from None

    def wake(self) -> None:
        """Sees whether it answers at all, for which it has `AWAKE` seconds: less than for what is long.

        Raises as `call` does.
        """
        timeout = self._connection.gettimeout()
        self._connection.settimeout(AWAKE)
        self.call("process")
        self._connection.settimeout(timeout)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


def processes() -> list[int]:
    """Returns this user's processes that seem to run a doctor."""
    user = os.geteuid()
    found: set[int] = set()
    for folder in places.folders(user):
        try:
            with places.opened(folder, user) as descriptor:
                found.update(filter(places.is_alive, places.present(descriptor)))
        except OSError:
            # There is none, or it is nothing to be trusted.
            continue
    return sorted(found)


def connected(pid: int, timeout: float) -> socket.socket:
    """Returns a connection to the doctor in process `pid`, with this timeout; 0.0 never waits.

    Raises NoDoctor where there is none, and ControlError ("silent") where more wait to be connected than it takes.
    """
    user = _owner(pid)
    for folder in places.folders(user):
        try:
            with places.opened(folder, user) as descriptor:
                return places.connect(descriptor, folder, pid, timeout)
        except (BlockingIOError, TimeoutError):
            raise ControlError(
                "silent", f"process {pid} takes no connections: it was stopped, perhaps"
            ) from None
        except OSError:
            # Not there; or nobody listens there any more.
            continue
    if user != os.geteuid() and os.geteuid() != 0:
        raise NoDoctor(
            "not-allowed", f"process {pid} belongs to user {user}: only that one, or root, can ask it"
        )
    raise NoDoctor(
        "no-doctor",
        f"process {pid} runs no doctor that can be asked: it may have none, or one without a socket, or be something "
        "else than Python",
    )


def _owner(pid: int) -> int:
    if not places.is_alive(pid):
        raise NoDoctor("no-process", f"there is no process {pid}")
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        # No /proc, or gone meanwhile.
        return os.geteuid()
