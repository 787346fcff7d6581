"""What all executors have in common: a bounded queue, what is counted, and how they end.

`jobqueue` decides; this calls it under a lock, does what it says, and completes futures outside of the lock, because
their callbacks are anybody's code. What remains for a kind of executor: `_launch` has a job run, somewhere, and calls
`_over` when it is.

**Waiting.** `run` waits: for a place in the queue (where `full` is WAIT), in it, and for the job, for as long as the
deadline of the work at hand allows. `submit` is an ordinary function that is called on the loop's thread as often as
not, and must not wait there; where there is no place, it raises `ExecutorFull` at once, under WAIT as under REJECT. So
do `loop.run_in_executor` and `run_on_executor`, which call it.

**The end.** Closed executors take no jobs. Their workers leave when the last job is over. What runs cannot be stopped
from outside, so an end with a deadline reports what still runs, and goes on without it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from threading import Event, Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar, cast

from eyewall.base import probe
from eyewall.base.loggers import app_log
from eyewall.guard.deadlines.deadline import Deadline, current, remaining, within
from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.executors.errors import ExecutorClosed, ExecutorFull, JobDropped
from eyewall.guard.executors.job import Job, JobFuture
from eyewall.guard.executors.jobqueue import Full, JobQueue, Place
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.lifecycle.drain import EXECUTORS, process_drain
from eyewall.guard.throttle import LogThrottle

if TYPE_CHECKING:
    from eyewall.guard.verdict import Verdict

T = TypeVar("T")

#: Jobs that are queued, by default.
QUEUE = 100
#: Callers that wait for a place in the queue at once, by default, and how long they do, in seconds.
WAITING = 1000
WAIT = 5.0
#: Seconds that `close` gives jobs to end, by default.
CLOSE = 30.0
#: Callers that `state` names.
_NAMED_CALLERS = 3


class JobView(NamedTuple):
    """What is said of a job to people. `age` is for how long it has been in its `place`, in seconds."""

    function: str
    place: Place
    age: float
    caller: str
    request: str | None

    @classmethod
    def of(cls, job: Job, now: float) -> JobView:
        """Returns what is to be said of `job`. `now`: seconds of the executor's clock."""
        since = job.began if job.place is Place.RUNNING else job.offered
        return cls(job.function, job.place, now - since, job.caller, job.request)

    def __str__(self) -> str:
        place = "running" if self.place is Place.RUNNING else "queued"
        request = f", request {self.request}" if self.request is not None else ""
        return f"{self.function}, {place} for {self.age:.1f} s, submitted at {self.caller}{request}"


class CloseReport(NamedTuple):
    """How an executor ended: the jobs that were dropped before they began, and what still ran when time was up."""

    dropped: tuple[JobView, ...]
    running: tuple[JobView, ...]

    @property
    def clean(self) -> bool:
        """Whether every job was done."""
        return not (self.dropped or self.running)


