"""Executors by name, one for each kind of dependency, so that a slow one keeps only its own workers busy.

    configure("reports", medium="processes", workers=2, queue=20, full="reject")
    ...
    table = await executor("reports").run(render, year)

There are some without being configured: "dns" and "files", which Eyewall itself uses for names and static files, with
the limits of the active profile; "database" and "cpu", for applications. What `configure` says replaces that. An
executor is made when it is first asked for, and again after it was closed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from eyewall.base.errors import EyewallError
from eyewall.guard.profile import active

if TYPE_CHECKING:
    from eyewall.guard.executors.bounded import BoundedExecutor

#: What jobs run on, and the module and class of the executor that does it.
MEDIA = {
    "threads": ("threads", "ThreadExecutor"),
    "processes": ("processes", "ProcessExecutor"),
    "dask": ("cluster", "DaskExecutor"),
}

_lock = Lock()
_settings: dict[str, dict[str, Any]] = {}
_overrides: dict[str, dict[str, Any]] = {}
_executors: dict[str, BoundedExecutor] = {}


class UnknownExecutor(EyewallError, LookupError):
    """There is no executor of that name, and nobody has said what it would be."""


def _predefined() -> dict[str, Callable[[], dict[str, Any]]]:
    profile = active()
    return {
        # At least one: a profile whose names are looked up by the loop has no threads for it.
        "dns": lambda: {"workers": profile.dns_threads or 1, "queue": profile.dns_queue or None},
        "files": lambda: {"workers": profile.file_threads, "queue": profile.file_queue or None},
        "database": dict,
        "cpu": lambda: {"medium": "processes", "workers": _cores()},
    }


def configure(name: str, *, medium: str = "threads", **settings: Any) -> None:
    """Says what the executor `name` is: what its jobs run on ("threads", "processes", "dask"), and the arguments of
    `ThreadExecutor`, `ProcessExecutor` or `DaskExecutor`.

    Raises ValueError for another medium, and RuntimeError where the executor is in use already: what is configured
    too late would have no effect.
    """
    _check(medium)
    with _lock:
        if name in _executors and not _executors[name].closed:
            raise RuntimeError(f"the executor {name!r} is in use: configure it before it is first asked for")
        _executors.pop(name, None)
        _settings[name] = {"medium": medium, **settings}


def override(settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Has executors be so, whatever `configure` says, now and from now on: by name, what `configure` takes.

    For whoever runs a program that configures its executors itself. What is left out is as the program has it, unless
    the medium is another one. Raises ValueError as `configure` does.
    """
    global _overrides
    for each in settings.values():
        _check(each.get("medium", "threads"))
    _overrides = {name: dict(each) for name, each in settings.items()}


def executor(name: str) -> BoundedExecutor:
    """Returns the executor of this process that has this name, the same one each time.

    Raises UnknownExecutor for a name that was not configured and is not predefined.
    """
    found = _executors.get(name)
    if found is not None and not found.closed:
        return found
    with _lock:
        found = _executors.get(name)
        if found is None or found.closed:
            found = _executors[name] = _make(name)
        return found


def _make(name: str) -> BoundedExecutor:
    predefined = _predefined()
    override = _overrides.get(name)
    if name in _settings:
        settings = dict(_settings[name])
    elif name in predefined:
        settings = predefined[name]()
    elif override is not None:
        settings = {}
    else:
        known = ", ".join(sorted({*predefined, *_settings, *_overrides}))
        raise UnknownExecutor(f"there is no executor {name!r}, only {known}; configure() says what it is")
    if override is not None:
        same = override.get("medium", "threads") == settings.get("medium", "threads")
        settings = {**settings, **override} if same or "medium" not in override else override
    settings = dict(settings)
    module, kind = MEDIA[settings.pop("medium", "threads")]
    made: BoundedExecutor = getattr(import_module(f"eyewall.guard.executors.{module}"), kind)(
        name, **settings
    )
    return made


def _check(medium: str) -> None:
    if medium not in MEDIA:
        raise ValueError(f"an executor runs jobs on {', '.join(MEDIA)}, not on {medium!r}")


def _cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        # Where processes can't be bound to cores.
        return os.cpu_count() or 1


def _in_child() -> None:
    """Whoever held the lock is not here."""
    global _lock
    _lock = Lock()


os.register_at_fork(after_in_child=_in_child)
