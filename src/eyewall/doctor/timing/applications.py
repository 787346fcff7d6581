"""Counts the requests of ASGI and WSGI applications, which have routes of their own, by what they say of these.

    ASGI    `scope["route"].path`, where a framework puts its route (FastAPI); else the name of `scope["endpoint"]`
    WSGI    `environ["werkzeug.request"].url_rule.rule` (Flask), `environ["bottle.route"].rule`
    else    the application, as one: never the path of a request, of which there is no end

What an application did while it served a request is not measured: it counts as waiting, and none as measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from threading import Lock
from typing import Any

from eyewall.base import probe

#: Characters of a route that are kept.
LENGTH = 200
#: Where routes are found: the key, and attributes from there on.
_ROUTES = (
    ("route", ("path",)),
    ("werkzeug.request", ("url_rule", "rule")),
    ("bottle.route", ("rule",)),
)


class Applications:
    """Counts while somebody wants it. `start` and `stop` are called once for each who does, in any thread."""

    def __init__(self) -> None:
        self._wanted = 0
        self._lock = Lock()

    def start(self) -> None:
        """Counts from now on."""
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                probe.application_end.attach(counted)

    def stop(self) -> None:
        """One wants it no more."""
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                probe.application_end.detach(counted)


applications = Applications()


def counted(scope: Mapping[str, Any], application: object, method: str, status: int, seconds: float) -> None:
    """Counts a request that an application has answered."""
    # A program that serves nothing with Eyewall does not load this.
    accounting = import_module("eyewall.web.accounting")
    handler = name_of(scope.get("endpoint") or application)
    account = accounting.account_named(route_of(scope) or handler, handler)
    now = time.time()
    account.note(method, status, now, now - seconds, 0.0, 0.0, accounting.SUSPENDED)


def route_of(scope: Mapping[str, Any]) -> str | None:
    """Returns the route that a framework says it has found, None where it says none."""
    for key, attributes in _ROUTES:
        found: Any = scope.get(key)
        for each in attributes:
            try:
                found = getattr(found, each, None)
            except Exception:  # noqa: BLE001 - a property of somebody's framework
                found = None
        if isinstance(found, str) and found:
            return found[:LENGTH]
    return None


def name_of(thing: object) -> str:
    """Returns what a function, or an object by its class, is called."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', '')}"[:LENGTH]
