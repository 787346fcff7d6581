"""The requests that ASGI and WSGI applications are at work on, for whoever wants to see or to measure them.

Such an application has routes of its own. What it says of them is found in its scope or environ, once it has matched:

    ASGI    `scope["route"].path`, where a framework puts its route (FastAPI); else the name of `scope["endpoint"]`
    WSGI    `environ["werkzeug.request"].url_rule.rule` (Flask), `environ["bottle.route"].rule`
    else    the application, as one: never the path of a request, of which there is no end
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any

#: Characters of a route that are kept.
LENGTH = 200
#: Where routes are found: the key, and attributes from there on.
_ROUTES = (
    ("route", ("path",)),
    ("werkzeug.request", ("url_rule", "rule")),
    ("bottle.route", ("rule",)),
)

#: What measures how an application serves a request, while somebody wants that.
_measure: Callable[[Served, Coroutine[Any, Any, None]], Coroutine[Any, Any, None]] | None = None
#: The tasks of requests that are being served: a loop refers to its tasks weakly.
_running: dict[asyncio.Task[None], Served] = {}


def measure_with(
    measure: Callable[[Served, Coroutine[Any, Any, None]], Coroutine[Any, Any, None]] | None,
) -> None:
    """Has `measure` called with each request that begins from now on and with the coroutine that serves it; its task
    runs what that returns. None for nobody. It must not raise."""
    global _measure
    _measure = measure


def running() -> dict[asyncio.Task[None], Served]:
    """Returns the requests that applications are at work on, also those that are answered already. From any thread."""
    return dict(_running)


class Served:
    """One request, or one WebSocket, that an application serves; it answers on `exchange`.

    `name`: what the application is called. `scope`: what it was given and writes to, a scope or an environ; empty
    before that. `websocket`: it asks for one. `handed`: when the application was handed it, in the time of
    `time.monotonic`. `delayed`: seconds that it has waited for threads. `receiving`: seconds that somebody has waited
    for its content, `before` of them before that. `threaded`: the application runs in threads. `steps`: what measures
    it. `task`: what serves it.

    Every request makes one, and few are looked at: what can be found out later is.
    """

    exchange: Any
    name: str
    scope: Mapping[str, Any] = MappingProxyType({})
    websocket = False
    threaded = False
    delayed = 0.0
    receiving = 0.0
    before = 0.0
    steps: Any = None
    task: asyncio.Task[None] | None = None
    handed: float

    def start(self, serving: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts the task that runs `serving`, which serves it, and returns the task."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(serving if _measure is None else _measure(self, serving))
        self.task = task
        _running[task] = self
        task.add_done_callback(self.over)
        return task

    def over(self, task: asyncio.Task[None]) -> None:
        """Its `task` has ended."""
        _running.pop(task, None)

    @property
    def method(self) -> str:
        """The method of the request."""
        method: str = self.exchange.head.method
        return method

    @property
    def path(self) -> str:
        """Its path, as the client has written it."""
        path: str = self.exchange.head.path
        return path

    @property
    def request_id(self) -> str | None:
        """Its id, None where requests have none."""
        found: str | None = getattr(self.exchange, "request_id", None)
        return found

    @property
    def ready(self) -> float:
        """When the application was handed it, in the time of `time.time`."""
        return time.time() - (time.monotonic() - self.handed)

    @property
    def held(self) -> float:
        """Seconds that it waited for a place at a limit."""
        return float(getattr(self.exchange, "queued", 0.0))

    @property
    def began(self) -> float:
        """When its head had come, in the time of `time.time`."""
        return self.ready - self.held - self.before

    @property
    def answering(self) -> bool:
        """Whether its response has begun, or its WebSocket."""
        return bool(getattr(self.exchange, "started", False))

    @property
    def label(self) -> str:
        """Its route: that of its framework, or else its application."""
        return route_of(self.scope) or self.handler

    @property
    def handler(self) -> str:
        """What serves it: the endpoint that its framework names, or the application."""
        endpoint = self.scope.get("endpoint")
        return self.name if endpoint is None else name_of(endpoint)

    def cancel(self) -> bool:
        """Cancels what serves it; False where that is over."""
        return self.task is not None and self.task.cancel()


def route_of(scope: Mapping[str, Any]) -> str | None:
    """Returns the route that a framework says it has found, None where it says none."""
    for key, attributes in _ROUTES:
        found: Any = scope.get(key)
        if found is None:
            continue
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
