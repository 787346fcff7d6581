"""Where the time of requests goes, by route: what is counted for each request while somebody wants to know.

    head ... content complete ... first step ... suspended ... step ... response
    |- receiving -|-- running --|-- waiting --|- running -|

A handler that never suspends has run from the end of its content to its response: one look at the clock says all. For
one that does, the time that its steps take has to be measured, which costs more than counting; so that is done for
some requests of a route, `Account.budget` of them, and the others are taken to be like them. Totals say how many were.

A look at the clock costs more than all else that is done for a quick request. So of a route that gets very many of
them, beyond `EXACT` until the budgets are filled again, one of `OF` is timed, and the next ones are taken to be like
it. Of these, only a number is noted, in memory that has been looked at anyway: what they add to the sums is added when
the next one is timed, and for whoever reads the sums before.

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
OF = 8
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
    """The requests of one route with one method and one status: how many, and how long they took."""

    __slots__ = (
        "_at",
        "_count",
        "_counts",
        "_like",
        "_more",
        "_seconds",
        "_summed",
        "largest",
        "method",
        "status",
    )

    def __init__(self, method: str, status: int) -> None:
        self.method = method
        self.status = status
        self._count = 0
        self._seconds = 0.0
        self.largest = 0.0
        # One more than there are bounds; a number, as that of an array of C is.
        self._counts = [0] * 17
        # How long the last one took that was timed and never waited, its bucket, how many more count as that, and how
        # many more did when it was last added to the sums how many had.
        self._like = 0.0
        self._at = self._more = self._summed = 0

    @property
    def count(self) -> int:
        """How many there were."""
        return self._count + self._summed - self._more

    @property
    def seconds(self) -> float:
        """How long they took, together."""
        return self._seconds + (self._summed - self._more) * self._like

    @property
    def buckets(self) -> list[int]:
        """How many took how long, in the buckets of a `guard.histogram.Histogram` with its usual bounds."""
        counts = list(self._counts)
        counts[self._at] += self._summed - self._more
        return counts


class Account:
    """What is counted of one route. Times are sums, in seconds.

    `queued`: at limits. `receiving`: until the content had come. `running`, `blocking`: of requests that never were
    suspended, in steps shorter than `BLOCKING`, and in longer ones. `suspended` requests took `suspended_time` after
    that; of these, `measured` took `measured_time`, of which they ran for `measured_running` and
    `measured_blocking`. `handler`: the class that served the first of them. `exact`: how many are still timed, each of
    them.
    """

    __slots__ = (
        "_cells",
        "_count",
        "_last",
        "_running",
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

    @property
    def count(self) -> int:
        """How many requests there were."""
        cell = self._last
        return self._count + cell._summed - cell._more

    @property
    def running(self) -> float:
        """See above."""
        cell = self._last
        return self._running + (cell._summed - cell._more) * cell._like

    def cells(self) -> list[Cell]:
        """Returns what was counted, by method and status. May be called from any thread."""
        return list(self._cells.values())

    def likens(self, method: str, status: int) -> bool:
        """Counts a request that was never suspended, and did not wait for a place nor for content, as one that took as
        long as the last of that kind; returns False for one that is to be timed."""
        if self.exact > 0:
            self.exact -= 1
            return False
        cell = self._last
        if cell._more <= 0 or cell.status != status or cell.method is not method:
            return False
        cell._more -= 1
        return True

    def _sum(self) -> None:
        """Adds those that were likened to the last one that was timed."""
        # Not a call in between: nobody reads half of it.
        cell = self._last
        number = cell._summed - cell._more
        cell._summed = cell._more
        cell._count += number
        cell._seconds += number * cell._like
        cell._counts[cell._at] += number
        self._count += number
        self._running += number * cell._like

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
        cell._count += 1
        cell._seconds += seconds
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
            if work == seconds:
                cell._like = seconds
                cell._at = at
                cell._more = cell._summed = _untimed if seconds < _quick else 0
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
