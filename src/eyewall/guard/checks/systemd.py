"""Telling the service manager how it goes: systemd's notification protocol (sd_notify(3)).

Datagrams of `NAME=value` lines to the Unix socket that the environment names. Nothing comes back, and nothing here
waits: a service manager that does not listen is logged once, and the program goes on.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

from eyewall.base.loggers import gen_log

#: Characters of a status that are sent.
STATUS_CHARS = 300


class Notifier:
    """Sends to the service manager's socket at `address` (`@name` for an abstract one).

    `watchdog`: seconds within which the service manager wants to hear `watchdog()` each time; None where it does not.
    """

    def __init__(self, address: str, watchdog: float | None = None) -> None:
        self.watchdog_timeout = watchdog
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self._failed = False
        self._status = ""

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str] = os.environ) -> Notifier | None:
        """Returns the notifier that `environ` describes, or None outside of systemd.

        The variables (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`) are removed, so that programs started from
        here do not take them for theirs. What is malformed there is logged and counts as absent.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        limit = environ.pop("WATCHDOG_USEC", "")
        process = environ.pop("WATCHDOG_PID", "")
        if not address:
            return None
        if address[0] not in "/@" or len(address) < 2:
            gen_log.error(
                "NOTIFY_SOCKET is %r, which is no Unix socket; systemd is not told anything", address
            )
            return None
        watchdog = None
        if limit and process in ("", str(os.getpid())):
            if limit.isascii() and limit.isdigit() and int(limit[:18]) > 0:
                watchdog = int(limit[:18]) / 1e6
            else:
                gen_log.error("WATCHDOG_USEC is %r, which is no number above 0; there is no watchdog", limit)
        return cls(address, watchdog)

    def send(self, *lines: str) -> bool:
        """Sends `lines`, each `NAME=value`. Returns whether that was possible."""
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError as error:
            if not self._failed:
                self._failed = True
                gen_log.error("systemd could not be told %s: %s", ", ".join(lines), error)
            return False
        self._failed = False
        return True

    def ready(self, status: str) -> None:
        """The start is over, or a reload. Says which process is the main one, too."""
        self.send("READY=1", f"MAINPID={os.getpid()}", self._status_line(status))

    def reloading(self, status: str) -> None:
        """A reload begins; `ready` ends it."""
        # What `Type=notify-reload` compares with the time of its signal.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send("RELOADING=1", f"MONOTONIC_USEC={now}", self._status_line(status))

    def stopping(self, status: str) -> None:
        """The end begins."""
        self.send("STOPPING=1", self._status_line(status))

    def status(self, status: str) -> None:
        """Says how it goes, in words, where that has changed since the last time."""
        before = self._status
        line = self._status_line(status)
        if self._status != before:
            self.send(line)

    def watchdog(self) -> None:
        """All is well."""
        self.send("WATCHDOG=1")

    def close(self) -> None:
        """Lets go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _status_line(self, status: str) -> str:
        self._status = " ".join(status.split())[:STATUS_CHARS]
        return f"STATUS={self._status}"


class WatchdogTimer:
    """When the service manager's watchdog is to be fed: at half of its `timeout`, and only while all is well.

    An engine: who drives it says what time it is, and since when each of those it depends on has been silent.
    """

    def __init__(self, timeout: float, now: float) -> None:
        if timeout <= 0.0:
            raise ValueError(f"a watchdog's timeout is a number of seconds above 0, not {timeout!r}")
        #: Seconds between two feeds. Who reports to it does so twice in that time.
        self.interval = timeout / 2.0
        self._next_at = now

    def wait(self, now: float) -> float:
        """Returns the seconds until the next feed may be due."""
        return max(0.0, self._next_at - now)

    def feed(self, now: float, heard: list[float]) -> bool:
        """Returns whether to feed now. `heard`: when each of the others was heard last.

        Where somebody has been silent for an interval, nothing is fed until everybody is heard again.
        """
        if now < self._next_at:
            return False
        if any(now - at > self.interval for at in heard):
            # Looked at again soon, so that a word that comes late is not too late.
            self._next_at = now + self.interval / 8.0
            return False
        self._next_at = now + self.interval
        return True
