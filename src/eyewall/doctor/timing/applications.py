"""Counts the requests of ASGI and WSGI applications, by the routes that they state (`http.applications`), and measures
where their time went.

Which route a request has is known when its framework has matched it. So it is not of each route that some requests are
measured, as it is of Eyewall's own, but of all of them: `BUDGET` between two looks of the doctor. Each step of a WSGI
application that runs in a thread costs more than measuring it: all of these are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Coroutine
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from eyewall.base import probe
from eyewall.http.applications import measure_with, route_of

if TYPE_CHECKING:
    from eyewall.http.applications import Served

#: Requests that are measured between two looks.
BUDGET = 50

#: What serves applications. A program that serves none with Eyewall loads neither this, nor what counts.
_CONTAINERS = ("eyewall.http.asgi", "eyewall.http.wsgi")
_ACCOUNTING = "eyewall.web.accounting"


class Applications:
    """Counts while somebody wants it. `start` and `stop` are called once for each who does, in any thread.

    `recorder` is given each request that is measured and what measures it, while somebody looks at single requests.
    """

    def __init__(self) -> None:
        self.recorder: Callable[[Served, Any], object] | None = None
        self._budget = BUDGET
        self._wanted = 0
        self._lock = Lock()
        self._measuring = False
        self._accounting: Any = None

    @property
    def counting(self) -> bool:
        """Whether there may be requests, and they are counted."""
        return self._measuring

    def start(self) -> None:
        """Counts from now on."""
        with self._lock:
            self._wanted += 1
            if self._wanted == 1:
                probe.application_end.attach(counted)
        self.look()

    def stop(self) -> None:
        """One wants it no more."""
        with self._lock:
            self._wanted -= 1
            if not self._wanted:
                probe.application_end.detach(counted)
                self._measure(False)

    def look(self, budget: int = BUDGET) -> None:
        """Has some more requests be measured."""
        self._budget = budget
        if not self._measuring and any(each in sys.modules for each in _CONTAINERS):
            with self._lock:
                if self._wanted:
                    self._measure(True)

    def _measure(self, wanted: bool) -> None:
        if wanted != self._measuring:
            self._measuring = wanted
            self._accounting = import_module(_ACCOUNTING)
            measure_with(self._measured if wanted else None)

    def _measured(self, served: Served, serving: Coroutine[Any, Any, None]) -> Any:
        if self._budget <= 0 and not served.threaded:
            return serving
        self._budget -= 1
        served.steps = steps = self._accounting.Steps(serving)
        if self.recorder is not None and not served.websocket:
            self.recorder(served, steps)
        return steps


applications = Applications()


def counted(served: Any, status: int) -> None:
    """Counts a request that an application has answered: a `Served`."""
    accounting = sys.modules.get(_ACCOUNTING) or import_module(_ACCOUNTING)
    handler = served.handler
    account = accounting.account_named(route_of(served.scope) or handler, handler)
    now = time.time()
    held, receiving = served.held, served.receiving
    began = now - (time.monotonic() - served.handed) - held - served.before
    queued = held + served.delayed
    steps = accounting.SUSPENDED if served.steps is None else served.steps
    account.note(served.method, status, now, began, began + queued + receiving, queued, steps)
