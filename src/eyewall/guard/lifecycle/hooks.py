"""What an application does when it starts and when it ends: hooks, in the order of their dependencies.

    lifecycle = Lifecycle()

    @lifecycle.on_startup("database", timeout=10)
    async def connect(): ...

    @lifecycle.on_shutdown("database")
    async def disconnect(): ...

    @lifecycle.on_startup("cache", after=["database"])
    def warm_up(): ...

A name stands for one part of the application, with a hook for either end or both. A part starts after those it names,
and shuts down before them; among those that do not depend on each other the order is that in which they were named.
When a startup hook fails, the parts that have started are shut down, and `StartupFailed` says which it was. When a
shutdown hook fails, that is logged, and the others run.

Each hook has a timeout. One that is a plain function runs in the loop's thread and can't be interrupted: it fails when
it returns too late. An application of `eyewall.web` has a lifecycle, which `eyewall run` runs; any other program of
asyncio enters it:

    async with lifecycle:
        ...
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from eyewall.base.errors import EyewallError
from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.deadline import Deadline, unbounded
from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.lifecycle.drain import GRACE, HOOKS, Drain, process_drain

if TYPE_CHECKING:
    from eyewall.guard.deadlines.timeouts import timeout as time_limit

H = TypeVar("H", bound=Callable[[], Any])

#: Seconds that a hook has, unless it says something else.
STARTUP_TIMEOUT = 30.0
SHUTDOWN_TIMEOUT = 10.0
#: Of the drain's `GRACE`, what shutdown hooks have together when its deadline has come.
_LAST = GRACE * 0.8


class LifecycleError(EyewallError, ValueError):
    """The hooks contradict each other: a cycle, a part that nobody defines, two hooks of one kind for one part."""


class StartupFailed(EyewallError):
    """A startup hook failed. `part` is the name of its part; `reason` says what happened; what it raised is the
    `__cause__`.
    """

    def __init__(self, part: str, reason: str) -> None:
        self.part = part
        self.reason = reason
        super().__init__(part, reason)

    def __str__(self) -> str:
        return f"the startup hook {self.part!r} failed: {self.reason}"


class _Part:
    """One part of an application."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.after: list[str] = []
        self.startup: Callable[[], Any] | None = None
        self.shutdown: Callable[[], Any] | None = None
        self.startup_timeout = STARTUP_TIMEOUT
        self.shutdown_timeout = SHUTDOWN_TIMEOUT
        self.started = False
        self.stopping = False


