"""Where the view has its answers from."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from eyewall.doctor.control.client import Client, NoDoctor
from eyewall.doctor.top.model import Answers

#: Seconds that the process has for an answer: it is asked again soon.
TIMEOUT = 5.0
#: Tasks, and open things of each kind, that are told of.
LIMIT = 500


class Source(Protocol):
    """Something that can be asked, from any thread.

    Its methods raise NoDoctor where the process is gone, and ControlError where it does not answer this.
    """

    def answers(self) -> Answers:
        """Returns how the process is now."""

    def stacks(self) -> Mapping[str, Any]:
        """Returns where each task and thread stands."""

    def cancel(self, task: Mapping[str, Any]) -> str:
        """Cancels one of the tasks in `stacks`; returns what was done, for people."""

    def close(self, entry: Mapping[str, Any], at_once: bool = False) -> str:
        """Ends one of what is open in the state, in order or at once; returns what was done, for people."""


class Process:
    """The doctor in process `pid`. Raises NoDoctor where there is none."""

    def __init__(self, pid: int, client: Callable[[int, float], Client] = Client) -> None:
        self.pid = pid
        self._new = client
        self._lock = threading.Lock()
        self._client = client(pid, TIMEOUT)

    def answers(self) -> Answers:
        """See `Source`."""
        return Answers(self._ask("state", limit=LIMIT), self._ask("findings"), time.monotonic())

    def stacks(self) -> Mapping[str, Any]:
        """See `Source`."""
        said: Mapping[str, Any] = self._ask("stacks", limit=LIMIT)
        return said

    def cancel(self, task: Mapping[str, Any]) -> str:
        """See `Source`."""
        self._ask("cancel-task", task=task["id"], name=task["name"])
        return f"{task['name']} was asked to cancel"

    def close(self, entry: Mapping[str, Any], at_once: bool = False) -> str:
        """See `Source`."""
        self._ask("close-connection", connection=entry["id"], peer=entry["peer"], at_once=at_once)
        return f"{entry['kind']} {entry['label']} was ended"

    def disconnect(self) -> None:
        """Asks no more."""
        self._client.close()

    def _ask(self, command: str, **arguments: Any) -> Any:
        with self._lock:
            try:
                return self._client.call(command, **arguments)
            except NoDoctor:
                # A connection is closed when nothing was asked for long, and when an answer came too late.
                self._client.close()
                self._client = self._new(self.pid, TIMEOUT)
            return self._client.call(command, **arguments)
