"""What tests run in other processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from eyewall.base.context import request_id
from eyewall.guard.deadlines.deadline import current


def pid() -> int:
    return os.getpid()


def fail(message: str) -> None:
    raise ValueError(message)


class Stubborn(Exception):
    """One that cannot be pickled."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__("stubborn")


def fail_stubbornly() -> None:
    raise Stubborn(1, 2)


def unpicklable() -> Any:
    return lambda: None


def carried() -> tuple[str | None, str | None, bool]:
    deadline = current()
    return (
        request_id.get(),
        None if deadline is None else deadline.whose,
        deadline is not None and 0.0 < deadline.remaining() <= 1000.0,
    )


def until(path: str, mark: str) -> int:
    """Creates the file `mark` and runs until `path` exists. Returns the id of the process."""
    Path(mark).write_text(str(os.getpid()))
    while not Path(path).exists():
        time.sleep(0.01)
    return os.getpid()


def leave(code: int) -> None:
    os._exit(code)


def lose() -> None:
    from distributed.scheduler import KilledWorker

    raise KilledWorker("lose", SimpleNamespace(address="tcp://192.0.2.1:1"), 3)  # type: ignore[arg-type]


def signalled() -> int:
    """Gets what a terminal or a service manager sends to all processes of a group."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
    return os.getpid()
