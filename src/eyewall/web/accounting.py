"""Where the time of requests goes, by route: what is counted for each request while somebody wants to know.

    head ... content complete ... first step ... suspended ... step ... response
    |- receiving -|-- running --|-- waiting --|- running -|

A handler that never suspends has run from the end of its content to its response: one look at the clock says all. For
one that does, the time that its steps take has to be measured, which costs more than counting; so that is done for
some requests of a route, `Account.budget` of them, and the others are taken to be like them. Totals say how many were.

A look at the clock costs more than all else that is done for a quick request. So of a route that gets very many of
them, beyond `EXACT` until the budgets are filled again, one of `OF` is timed, and the next ones are taken to be like
it. Of these, only a number is noted: what they add to the sums is added when the next one is timed, and for whoever
reads the sums before.

Nothing is counted before `web.dispatch.keep_accounts` was called. The doctor does that, and fills the budgets.

Times are those of `time.time`, as the start of a request is. Where that clock is set back, a time is 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from eyewall.guard.histogram import SECONDS

#: Seconds from which on one step counts as blocking the loop, and not as running.
BLOCKING = 0.05
#: Routes that are told apart; those beyond are one.
ROUTES = 500
#: Combinations of method and status that are told apart in a route; those beyond are one.
CELLS = 50
#: Requests of a route that are measured until the budget is filled again.
BUDGET = 5
#: Requests of a route that are timed, each of them, until the budget is filled again; of those beyond that are not
#: suspended, and take less than `QUICK` seconds, one of `OF`.
EXACT = 200
OF = 32
QUICK = 0.001
#: What routes beyond `ROUTES`, and methods and statuses beyond `CELLS`, are called.
OTHER = "other"
#: What requests that have found no route are counted under.
UNMATCHED = "unmatched"

#: In place of the `Steps` of a request that was suspended and not measured.
SUSPENDED = object()

_METHODS = frozenset(("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"))
_BUCKETS = len(SECONDS)
# With C types, where it is compiled: counting is most of what the doctor costs a request.
_blocking: float = BLOCKING
_quick: float = QUICK
_untimed: int = OF - 1
_bounds: tuple[float, ...] = SECONDS
_accounts: dict[str, Account] = {}


class Record(Protocol):
    """What is told of the steps of one request; none of its methods may raise."""

    def resumed(self, now: float) -> None:
        """A step begins."""

    def suspended(self, now: float, inner: Any, awaited: Any) -> None:
        """It has ended: `inner` is suspended, until `awaited` is done."""

    def ended(self, now: float, status: int) -> None:
        """The response is written."""


class Cell:
    """The requests of one route with one method and one status: how many (`count`), how long they took together
    (`seconds`) and at most (`largest`), and how many took how long (`buckets`, with the usual bounds of a
    `guard.histogram.Histogram`)."""

    __slots__ = ("_counts", "count", "largest", "method", "seconds", "status")

    def __init__(self, method: str, status: int) -> None:
        self.method = method
        self.status = status
        self.count = 0
        self.seconds = self.largest = 0.0
        # One more than there are bounds; a number, as that of an array of C is.
        self._counts = [0] * 17

    @property
    def buckets(self) -> list[int]:
        """See above."""
        return list(self._counts)


class Account:
    """What is counted of one route. Times are sums, in seconds.

    `queued`: at limits. `receiving`: until the content had come. `running`, `blocking`: of requests that never were
    suspended, in steps shorter than `BLOCKING`, and in longer ones. `suspended` requests took `suspended_time` after
    that; of these, `measured` took `measured_time`, of which they ran for `measured_running` and
    `measured_blocking`. `handler`: the class that served the first of them. `exact`: how many are still timed, each of
    them.
    """

    __slots__ = (
        "_at",
        "_cells",
        "_count",
        "_last",
        "_like",
        "_method",
        "_more",
        "_running",
        "_status",
        "_summed",
        "blocking",
        "budget",
        "exact",
        "handler",
        "measured",
        "measured_blocking",
        "measured_running",
        "measured_time",
        "queued",
        "receiving",
        "route",
        "suspended",
        "suspended_time",
    )

    def __init__(self, route: str, handler: str) -> None:
        self.route = route
        self.handler = handler
        self.budget = BUDGET
        self.exact = EXACT
        self._count = 0
        self._running = 0.0
        self.queued = self.receiving = self.blocking = 0.0
        self.suspended = self.measured = 0
        self.suspended_time = self.measured_time = self.measured_running = self.measured_blocking = 0.0
        self._cells: dict[tuple[str, int], Cell] = {}
        self._last = Cell("", 0)
        # How many more requests, and with which method and status, count as the last one that was timed; how many more
        # did when it was last added to the sums how many had; how long that one took, and its bucket.
        self._more = self._summed = 0
        self._method = ""
        self._status = 0
        self._like = 0.0
        self._at = 0

    @property
    def count(self) -> int:
        """How many requests there were."""
        return self._count + self._summed - self._more

    @property
    def running(self) -> float:
        """See above."""
        return self._running + (self._summed - self._more) * self._like

    def cells(self) -> list[Cell]:
        """Returns what was counted so far, by method and status. May be called from any thread."""
        return [self._told(cell) for cell in list(self._cells.values())]

    def _told(self, cell: Cell) -> Cell:
        told = Cell(cell.method, cell.status)
        for at in range(17):
            told._counts[at] = cell._counts[at]
        # Not a call in between, here and in `_sum`: nobody reads half of it.
        number = self._summed - self._more if cell is self._last else 0
        told.count = cell.count + number
        told.seconds = cell.seconds + number * self._like
        told.largest = cell.largest
        told._counts[self._at] += number
        return told

    def likens(self, method: str, status: int) -> bool:
        """Counts a request that was never suspended, and did not wait for a place nor for content, as one that took as
        long as the last of that kind; returns False for one that is to be timed."""
        if self._more <= 0 or self._status != status or self._method is not method:
            return False
        self._more -= 1
        return True

    def _sum(self) -> None:
        """Adds those that were likened to the last one that was timed."""
        cell = self._last
        number = self._summed - self._more
        self._summed = self._more
        cell.count += number
        cell.seconds += number * self._like
        cell._counts[self._at] += number
        self._count += number
        self._running += number * self._like

    def note(
        self, method: str, status: int, now: float, began: float, ready: float, queued: float, steps: object
    ) -> None:
        """The response of a request is written, `now`.

        `began`: when its head had come. `ready`: when its content had, 0.0 where there was none to wait for. `queued`:
        the seconds of that in which it waited for a place. `steps`: None for a handler that was never suspended, its
        `Steps` where they were measured.
        """
        seconds = now - began
        if seconds < 0.0:
            seconds = 0.0
        self._sum()
        cell = self._last
        # Methods that there are come from a table: one that is another object is looked up.
        if cell.status != status or cell.method is not method:
            cell = self._cell(method, status)
        cell.count += 1
        cell.seconds += seconds
        if seconds > cell.largest:
            cell.largest = seconds
        # Most requests are in the first buckets.
        at = 0
        while at < _BUCKETS and seconds > _bounds[at]:
            at += 1
        cell._counts[at] += 1
        self._count += 1
        work = seconds
        if queued > 0.0:
            self.queued += queued
            work -= queued
        if ready > 0.0:
            if ready > began + queued:
                self.receiving += ready - began - queued
                work -= ready - began - queued
        else:
            ready = began + queued
        if work < 0.0:
            work = 0.0
        if steps is None:
            if self.exact > 0:
                self.exact -= 1
            if self.exact == 0 and work == seconds and seconds < _quick:
                self._method = cell.method
                self._status = status
                self._like = seconds
                self._at = at
                self._more = self._summed = _untimed
            if work < _blocking:
                self._running += work
            else:
                self.blocking += work
            return
        self.suspended += 1
        self.suspended_time += work
        if type(steps) is Steps:
            measured: Steps = steps
            measured.look(now)
            record = measured.record
            if record is not None:
                record.ended(now, status)
            self.measured += 1
            self.measured_time += work
            self.measured_running += measured.running
            self.measured_blocking += measured.blocking
            # What came before the first step: making the handler, `prepare`, the call of the verb.
            before = measured.made - ready
            if before >= _blocking:
                self.measured_blocking += before
            elif before > 0.0:
                self.measured_running += before

    def _cell(self, method: str, status: int) -> Cell:
        if method not in _METHODS:
            method = OTHER
        cell = self._cells.get((method, status))
        if cell is None:
            if len(self._cells) >= CELLS:
                method, status = OTHER, 0
            cell = self._cells.setdefault((method, status), Cell(method, status))
        # Those that were likened to the last one are in its sums.
        self._more = self._summed = 0
        self._last = cell
        return cell


class Steps:
    """A coroutine whose steps are measured: a task runs it in place of `inner`.

    `made`: when it was made. `running`, `blocking`: seconds of the steps that were shorter than `BLOCKING`, and of the
    longer ones. What follows a chain of awaits finds `inner` as `cr_await`. `clock` is that of `note`. `record` is told
    of each step, where somebody wants to know.
    """

    __slots__ = ("__weakref__", "_began", "_clock", "blocking", "inner", "made", "record", "running")

    def __init__(self, inner: Any, clock: Callable[[], float] = time.time) -> None:
        self.inner = inner
        self.record: Record | None = None
        self.running = self.blocking = 0.0
        self._clock = clock
        self.made: float = clock()
        self._began = 0.0

    def look(self, now: float) -> None:
        """Counts what the present step took so far."""
        if self._began > 0.0:
            self._count(now)
            self._began = now

    def worked(self, seconds: float) -> None:
        """Counts as running what ran elsewhere on its behalf, while it was suspended: a thread."""
        self.running += seconds

    def _count(self, now: float) -> None:
        seconds = now - self._began
        if seconds >= _blocking:
            self.blocking += seconds
        elif seconds > 0.0:
            self.running += seconds

    def send(self, value: Any) -> Any:
        """Runs a step."""
        self._begin()
        try:
            awaited = self.inner.send(value)
        finally:
            ended: float = self._clock()
            self._count(ended)
            self._began = 0.0
        # Read once: another thread may take it away.
        record = self.record
        if record is not None:
            record.suspended(ended, self.inner, awaited)
        return awaited

    def throw(self, *error: Any) -> Any:
        """Runs a step that begins with an exception."""
        self._begin()
        try:
            awaited = self.inner.throw(*error)
        finally:
            ended: float = self._clock()
            self._count(ended)
            self._began = 0.0
        # Read once: another thread may take it away.
        record = self.record
        if record is not None:
            record.suspended(ended, self.inner, awaited)
        return awaited

    def _begin(self) -> None:
        began: float = self._clock()
        self._began = began
        record = self.record
        if record is not None:
            record.resumed(began)

    def close(self) -> None:
        """Ends it where it stands."""
        self.inner.close()

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    @property
    def cr_await(self) -> Any:
        """What is measured."""
        return self.inner

    @property
    def cr_frame(self) -> Any:
        """It has none of its own."""
        return None

    def __getattr__(self, name: str) -> Any:
        """Everything else (`cr_code`, `__qualname__`, …) is that of what is measured."""
        return getattr(self.inner, name)


def account_for(route: Any, handler_class: Any) -> Account:
    """Returns the account of a route; without one, of the handlers that a router of the application's own has found, or
    of `UNMATCHED`."""
    if route is not None:
        label = route.label or "*"
    else:
        label = UNMATCHED if handler_class.__name__ == "ErrorHandler" else handler_class.__qualname__
    account = account_named(label, handler_class.__qualname__)
    if route is not None:
        route.account = account
    return account


def account_named(label: str, handler: str) -> Account:
    """Returns the account of what is called `label`, and served by `handler` the first time."""
    account = _accounts.get(label)
    if account is None:
        if len(_accounts) >= ROUTES:
            label = OTHER
        account = _accounts.get(label) or Account(label, handler)
        _accounts[label] = account
    return account


def accounts() -> list[Account]:
    """Returns what was counted, by route. May be called from any thread."""
    return list(_accounts.values())


def fill_budgets(size: int = BUDGET) -> None:
    """Has `size` more requests of each route be measured, and `EXACT` be timed."""
    for account in accounts():
        account.budget = size
        account.exact = EXACT


def forget() -> None:
    """Forgets what was counted of routes that are matched from now on by applications yet to be made."""
    _accounts.clear()
