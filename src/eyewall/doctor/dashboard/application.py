"""The dashboard as routes: in an application of its own, or below a path of another one."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from typing import Any

from eyewall.base.loggers import access_log
from eyewall.doctor import enabling
from eyewall.doctor.control.answers import group
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.dashboard.board import Board
from eyewall.doctor.dashboard.directory import Directory
from eyewall.doctor.dashboard.gate import Gate
from eyewall.doctor.dashboard.handlers import CONTENT, Api, Events, Login, Missing, Page, Slash, Static
from eyewall.doctor.dashboard.sources import OwnSource
from eyewall.guard.profile import NATIVE
from eyewall.web.application import Application
from eyewall.web.routing import URLSpec

#: Where a token may be stated.
TOKEN = "EYEWALL_DASHBOARD_TOKEN"  # noqa: S105 - the name of a variable
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


def dashboard_rules(
    prefix: str = "/_eyewall",
    *,
    token: str | None = None,
    hosts: Collection[str] | None = None,
    frame_ancestors: Iterable[str] = (),
) -> list[URLSpec]:
    """Returns the routes of a dashboard below the path `prefix` of an application, for this process and those of its
    group.

    It is for whoever has `token`, 16 characters or more; by default that of the environment variable
    EYEWALL_DASHBOARD_TOKEN. Where there is neither, there are no routes: nobody has a dashboard by accident. `hosts`:
    names by which it may be asked for, all by default. `frame_ancestors`: origins whose pages may show it in a frame.

    While the loop of this process is blocked, so is this dashboard; `eyewall dashboard` is not.

    Raises ValueError for a prefix that is no plain path, and for a token that is too short.
    """
    if prefix == "/" or _PATH.fullmatch(prefix) is None:
        raise ValueError(f"the prefix is a path like /_eyewall, not {prefix!r}")
    if token is None:
        token = os.environ.get(TOKEN)
    if not token:
        return []
    gate = Gate(token, hosts=hosts, ancestors=frame_ancestors)
    own = OwnSource(Patient(enabling.collector(), enabling.watches))
    board = Board(gate, Directory(OwnFamily(), own=own), f"{prefix}/")
    return rules(board, prefix)


class OwnFamily(Collection[int]):
    """This process, and the others of its group, as of when it is asked: processes may fork later."""

    def __contains__(self, pid: object) -> bool:
        return pid is not None and pid in (os.getpid(), group())

    def __iter__(self) -> Any:
        return iter([each for each in (os.getpid(), group()) if each is not None])

    def __len__(self) -> int:
        return 2


def rules(board: Board, prefix: str = "") -> list[URLSpec]:
    """Returns the routes of `board` below `prefix`."""
    at = re.escape(prefix)
    here = {"board": board}
    found = [
        URLSpec(f"{at}/", Page, here),
        URLSpec(f"{at}/login", Login, here),
        URLSpec(f"{at}/events", Events, here),
        URLSpec(f"{at}/static/((?:css|js|vendor)/.+|[a-z-]+\\.svg)", Static, here),
        URLSpec(f"{at}/api/([^/]+)/([^/]+)", Api, here),
        URLSpec(f"{at}/.*", Missing, here),
    ]
    return [URLSpec(at, Slash, here), *found] if prefix else found


def application(board: Board) -> Application:
    """Returns an application that is nothing but the dashboard; `eyewall dashboard` serves it."""
    profile = NATIVE.replace(body_bytes=CONTENT)
    return Application([*rules(board)], profile=profile, log_function=_log)


def _log(handler: Any) -> None:
    """Whoever looks asks all the time; only what went wrong is worth a line."""
    if handler.get_status() >= 500:
        access_log.warning("The dashboard answered %d to %s", handler.get_status(), handler.request.path)
