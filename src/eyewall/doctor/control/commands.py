"""What a process can be asked over its socket: commands by name, each loaded when it is first asked for.

A command is a function of the `Patient` and of its arguments by name, and returns what can be written as JSON. It
runs in a thread of the socket's, not in the loop's, so that a process whose loop is blocked answers as well. What must
happen in a loop is handed to it with `Patient.in_loop`.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar

from eyewall.doctor.collector import Collector
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.watch import Watch

T = TypeVar("T")

#: Seconds that a loop has to get to what it is asked to do.
LOOP_WAIT = 5.0

#: By name, the module and the function.
COMMANDS: dict[str, tuple[str, str]] = {
    "process": ("eyewall.doctor.control.answers", "process"),
    "findings": ("eyewall.doctor.control.answers", "findings"),
    "state": ("eyewall.doctor.control.answers", "state"),
    "stacks": ("eyewall.doctor.control.answers", "stacks"),
    "history": ("eyewall.doctor.control.times", "history"),
    "timelines": ("eyewall.doctor.control.times", "requests"),
    "waits": ("eyewall.doctor.control.waiting", "waits"),
    "memory": ("eyewall.doctor.control.memory", "memory"),
    "memory-sites": ("eyewall.doctor.control.memory", "memory_sites"),
    "open": ("eyewall.doctor.control.opened", "opened"),
    "profile": ("eyewall.doctor.profiling.sampling", "profile"),
    "cancel-task": ("eyewall.doctor.control.actions", "cancel_task"),
    "close-connection": ("eyewall.doctor.control.actions", "close_connection"),
    "profile-start": ("eyewall.doctor.profiling.inside", "profile_start"),
    "profile-stop": ("eyewall.doctor.profiling.inside", "profile_stop"),
}


@dataclass(frozen=True)
class Patient:
    """The process that is asked: its findings, the loops that are watched, and since when (by the monotonic clock)."""

    collector: Collector
    watches: Callable[[], list[Watch]]
    since: float = field(default_factory=time.monotonic)

    def in_loop(self, loop: asyncio.AbstractEventLoop, action: Callable[[], T], wait: float = LOOP_WAIT) -> T:
        """Returns what `action` returns when it is called in the thread of `loop`.

        Raises ControlError where the loop does not get to it within `wait` seconds; it is not called later, either.
        """
        done: Future[T] = Future()

        def act() -> None:
            if done.set_running_or_notify_cancel():
                try:
                    done.set_result(action())
                except Exception as error:  # noqa: BLE001 - whoever has asked is told
                    done.set_exception(error)

        try:
            loop.call_soon_threadsafe(act)
        except RuntimeError:
            raise ControlError("not-found", "the loop is closed") from None
        try:
            return done.result(wait)
        except TimeoutError:
            if done.cancel():
                raise ControlError("busy", f"the loop did not answer within {spoken(wait)}") from None
            return done.result()


def spoken(seconds: float) -> str:
    """Returns a duration for people: "0.25 s", "3 s". What is left of a time limit is no rounder than a clock is."""
    return f"{round(max(seconds, 0.01), 2):g} s"


def answer_to(patient: Patient, name: str, arguments: Mapping[str, Any]) -> Any:
    """Returns the answer to a command. Raises ControlError."""
    found = COMMANDS.get(name)
    if found is None:
        raise ControlError("unknown-command", f"there is no command {name!r}, only {', '.join(COMMANDS)}")
    try:
        command: Callable[..., Any] = getattr(import_module(found[0]), found[1])
        try:
            inspect.signature(command).bind(patient, **arguments)
        except TypeError as error:
            raise ControlError("arguments", f"{name}: {error}") from None
        return command(patient, **arguments)
    except ControlError:
        raise
    except Exception as error:
        raise ControlError("failed", f"{name} failed: {type(error).__name__}: {error}") from error