class BoundedExecutor(Item, Executor):
    """Runs blocking functions elsewhere than on the loop: no more at once than it has workers, no more queued than it
    has places.

    `name` is what the inventory and errors call it. `workers` jobs run at once, `queue` more are queued (0:
    none; None: any number, which is no bound). `full` says what happens to one for which there is no place, see
    `Full`; where it waits, `waiting` do at most, each for `wait` seconds or as long as its deadline allows.
    `clock` returns seconds and never goes back.

    Raises ValueError for numbers that make no sense.
    """

    kind = "executor"
    #: What it runs jobs on, as configurations name it.
    medium = "?"
    #: Whether a job belongs to the work at hand, and is not begun any more when the deadline of that has passed.
    heeds_deadlines = True

    def __init__(
        self,
        name: str,
        *,
        workers: int = 4,
        queue: int | None = QUEUE,
        full: Full | str = Full.WAIT,
        wait: float = WAIT,
        waiting: int = WAITING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not wait >= 0.0:
            raise ValueError(f"an executor needs wait >= 0, not {wait!r}")
        self.wait = wait
        self._clock = clock
        self._settings = (workers, queue, Full(full), waiting)
        self._throttle = LogThrottle(app_log)
        self._closed = False
        self._begin()
        super().__init__(name)
        process_drain.join(self)

    def _begin(self) -> None:
        """Sets it up without a job; again in the child of a fork, which has none of its parent's threads."""
        workers, queue, full, waiting = self._settings
        self._lock = Lock()
        self._jobs = JobQueue(workers, queue, full, waiting, self._clock)
        self._settling = 0
        self._dismissed = False
        self._crowded = False
        self._when_idle: list[Callable[[], object]] = []
        self._counts = Counter[str]()
        self._histograms = {"queue_wait": Histogram(), "run_time": Histogram()}

    # -- jobs -------------------------------------------------------------------------------------------

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> JobFuture[T]:
        """Has `fn` called with the arguments, and returns the future of what it returns. It never waits.

        Raises ExecutorFull where there is no place, ExecutorClosed after `close`, and DeadlineExceeded where the
        deadline of the work at hand has passed already.
        """
        return self._offer(fn, args, kwargs, can_wait=False).future

    async def run(self, func: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Has `func` called with the arguments, waits, and returns what it returns or raises what it raises.

        When the caller is cancelled, or its deadline passes, a job that has not begun is not begun any more. Raises
        ExecutorFull where there is no place, or was none in time; DeadlineExceeded when the deadline passes;
        JobDropped when a newer job took its place; ExecutorClosed.
        """
        loop = asyncio.get_running_loop()
        left = remaining() if self.heeds_deadlines else None
        job = self._offer(func, args, kwargs, can_wait=True)
        future: JobFuture[T] = job.future
        waiter = loop.create_future()
        future.add_done_callback(partial(_wake, loop, waiter))
        timers = []
        if job.place is Place.WAITING:
            timers.append(loop.call_later(self.wait, self._waited, job))
        if left is not None:
            timers.append(loop.call_later(left, self._late, job, waiter))
        try:
            try:
                await waiter
            except BaseException:
                future.cancel()
                raise
            finally:
                for timer in timers:
                    timer.cancel()
            return future.result()
        finally:
            # The traceback of an error refers to this frame.
            del job, future, waiter

    def _offer(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, can_wait: bool
    ) -> Job:
        deadline = current() if self.heeds_deadlines else None
        left = None if deadline is None else deadline.remaining()
        overdue = None if left is None else self._clock() + left
        job = Job(func, args, kwargs, executor=self.name, overdue=overdue, deadline=deadline)
        crowded = False
        with self._lock:
            # Where it is read with the lock held, what has come after it was set is seen by whoever set it.
            if self._closed:
                message = f"the executor {self.name!r} is closed and takes no jobs any more"
                raise ExecutorClosed(self.name, message)
            self._counts["submitted"] += 1
            if left == 0.0:
                self._counts["not_started"] += 1
                raise self._overdue(job)
            evicted = cast("Job | None", self._jobs.offer(job, can_wait=can_wait))
            place = job.place
            retry = 0.0
            if place is not Place.NOWHERE:
                job.future.withdraw = partial(self._withdraw, job, "cancelled")
            if place is Place.RUNNING:
                job.future.set_running_or_notify_cancel()
                self._histograms["queue_wait"].observe(0.0)
            elif place is not Place.QUEUED or evicted is not None:
                crowded, self._crowded = not self._crowded, True
                retry = self._jobs.retry_after()
                if place is Place.NOWHERE:
                    self._counts["refused"] += 1
                elif evicted is not None:
                    self._counts["dropped"] += 1
        if crowded:
            self._tell_full()
        if place is Place.RUNNING:
            self._start(job)
        elif place is Place.NOWHERE:
            self._limit_reached(job)
            raise self._full(job, retry)
        elif evicted is not None:
            self._limit_reached(evicted)
            message = (
                f"the executor {self.name!r} was full: {evicted.function}, the oldest job in its queue, "
                "made room for a newer one"
            )
            evicted.future.settle(None, JobDropped(self.name, message, retry_after=retry))
        return job

    def _withdraw(self, job: Job, count: str, only: Place | None = None) -> bool:
        """Takes a job out that has not begun, and counts it as `count`. `only` where it is in that place."""
        with self._lock:
            if (only is not None and job.place is not only) or not self._jobs.withdraw(job):
                return False
            self._counts[count] += 1
        self._if_idle()
        return True

    def _waited(self, job: Job) -> None:
        """It has waited for a place as long as it may."""
        if self._withdraw(job, "refused", only=Place.WAITING):
            self._limit_reached(job)
            with self._lock:
                retry = self._jobs.retry_after()
            job.future.settle(None, self._full(job, retry, f" for {self.wait:g} s"))

    def _late(self, job: Job, waiter: asyncio.Future[None]) -> None:
        """The deadline of whoever waits for it has passed."""
        if self._withdraw(job, "not_started"):
            job.future.settle(None, self._overdue(job))
        elif not (waiter.done() or job.future.done()):
            waiter.set_exception(self._overdue(job, "a job"))

    # -- what drivers do --------------------------------------------------------------------------------

    def _launch(self, job: Job) -> None:
        """Has `job` run, elsewhere, and `_over` called when it has."""
        raise NotImplementedError(f"{type(self).__name__} runs nothing")

    def _has_spare(self) -> None:
        """A worker has nothing to do. Called with the lock held."""

    def _dismiss(self) -> None:
        """There will be no jobs any more: lets the workers go."""

    def _give_up(self) -> None:
        """Jobs still run and nobody waits for them any more: stops what can be stopped."""

    def _start(self, job: Job | None) -> None:
        """Launches a job that has a worker; where that fails, the job does, and the next one is tried."""
        while job is not None:
            try:
                self._launch(job)
            except Exception as error:  # noqa: BLE001 - no thread, no process, whatever it is: it is the job's
                job = self._over(job, None, error, has_worker=False)
            else:
                return

    def _over(
        self, job: Job, result: object, error: BaseException | None, *, has_worker: bool = True
    ) -> Job | None:
        """A job has run. Completes its future, and returns the job that has its worker now, if there is one."""
        with self._lock:
            took = max(0.0, self._clock() - job.began)
            self._histograms["run_time"].observe(took)
            self._counts["done" if error is None else "failed"] += 1
            following, overdue = self._jobs.finish(job)
            self._counts["not_started"] += len(overdue)
            if following is not None:
                cast("Job", following).future.set_running_or_notify_cancel()
                self._histograms["queue_wait"].observe(following.began - following.offered)
            elif has_worker:
                self._has_spare()
            room = self._crowded and self._has_room()
            if room:
                self._crowded = False
            # Who waits for the executor to be idle, waits for the futures as well.
            self._settling += 1
        try:
            if room:
                self.tell("room")
            job.future.settle(result, error)
            for late in cast("list[Job]", overdue):
                late.future.settle(None, self._overdue(late))
        finally:
            # Their tracebacks refer to this frame.
            del job, error, result, overdue
            with self._lock:
                self._settling -= 1
        self._if_idle()
        return cast("Job | None", following)

    def _has_room(self) -> bool:
        """Whether an executor that was full has room again: not for one, which would be news with every job."""
        jobs = self._jobs
        return not jobs.waiting and (jobs.capacity is None or len(jobs.queued) <= jobs.capacity // 2)

    # -- the end ----------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it takes no jobs any more."""
        return self._closed

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no jobs any more, see `concurrent.futures.Executor.shutdown`; with `wait`, waits without a
        limit. `cancel_futures`: withdraws the jobs that have not begun.

        `close` has a deadline.
        """
        self._closed = True
        if cancel_futures:
            with self._lock:
                jobs = cast("list[Job]", [*self._jobs.queued, *self._jobs.waiting])
            for job in jobs:
                job.future.cancel()
        if wait:
            self._idle_event().wait()
        else:
            self._if_idle()

    async def close(
        self,
        timeout: float = CLOSE,  # noqa: ASYNC109
        *,
        finish: bool = True,
    ) -> CloseReport:
        """Takes no jobs any more, waits for those that are here, at most `timeout` seconds and for as long as the
        deadline of the work at hand allows, and returns what became of them.

        With `finish` false, what has not begun is dropped at once; otherwise when time is up. Dropped jobs fail with
        ExecutorClosed. What still runs is logged, with its name and age.
        """
        self._closed = True
        dropped = [] if finish else self._drop()
        await self._until_idle(timeout)
        return self._ended(dropped)

    async def _until_idle(self, timeout: float) -> None:  # noqa: ASYNC109 - nothing is to be cancelled
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        idle = self._idle_event(partial(_wake, loop, waiter))
        if not idle.is_set():
            await asyncio.wait((waiter,), timeout=within(timeout))

    def close_within(self, timeout: float, *, finish: bool = True) -> CloseReport:
        """What `close` does with `timeout` (seconds) and `finish`, blocking the thread meanwhile: for programs
        without a loop.
        """
        self._closed = True
        dropped = [] if finish else self._drop()
        self._idle_event().wait(timeout)
        return self._ended(dropped)

    def _idle_event(self, *callbacks: Callable[[], object]) -> Event:
        """Returns what is set when no job is left; `callbacks` are called then, in any thread."""
        idle = Event()
        with self._lock:
            self._when_idle += [idle.set, *callbacks]
        self._if_idle()
        return idle

    def _clear(self) -> list[Job]:
        with self._lock:
            return cast("list[Job]", self._jobs.clear())

    def _drop(self) -> list[JobView]:
        """Has every job fail that has not begun; returns them."""
        now = self._clock()
        jobs = self._clear()
        with self._lock:
            self._counts["dropped"] += len(jobs)
        for job in jobs:
            message = f"the executor {self.name!r} was closed before it began {job.function}"
            job.future.settle(None, ExecutorClosed(self.name, message))
        return [JobView.of(job, now) for job in jobs]

    def _ended(self, dropped: list[JobView]) -> CloseReport:
        """Drops what is left, and says what runs."""
        dropped += self._drop()
        running = self.running()
        if dropped or running:
            app_log.warning(
                "Executor %r is closed: %d jobs were dropped%s",
                self.name,
                len(dropped),
                f"; still running: {'; '.join(map(str, running))}" if running else "",
            )
        if running:
            self._give_up()
        self._if_idle()
        report = CloseReport(tuple(dropped), tuple(running))
        self.tell("closed", report=report)
        return report

    def _if_idle(self) -> None:
        """Where the last job is over: calls those who wait for it, and where it is closed, lets the workers go."""
        if not (self._closed or self._when_idle):
            return
        with self._lock:
            if self._settling or not self._jobs.is_empty:
                return
            callbacks, self._when_idle = self._when_idle, []
            last = self._closed and not self._dismissed
            self._dismissed = self._dismissed or last
        if last:
            process_drain.leave(self)
            self._dismiss()
        for callback in callbacks:
            callback()

    # -- as a participant of a drain (`eyewall.guard.lifecycle.drain`) --------------------------------------------

    @property
    def phase(self) -> int:
        """When it drains."""
        return EXECUTORS

    async def drain(self, deadline: Deadline) -> list[str]:
        """Closes it by the deadline. Returns what was dropped or still runs."""
        report = await self.close(deadline.remaining())
        return [f"job: {job}" for job in (*report.running, *report.dropped)]

    def pending(self) -> list[str]:
        """Returns the jobs that run or wait."""
        with self._lock:
            now = self._clock()
            jobs = cast("list[Job]", [*self._jobs.running, *self._jobs.queued, *self._jobs.waiting])
            return [f"job: {JobView.of(job, now)}" for job in jobs]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _bound(self, workers: int, queue: int | None) -> None:
        """Has other limits, before there are jobs. Called with the lock held."""
        _, _, full, waiting = self._settings
        self._settings = (workers, queue, full, waiting)
        self._jobs = JobQueue(workers, queue, full, waiting, self._clock)

    def forked(self) -> None:
        """This is the child of a fork: begins anew, without the jobs and workers of its parent, which has them still.

        For `eyewall.guard.executors.lifetime`.
        """
        self._begin()

    @property
    def idle(self) -> bool:
        """Whether no job runs or waits."""
        with self._lock:
            return self._jobs.is_empty and not self._settling

    # -- what is seen of it -----------------------------------------------------------------------------

    def running(self) -> list[JobView]:
        """Returns what runs, the oldest first."""
        with self._lock:
            now = self._clock()
            return [JobView.of(job, now) for job in cast("list[Job]", list(self._jobs.running))]

    def callers(self) -> Counter[str]:
        """Returns who fills the queue: how many queued and waiting jobs were submitted at which `file:line`."""
        with self._lock:
            jobs = cast("list[Job]", [*self._jobs.queued, *self._jobs.waiting])
        return Counter(job.caller for job in jobs)

    def state(self) -> Mapping[str, Value]:
        """Returns its settings and sizes. `callers` are the lines with the most jobs in the queue."""
        with self._lock:
            jobs = self._jobs
            now = self._clock()
            found: dict[str, Value] = {
                "medium": self.medium,
                "workers": jobs.workers,
                "busy": len(jobs.running),
                "queue": jobs.capacity,
                "queued": len(jobs.queued),
                "waiting": len(jobs.waiting),
                "full": jobs.full.value,
                "closed": self._closed,
                "oldest": max((now - entry.began for entry in jobs.running), default=0.0),
            }
        common = self.callers().most_common(_NAMED_CALLERS)
        found["callers"] = ", ".join(f"{where} ({count})" for where, count in common)
        return found

    def health(self) -> Verdict | None:
        """Returns how it is: a warning while it is full, since some jobs wait long or are refused."""
        # Loaded where somebody asks.
        from eyewall.guard.verdict import Verdict

        if self._closed or not self._counts["submitted"]:
            return None
        state = self.state()
        load = f"{state['busy']} of {state['workers']} workers are busy, {state['queued']} jobs are queued"
        if not self._crowded:
            return Verdict.passing(load)
        return Verdict.warning(f"full: {load}, the oldest one runs for {state['oldest']:.1f} s")

    def counters(self) -> Mapping[str, int]:
        """Returns what became of its jobs.

        `submitted` are all; `done`, `failed` have run; `refused` had no place, `dropped` lost it (to newer ones, or
        because the executor was closed), `cancelled` were withdrawn, `not_started` were overdue before they began.
        """
        with self._lock:
            return {name: self._counts[name] for name in COUNTERS}

    def histograms(self) -> Mapping[str, Histogram]:
        """Returns how long jobs were queued (`queue_wait`) and ran (`run_time`)."""
        return self._histograms

    def _tell_full(self) -> None:
        common = self.callers().most_common(1)
        self.tell("full", callers=dict(common))
        self._throttle.warning(
            "Executor %r is full: %d jobs run, %d are queued, most of them submitted at %s",
            self.name,
            len(self._jobs.running),
            len(self._jobs.queued),
            common[0][0] if common else "?",
        )

    def _limit_reached(self, job: Job) -> None:
        fire = probe.limit_reached.fire
        if fire is not None:
            fire(f"executor {self.name}", job.function)

    def _full(self, job: Job, retry: float, waited: str = "") -> ExecutorFull:
        workers, queue, _, _ = self._settings
        message = (
            f"the executor {self.name!r} is full{waited} ({workers} jobs run, {queue} are queued): "
            f"{job.function} was refused"
        )
        return ExecutorFull(self.name, message, retry_after=retry)

    def _overdue(self, job: Job, waited_for: str = "a worker") -> DeadlineExceeded:
        whose = "the deadline" if job.deadline is None else job.deadline.whose
        return DeadlineExceeded(
            whose, f"{waited_for} of the executor {self.name!r}, for {job.function}", job.caller
        )


#: The names of what is counted.
COUNTERS = ("submitted", "done", "failed", "refused", "dropped", "cancelled", "not_started")


def _wake(loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None], _: object = None) -> None:
    # A loop that is closed has nobody who waits.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_release, waiter)


def _release(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
