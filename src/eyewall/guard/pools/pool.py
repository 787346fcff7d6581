"""A pool of anything that is opened and closed: database connections, files, sockets.

    pool = ResourcePool(connect, name="db", max_size=10, check=ping)

    async with pool.acquire() as connection:
        await connection.execute(...)

The decisions are `guard.pools.poolengine`'s; this is the driver that opens, checks, closes and waits.

Opening is the pool's work, in tasks of its own: whoever waits takes what comes first, a resource that is given back or
one that is opened, and one who gives up costs nobody the resource that was on its way. When opening fails, the next
attempt comes after a back-off; until then, where nothing is open that could come back, nobody is made to wait for it.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import copy_context
from types import CodeType
from typing import Generic, TypeVar, cast
from weakref import ref

from eyewall.base.loggers import app_log
from eyewall.guard.backoff import Backoff
from eyewall.guard.deadlines.deadline import Deadline, within
from eyewall.guard.errors import Overloaded
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.lifecycle.drain import RESOURCES, process_drain
from eyewall.guard.pools.poolengine import PoolEngine
from eyewall.guard.pools.poollease import Entry, Holder, Lease, place
from eyewall.guard.throttle import LogThrottle
from eyewall.guard.verdict import Verdict

T = TypeVar("T")

#: Errors after which a resource is not used again, whatever a check would say: what was asked of it may still be under
#: way, and its answer would be taken for the answer to something else.
_FATAL = (TimeoutError, ConnectionError, EOFError)


class PoolFull(Overloaded):
    """As many wait for a resource of a pool already as it allows (`max_waiting`)."""


class PoolTimeout(Overloaded, TimeoutError):
    """No resource of a pool came in time. The message says who has them."""


class PoolUnavailable(Overloaded):
    """A pool cannot open resources, which is the `__cause__`, and has none."""


class PoolClosed(Overloaded):
    """A pool was closed."""


class ResourcePool(Item, Generic[T]):
    """Resources that are opened once and lent to one user after the other, like connections of a database.

    Times are seconds.

    `open` returns a resource, or an awaitable of one. `close` takes one; by default its `aclose()` or `close()` is
    called, and awaited where that makes sense. `max_size`: resources at once; `min_size`: those that are kept open,
    once `start` was called or something was acquired.

    `timeout`: how long to wait for one, at most the time that the deadline at hand leaves; `max_waiting`: how many may
    wait. `open_timeout`, `close_timeout`, `check_timeout`: how long these may take. `backoff`: between attempts to open
    after one has failed.

    `check` returns, or is awaited for, whether a resource works; raising says no. It is asked before one is lent that
    was not known to work for `check_after` seconds, and after an error of the one who had it. Without a check every
    error closes the resource, except those of the classes `harmless`, which never do; a cancellation, a timeout and a
    broken connection always do.

    `idle_timeout`: what is not used for so long is closed; `lifetime`: nothing is lent that is older (less up to a
    tenth, by chance, so that not all end at once). `leak_after`: who has a resource for longer is reported, once.

    A pool is for the loop that it is first used in. Its name is that of its limit: `pool <name>`.
    """

    kind = "pool"
    #: When a process drains, pools are closed after those who need them.
    phase = RESOURCES

    def __init__(
        self,
        open: Callable[[], Awaitable[T] | T],
        close: Callable[[T], object] | None = None,
        *,
        name: str,
        min_size: int = 0,
        max_size: int = 10,
        max_waiting: int = 1000,
        timeout: float = 30.0,
        open_timeout: float = 10.0,
        close_timeout: float = 5.0,
        check: Callable[[T], object] | None = None,
        check_after: float = 5.0,
        check_timeout: float = 5.0,
        harmless: tuple[type[Exception], ...] = (),
        idle_timeout: float = 300.0,
        lifetime: float = 3600.0,
        leak_after: float = 60.0,
        backoff: Backoff | None = None,
    ) -> None:
        """Raises ValueError for sizes that do not go together."""
        if not (0 <= min_size <= max_size and max_size > 0 and max_waiting >= 0):
            raise ValueError(
                f"a pool needs 0 <= min_size <= max_size, max_size > 0, not {min_size!r}, {max_size!r}"
            )
        super().__init__(name)
        self.timeout = timeout
        self.open_timeout = open_timeout
        self.close_timeout = close_timeout
        self.check_after = check_after
        self.check_timeout = check_timeout
        self.leak_after = leak_after
        self.lifetime = lifetime
        self.max_waiting = max_waiting
        self._open = open
        self._close = close
        self._check = check
        self._harmless = harmless
        self._backoff = backoff or Backoff(0.1, most=10.0, jitter=0.5)
        self._spread = Backoff(lifetime, most=lifetime, jitter=0.1)
        self._engine: PoolEngine[None, Entry[T], asyncio.Future[Entry[T]]] = PoolEngine(
            total=max_size,
            idle_timeout=idle_timeout,
            least=min_size,
            gives_room=False,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lent: dict[Entry[T], None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._openers: set[asyncio.Task[None]] = set()
        # Of the one who made the pool, not of the request that happens to need a resource: that has a deadline.
        self._context = copy_context()
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Event | None = None
        #: After a failed check, what was known to work before is checked again.
        self._doubted = -math.inf
        self._failures = 0
        self._resumes = 0.0
        self._last_error: Exception | None = None
        self._log = LogThrottle(app_log)
        self._counts = dict.fromkeys(
            (
                "opened",
                "open_failures",
                "closed",
                "acquired",
                "waited",
                "timeouts",
                "refused",
                "broken",
                "leaked",
            ),
            0,
        )
        self._waits = Histogram()
        self._holds = Histogram()
        process_drain.join(self)

    # -- for programs -----------------------------------------------------------------------------------

    def acquire(self, timeout: float | None = None) -> Lease[T]:
        """Returns a turn with a resource, to be entered (`async with`) or awaited; see `Lease`.

        `timeout`: seconds to wait, None for the pool's. Entering raises PoolTimeout, PoolFull, PoolUnavailable,
        PoolClosed.
        """
        frame = sys._getframe(1)
        return Lease(self, self.timeout if timeout is None else timeout, frame.f_code, frame.f_lineno)

    def start(self) -> None:
        """Has `min_size` resources opened, without waiting for them."""
        self._bind()
        self._work()

    async def close(self, timeout: float = 10.0) -> tuple[Holder, ...]:  # noqa: ASYNC109 - it is no error
        """Ends the pool: nobody gets a resource any more, and who waits gets a PoolClosed.

        Waits `timeout` seconds for those that are lent, then closes them under their holders, who are returned.
        """
        loop = self._bind()
        engine = self._engine
        for waiter in engine.close():
            if not waiter.done():
                waiter.set_exception(self._closed_error())
        for opener in self._openers:
            opener.cancel()
        self._work()
        if self._lent:
            # Whoever drains the process may close it while its owner does.
            drained = self._drained = self._drained or asyncio.Event()
            try:
                async with asyncio.timeout(timeout):
                    await drained.wait()
            except TimeoutError:
                pass
        held = tuple(self.holders())
        for entry in list(self._lent):
            self._end_lending(entry)
            self._dismiss(entry)
        if self._timer is not None:
            self._timer.cancel()
        own = asyncio.current_task(loop)
        while tasks := [task for task in self._tasks if task is not own]:
            # Each has a timeout of its own.
            await asyncio.wait(tasks)
        self.tell("closed", held=len(held))
        return held

    async def __aenter__(self) -> ResourcePool[T]:
        self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def holders(self) -> list[Holder]:
        """Returns who has resources now, those first who have had them for the longest time."""
        now = self._now()
        return [entry.holder(now) for entry in list(self._lent)]

    # -- the end of the process, see `guard.lifecycle.drain` --------------------------------------------------------

    async def drain(self, deadline: Deadline) -> list[str]:
        """Closes the pool; returns who had resources at the deadline."""
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            # Of a loop in another thread, which has to end by itself.
            return self.pending()
        return [self._told(holder) for holder in await self.close(deadline.remaining())]

    def pending(self) -> list[str]:
        """Returns who has resources, as the drain report says it."""
        return [self._told(holder) for holder in self.holders()]

    def _told(self, holder: Holder) -> str:
        return f"pool: {self.name}, held for {holder.seconds:.1f} s, taken at {holder.where}"

    # -- lending ----------------------------------------------------------------------------------------

    async def lend(self, patience: float | None, code: CodeType, line: int) -> Entry[T]:
        """For `Lease`, which has `patience`, `code` and `line`: returns an entry, which comes back with
        `take_back` or `discard`.
        """
        loop = self._bind()
        began = loop.time()
        limit = within(patience)
        until = math.inf if limit is None else began + limit
        engine = self._engine
        if self._is_closed():
            raise self._closed_error()
        entry = engine.take(None, began)
        if engine.closing:
            self._work()
        if entry is None:
            entry = await self._wait(until, None)
        while self._is_due(entry, loop.time()):
            if await self._works(entry, until):
                break
            if not entry.used:
                # Opening another at once would be no better.
                self._opening_failed(RuntimeError("a resource did not work when it was new"))
            entry = await self._wait(until, entry)
        if self._is_closed():
            # While it was on its way, or was checked: nobody waits for it to come back.
            self._dismiss(entry)
            raise self._closed_error()
        now = loop.time()
        task = asyncio.current_task(loop)
        entry.since, entry.code, entry.line, entry.reported = now, code, line, False
        entry.task = None if task is None else task.get_name()
        self._lent[entry] = None
        self._counts["acquired"] += 1
        self._waits.observe(now - began)
        self._wake_at(now + self.leak_after)
        return entry

    async def _wait(self, until: float, instead_of: Entry[T] | None) -> Entry[T]:
        """Waits for an entry. `instead_of`: one that was taken and does not work; its taker goes before all others."""
        loop = self._bind()
        engine = self._engine
        waiter: asyncio.Future[Entry[T]] = loop.create_future()
        if instead_of is None:
            if engine.paused and engine.open == 0:
                raise self._unavailable()
            waiting = engine.waiting - self._coming()
            if waiting >= self.max_waiting:
                self._counts["refused"] += 1
                self.tell("full", waiting=waiting)
                raise PoolFull(
                    self._limit(),
                    f"pool {self.name!r}: {waiting} wait for one of {engine.total} resources already "
                    f"(max_waiting={self.max_waiting})",
                )
            self._counts["waited"] += 1
        engine.wait(None, waiter, first=instead_of is not None)
        if instead_of is not None:
            self._dismiss(instead_of)
        if engine.closed:
            engine.leave(waiter)
            raise self._closed_error()
        self._work()
        if not waiter.done() and engine.paused and engine.open == 0 and engine.leave(waiter):
            raise self._unavailable()
        try:
            async with asyncio.timeout_at(until if until < math.inf else None):
                return await waiter
        except BaseException as error:
            if not engine.leave(waiter) and not waiter.cancelled() and waiter.exception() is None:
                # It came in the moment in which its taker gave up.
                engine.give_back(waiter.result(), loop.time())
                self._work()
            if isinstance(error, TimeoutError) and not isinstance(error, Overloaded):
                raise self._too_late() from self._last_error
            raise

    def _coming(self) -> int:
        """How many of those who wait need nobody to give anything back: there is room, or one is being opened."""
        engine = self._engine
        return 0 if engine.paused else engine.opening + engine.total - engine.open

    def take_back(self, entry: Entry[T], error: BaseException | None) -> None:
        """For `Lease`: an entry comes back, after `error` or none."""
        if not self._end_lending(entry):
            return
        if error is None or isinstance(error, self._harmless):
            entry.used = True
            self._free(entry)
        elif self._check is None or isinstance(error, _FATAL) or not isinstance(error, Exception):
            self._break(entry)
        else:
            self._spawn(self._examine(entry))
        self._work()

    def discard(self, entry: Entry[T]) -> None:
        """For `Lease`: an entry comes back, and is broken."""
        if self._end_lending(entry):
            self._break(entry)
            self._work()

    def forgotten(self, entry: Entry[T]) -> None:
        """For `Lease`: nobody has an entry any more, and nobody gave it back. Called by the collector, anywhere."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._reclaim, entry)

    def _reclaim(self, entry: Entry[T]) -> None:
        where = place(entry.code, entry.line)
        if self._end_lending(entry):
            self._counts["leaked"] += 1
            self._log.warning(
                "Pool %r: a resource was never given back; it was taken at %s", self.name, where
            )
            self.tell("leaked", where=where)
            self._break(entry)
            self._work()

    def _end_lending(self, entry: Entry[T]) -> bool:
        """Notes that an entry is not lent any more; False where the pool has closed it meanwhile."""
        if entry not in self._lent:
            return False
        del self._lent[entry]
        self._holds.observe(self._now() - entry.since)
        entry.code = None
        if self._drained is not None and not self._lent:
            self._drained.set()
        return True

    # -- health -----------------------------------------------------------------------------------------

    def _is_due(self, entry: Entry[T], now: float) -> bool:
        return self._check is not None and (
            entry.checked + self.check_after <= now or entry.checked < self._doubted
        )

    async def _works(self, entry: Entry[T], until: float = math.inf) -> bool:
        """Asks `check`. When that is cancelled, nobody knows what the resource is in the middle of: it is broken."""
        check, loop = self._check, self._bind()
        if check is None:
            return True
        try:
            async with asyncio.timeout_at(min(until, loop.time() + self.check_timeout)):
                healthy = check(entry.resource)
                if inspect.isawaitable(healthy):
                    healthy = await healthy
        except Exception as error:  # noqa: BLE001 - whatever it raises, the resource does not work
            healthy = False
            self._log.warning("Pool %r: a check failed: %r", self.name, error)
        except BaseException:
            self._break(entry)
            self._work()
            raise
        if healthy or healthy is None:
            entry.checked = loop.time()
            return True
        self._doubted = loop.time()
        return False

    async def _examine(self, entry: Entry[T]) -> None:
        """Decides about a resource whose holder had an error."""
        if await self._works(entry):
            self._free(entry)
        else:
            self._break(entry)
        self._work()

    def _free(self, entry: Entry[T]) -> None:
        """An entry that works is nobody's."""
        entry.checked = now = self._now()
        self._engine.give_back(entry, now)
        self._wake_at(now + self._engine.idle_timeout)

    def _break(self, entry: Entry[T]) -> None:
        self._counts["broken"] += 1
        self.tell("broken")
        self._dismiss(entry)

    def _dismiss(self, entry: Entry[T]) -> None:
        """Stops counting an entry that is not free, and closes it."""
        if self._engine.drop(entry, self._now()):
            self._end(entry)

    # -- doing ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Does what the engine has put down, and opens what is wanted."""
        engine = self._engine
        while engine.grants:
            waiter, _, entry = engine.grants.popleft()
            if entry is None:
                raise RuntimeError("a pool that opens for itself gives no room")
            if waiter.done():
                engine.give_back(entry, self._now())
            else:
                waiter.set_result(entry)
        while engine.closing:
            self._end(engine.closing.pop())
        while (engine.waiting > engine.opening or engine.open < engine.least) and engine.reserve(None):
            opener = self._spawn(self._open_one())
            self._openers.add(opener)
            opener.add_done_callback(self._openers.discard)

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._bind().create_task(work, context=self._context.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _open_one(self) -> None:
        engine, loop = self._engine, self._bind()
        try:
            async with asyncio.timeout(self.open_timeout):
                made = self._open()
                resource = cast(T, await made if inspect.isawaitable(made) else made)
        except Exception as error:  # noqa: BLE001 - it is told to whoever waits
            if isinstance(error, TimeoutError) and not error.args:
                error = TimeoutError(f"opening took longer than open_timeout={self.open_timeout:g} s")
            engine.vacate(None, loop.time())
            self._opening_failed(error)
            return
        except BaseException:
            engine.vacate(None, loop.time())
            raise
        now = loop.time()
        self._failures = 0
        self._last_error = None
        engine.paused = False
        self._counts["opened"] += 1
        entry = Entry(resource, now)
        dies = now + self._spread.delay(1)
        engine.opened(None, entry, dies)
        engine.give_back(entry, now)
        self._wake_at(min(dies, now + engine.idle_timeout))
        self._work()

    def _opening_failed(self, error: Exception) -> None:
        engine, now = self._engine, self._now()
        self._counts["open_failures"] += 1
        self._last_error = error
        if not engine.paused:
            # Several that fail together are one failure.
            self._failures += 1
            self._resumes = now + self._backoff.delay(self._failures)
            engine.paused = True
            self._wake_at(self._resumes)
        self._log.warning("Pool %r cannot open a resource: %r", self.name, error)
        self.tell("open_failed", error=error, failures=self._failures, retry_after=self._resumes - now)
        if engine.open == 0:
            # Nothing will come back that they could have instead.
            for waiter in engine.waiters():
                if engine.leave(waiter) and not waiter.done():
                    waiter.set_exception(self._unavailable())

    def _end(self, entry: Entry[T]) -> None:
        if not entry.gone:
            entry.gone = True
            self._spawn(self._close_one(entry))

    async def _close_one(self, entry: Entry[T]) -> None:
        self._counts["closed"] += 1
        try:
            async with asyncio.timeout(self.close_timeout):
                done = self._closer(entry.resource)
                if inspect.isawaitable(done):
                    await done
        except Exception as error:  # noqa: BLE001 - nobody else is there to be told
            self._log.warning("Pool %r: closing a resource failed: %r", self.name, error)

    def _closer(self, resource: T) -> object:
        if self._close is not None:
            return self._close(resource)
        method = getattr(resource, "aclose", None) or getattr(resource, "close", None)
        return method() if method is not None else None

    # -- time -------------------------------------------------------------------------------------------

    def _bind(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        elif loop is not asyncio.get_running_loop():
            raise RuntimeError(f"pool {self.name!r} belongs to another event loop")
        return loop

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def _wake_at(self, when: float) -> None:
        """Has `_look` run at that time, or before."""
        timer = self._timer
        if when == math.inf or (timer is not None and timer.when() <= when):
            return
        if timer is not None:
            timer.cancel()
        # A pool that nobody refers to is not kept by its timer.
        self._timer = self._bind().call_at(when, _look, ref(self))

    def look(self) -> None:
        """Does what is due: closes what is old, tries to open again, reports who holds a resource for too long."""
        self._timer = None
        engine, now = self._engine, self._now()
        if engine.paused:
            if now >= self._resumes:
                engine.paused = False
            else:
                self._wake_at(self._resumes)
        engine.expire(now)
        self._work()
        self._wake_at(engine.next_expiry())
        for entry in self._lent:
            if entry.reported:
                continue
            if entry.since + self.leak_after > now:
                self._wake_at(entry.since + self.leak_after)
                break
            entry.reported = True
            where, seconds, task = entry.holder(now)
            self._log.warning(
                "Pool %r: a resource is held for %.0f s, taken at %s by task %s",
                self.name,
                seconds,
                where,
                task,
            )
            self.tell("held_long", where=where, seconds=seconds, task=task)

    # -- what is said -----------------------------------------------------------------------------------

    def _limit(self) -> str:
        return f"pool {self.name}"

    def _is_closed(self) -> bool:
        return self._engine.closed

    def _closed_error(self) -> PoolClosed:
        return PoolClosed(self._limit(), f"pool {self.name!r} is closed")

    def _unavailable(self) -> PoolUnavailable:
        error = PoolUnavailable(
            self._limit(),
            f"pool {self.name!r} cannot open a resource: {self._last_error!r}",
            retry_after=max(0.0, self._resumes - self._now()),
        )
        error.__cause__ = self._last_error
        return error

    def _too_late(self) -> PoolTimeout:
        self._counts["timeouts"] += 1
        self.tell("timeout")
        held = "; ".join(f"{where} for {seconds:.1f} s" for where, seconds, _ in self.holders()[:3])
        reason = f"the longest are held by {held}" if held else f"the last error was {self._last_error!r}"
        return PoolTimeout(
            self._limit(),
            f"no resource of pool {self.name!r} came in time ({self._engine.total} at most): {reason}",
        )

    def state(self) -> Mapping[str, Value]:
        """See `Item.state`."""
        engine = self._engine
        oldest = next(iter(list(self._lent)), None)
        return {
            "open": engine.open,
            "opening": engine.opening,
            "idle": engine.free,
            "lent": len(self._lent),
            "waiting": engine.waiting,
            "min_size": engine.least,
            "max_size": engine.total,
            "max_waiting": self.max_waiting,
            "failing": self._failures > 0,
            "held_longest": 0.0 if oldest is None else self._now() - oldest.since,
            "closed": engine.closed,
        }

    def health(self) -> Verdict | None:
        """See `Item.health`: a warning while nothing can be opened, or nobody more may wait."""
        engine = self._engine
        if engine.closed:
            return None
        if self._failures:
            return Verdict.warning(f"cannot open a resource: {self._last_error!r}")
        if engine.waiting - self._coming() >= self.max_waiting > 0:
            return Verdict.warning(f"{engine.waiting} wait for {engine.total} resources, and no more may")
        return Verdict.passing(f"{len(self._lent)} of {engine.total} lent, {engine.waiting} wait")

    def counters(self) -> Mapping[str, int]:
        """See `Item.counters`. `refused` is for a full queue, `leaked` for leases that were dropped."""
        return {**self._counts, "expired": self._engine.expired}

    def histograms(self) -> Mapping[str, Histogram]:
        """See `Item.histograms`. `wait`: for a resource, of all who got one; `hold`: how long they had it."""
        return {"wait": self._waits, "hold": self._holds}


def _look(pool: ref[ResourcePool[T]]) -> None:
    there = pool()
    if there is not None:
        there.look()