class Lifecycle(Item):
    """The hooks of one application. `name` is what the drain's report calls it.

    `drain` is what it takes part in while it is started, by default that of the process.
    """

    kind = "lifecycle"
    phase = HOOKS

    def __init__(self, name: str = "application", *, drain: Drain = process_drain) -> None:
        self._drain = drain
        self._parts: dict[str, _Part] = {}
        self._changing = asyncio.Lock()
        self._failed = 0
        self._times = {"startup": Histogram(), "shutdown": Histogram()}
        super().__init__(name)

    # -- hooks ------------------------------------------------------------------------------------------

    def on_startup(
        self, part: str | None = None, *, after: Iterable[str] = (), timeout: float = STARTUP_TIMEOUT
    ) -> Callable[[H], H]:
        """Decorates a function, of a coroutine or a plain one, that is called when the application starts.

        `part`: the part's name, by default the function's; `after`: parts that start before; `timeout` in seconds.
        Raises LifecycleError where the part has such a hook already, ValueError for a timeout that is none.
        """
        _time_limit(timeout)

        def add(hook: H) -> H:
            found = self._part(part, hook, after)
            if found.startup is not None:
                raise LifecycleError(f"the part {found.name!r} has a startup hook already")
            found.startup, found.startup_timeout = hook, timeout
            return hook

        return add

    def on_shutdown(
        self, part: str | None = None, *, after: Iterable[str] = (), timeout: float = SHUTDOWN_TIMEOUT
    ) -> Callable[[H], H]:
        """Decorates a function that is called when the application ends, if the part has started.

        `after`: parts that start before this one, and so shut down after it. `timeout`: seconds that it may
        take. Otherwise as `on_startup`.
        """
        _time_limit(timeout)

        def add(hook: H) -> H:
            found = self._part(part, hook, after)
            if found.shutdown is not None:
                raise LifecycleError(f"the part {found.name!r} has a shutdown hook already")
            found.shutdown, found.shutdown_timeout = hook, timeout
            return hook

        return add

    def _part(self, name: str | None, hook: Callable[[], Any], after: Iterable[str]) -> _Part:
        if name is None:
            name = hook.__name__
        part = self._parts.setdefault(name, _Part(name))
        if isinstance(after, str):
            raise LifecycleError(f"`after` is a list of names, not the name {after!r}")
        part.after += after
        return part

    def order(self) -> list[str]:
        """Returns the names of the parts in the order in which they start.

        Raises LifecycleError for a cycle, and for a name that no part has.
        """
        if not self._parts:
            return []
        from graphlib import CycleError, TopologicalSorter

        graph = TopologicalSorter({part.name: part.after for part in self._parts.values()})
        for part in self._parts.values():
            for name in part.after:
                if name not in self._parts:
                    raise LifecycleError(f"the part {part.name!r} comes after {name!r}, which has no hooks")
        try:
            graph.prepare()
        except CycleError as error:
            raise LifecycleError(f"the parts wait for each other: {' after '.join(error.args[1])}") from None
        position = {name: number for number, name in enumerate(self._parts)}
        order: list[str] = []
        ready: list[str] = []
        while graph.is_active():
            ready = sorted([*ready, *graph.get_ready()], key=position.__getitem__)
            first = ready.pop(0)
            order.append(first)
            graph.done(first)
        return order

    # -- running ----------------------------------------------------------------------------------------

    async def startup(self) -> None:
        """Runs the startup hooks, one after the other; parts that have started already are passed over.

        Raises StartupFailed, after what has started was shut down; LifecycleError as `order`.
        """
        async with self._changing:
            for name in self.order():
                part = self._parts[name]
                if part.started:
                    continue
                try:
                    if part.startup is not None:
                        await self._run("startup", part.startup, part.startup_timeout, name)
                except BaseException as error:
                    await self._shut_down(None)
                    if not isinstance(error, Exception):
                        raise
                    raise StartupFailed(name, _said(error)) from error
                part.started = True
            self._drain.join(self)

    async def shutdown(self) -> list[str]:
        """Runs the shutdown hooks of what has started, in the reverse order. Returns what went wrong, in words."""
        async with self._changing:
            return await self._shut_down(None)

    async def _shut_down(self, deadline: Deadline | None) -> list[str]:
        """Runs them all. At the `deadline` those that are left share a little time."""
        failed: list[str] = []
        parts = [self._parts[name] for name in reversed(self.order()) if self._parts[name].started]
        for number, part in enumerate(parts):
            hook, limit = part.shutdown, part.shutdown_timeout
            if deadline is not None:
                least = (deadline.at + _LAST - deadline.clock()) / (len(parts) - number)
                limit = min(limit, max(deadline.remaining(), least, 0.0))
            part.stopping = True
            try:
                if hook is not None:
                    await self._run("shutdown", hook, limit, part.name)
            except (Exception, asyncio.CancelledError) as error:
                if _is_told_to_stop(error):
                    raise
                app_log.error("The shutdown hook %r failed: %s", part.name, _said(error), exc_info=error)
                failed.append(f"hook: {part.name} failed: {_said(error)}")
            finally:
                part.started = part.stopping = False
        self._drain.leave(self)
        return failed

    async def _run(self, kind: str, hook: Callable[[], Any], seconds: float, part: str) -> None:
        """Runs a hook of a part. Raises as `_run`."""
        began = time.monotonic()
        try:
            await _run(hook, seconds, f"the {kind} hook {part!r}")
        except BaseException as error:
            self._failed += 1
            self.tell("hook_failed", hook=kind, part=part, error=_said(error))
            raise
        self._times[kind].observe(time.monotonic() - began)

    def state(self) -> Mapping[str, Value]:
        """Returns how many parts there are, how many have started, and which one shuts down."""
        parts = list(self._parts.values())
        stopping = next((part.name for part in parts if part.stopping), None)
        return {
            "parts": len(parts),
            "started": sum(part.started for part in parts),
            "changing": self._changing.locked(),
            "stopping": stopping,
        }

    def counters(self) -> Mapping[str, int]:
        """Returns how many hooks came to their end, and how many failed."""
        return {
            "startups": self._times["startup"].count,
            "shutdowns": self._times["shutdown"].count,
            "failed": self._failed,
        }

    def histograms(self) -> Mapping[str, Histogram]:
        """Returns how long hooks took."""
        return dict(self._times)

    async def __aenter__(self) -> Self:
        await self.startup()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown()

    # -- as a participant of the drain ------------------------------------------------------------------

    async def drain(self, deadline: Deadline) -> Sequence[str]:
        """Runs the shutdown hooks, until `deadline`: see `guard.drain.Participant`."""
        async with self._changing:
            return await self._shut_down(deadline)

    def pending(self) -> list[str]:
        """See `guard.drain.Participant`: the hooks that have yet to run, that which runs first."""
        parts = [part for part in reversed(self._parts.values()) if part.started and part.shutdown]
        parts.sort(key=lambda part: not part.stopping)
        return [f"hook: {part.name}{', which runs' if part.stopping else ''}" for part in parts]


def _time_limit(seconds: float) -> time_limit:
    # Most applications have no hooks.
    from eyewall.guard.deadlines.timeouts import timeout as time_limit

    return time_limit(seconds)


async def _run(hook: Callable[[], Any], seconds: float, what: str) -> None:
    """Calls a hook, and waits for what it returns. Raises what it raises, and DeadlineExceeded."""
    with unbounded():
        began = time.monotonic()
        result = hook()
        if inspect.isawaitable(result):
            async with _time_limit(max(0.0, seconds - (time.monotonic() - began))) as limit:
                await result
            if limit.expired:
                raise DeadlineExceeded(f"the timeout of {seconds:g} s", what)
            return
        took = time.monotonic() - began
        if took > seconds:
            raise DeadlineExceeded(f"the timeout of {seconds:g} s", f"{what}, which took {took:.1f} s")


def _is_told_to_stop(error: BaseException) -> bool:
    """Whether the task that runs the hooks was cancelled, and not something that a hook has waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, DeadlineExceeded) else f"{type(error).__name__}: {error}"
