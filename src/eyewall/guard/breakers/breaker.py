"""A circuit breaker: a dependency that fails is left alone for a while, and who wants it is told so at once.

    breaker = CircuitBreaker("payments", slow_after=2.0)

    @breaker
    async def pay(order): ...

    async with breaker.attempt():
        ...

The decisions are `guard.breakers.breakerengine`'s; this is what watches the calls. It may be used in any thread.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from threading import Lock
from typing import ParamSpec, TypeVar, cast

from eyewall.base.loggers import app_log
from eyewall.guard.backoff import Backoff
from eyewall.guard.breakers.breakerengine import BreakerEngine, BreakerState, Outcome
from eyewall.guard.breakers.breakerwindow import CountWindow, TimeWindow
from eyewall.guard.errors import Overloaded
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.verdict import Verdict

P = ParamSpec("P")
T = TypeVar("T")

#: Called with the breaker, the state that it leaves and the one that it enters.
Listener = Callable[["CircuitBreaker", BreakerState, BreakerState], object]


class CircuitOpen(Overloaded):
    """A breaker does not let a call through. Nothing was called.

    `breaker` is its name, `since` when its state began, in seconds since the epoch; `retry_after` says when it
    tries again. `message` says why.
    """

    def __init__(
        self, breaker: str, message: str, *, since: float = 0.0, retry_after: float | None = None
    ) -> None:
        super().__init__(f"breaker {breaker}", message, retry_after=retry_after)
        self.breaker = breaker
        self.since = since

    def __reduce__(self) -> tuple[type[CircuitOpen], tuple[str, str], dict[str, object]]:
        return type(self), (self.breaker, str(self)), vars(self)


class CircuitBreaker(Item):
    """Refuses calls of a dependency that fails or hangs, until a few trials say that it is well again.

    `name` is what errors, the log and the inventory call it. Times are seconds.

    It opens when, of the last `window_calls` calls, or of those in the last `window_seconds` where that is given, at
    least `minimum_calls` and of them the share `failure_rate` have failed, or the share `slow_rate` took `slow_after`
    or longer (None: nothing is slow). It stays open for `open_for`, twice that when the trials after it fail, and so
    on, at most `open_for_most`; less up to the share `jitter` of it, by chance, so that not all processes try at once.
    Then `trial_calls` calls are let through, which decide; they have `trial_timeout` for it.

    An exception of one of the classes `failures` is a failure, unless it is of one of `ignored`; so is a result of
    which `failed_result` says so. What the guard itself refuses (`Overloaded`), and exceptions of the classes
    `uncounted`, say nothing of the dependency. A call that is cancelled, or ends with one of `cut_off`, counts only
    where it was slow already, and has failed then.

    `clock` returns seconds and never goes back. Raises ValueError for numbers that make no sense.
    """

    kind = "breaker"

    def __init__(
        self,
        name: str,
        *,
        failure_rate: float = 0.5,
        slow_rate: float = 1.0,
        slow_after: float | None = None,
        window_calls: int = 100,
        window_seconds: float | None = None,
        minimum_calls: int = 10,
        open_for: float = 5.0,
        open_for_most: float = 60.0,
        jitter: float = 0.2,
        trial_calls: int = 3,
        trial_timeout: float = 30.0,
        failures: tuple[type[Exception], ...] = (Exception,),
        ignored: tuple[type[Exception], ...] = (),
        uncounted: tuple[type[Exception], ...] = (),
        cut_off: tuple[type[Exception], ...] = (),
        failed_result: Callable[[object], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if window_seconds is None and minimum_calls > window_calls:
            raise ValueError(f"minimum_calls={minimum_calls!r} are more than window_calls={window_calls!r}")
        self._engine = BreakerEngine(
            CountWindow(window_calls) if window_seconds is None else TimeWindow(window_seconds),
            failure_rate=failure_rate,
            slow_rate=slow_rate,
            slow_after=float("inf") if slow_after is None else slow_after,
            minimum_calls=minimum_calls,
            interval=Backoff(open_for, most=max(open_for, open_for_most), jitter=jitter),
            trial_calls=trial_calls,
            trial_timeout=trial_timeout,
        )
        self._failures = failures
        self._ignored = ignored
        self._cut_off = cut_off
        self._uncounted: tuple[type[Exception], ...] = (Overloaded, *uncounted)
        self._failed_result = failed_result
        self._clock = clock
        self._lock = Lock()
        self._since = time.time()
        self._listeners: tuple[Listener, ...] = ()
        self._counts = dict.fromkeys(("calls", "failures", "slow", "refused", "opened"), 0)
        self._times = Histogram()
        super().__init__(name)

    # -- calls ------------------------------------------------------------------------------------------

    def attempt(self) -> Attempt:
        """Returns a context manager around one call, for `with` and `async with`. Entering raises CircuitOpen."""
        return Attempt(self)

    def check(self) -> None:
        """Raises CircuitOpen where a call would have no chance now. Begins nothing."""
        with self._lock:
            worth = self._engine.look(self._clock())
            if not worth:
                self._counts["refused"] += 1
        if not worth:
            raise self._refusal()

    def admit(self) -> tuple[int, float]:
        """For drivers of their own: admits a call, which comes back with `record`. Raises CircuitOpen."""
        now = self._clock()
        with self._lock:
            before = self._engine.state
            ticket = self._engine.admit(now)
            after = self._engine.state
            if ticket < 0:
                self._counts["refused"] += 1
        if before is not after:
            self._changed(before, after)
        if ticket < 0:
            raise self._refusal()
        return ticket, now

    def record(self, admitted: tuple[int, float], outcome: Outcome) -> None:
        """A call has ended, with `outcome`; `admitted` is what `admit` returned."""
        ticket, began = admitted
        now = self._clock()
        with self._lock:
            self._counts["calls"] += 1
            self._counts["failures"] += outcome is Outcome.FAILED
            self._counts["slow"] += now - began >= self._engine.slow_after
            self._times.observe(now - began)
            before = self._engine.state
            self._engine.record(ticket, now, now - began, outcome)
            after = self._engine.state
        if before is not after:
            self._changed(before, after)

    def outcome_of(self, error: BaseException | None) -> Outcome:
        """Tells how a call that ended with `error`, or without one, has ended."""
        if error is None:
            return Outcome.GOOD
        if not isinstance(error, Exception) or isinstance(error, self._cut_off):
            return Outcome.CUT
        if isinstance(error, self._uncounted):
            return Outcome.NONE
        if isinstance(error, self._ignored) or not isinstance(error, self._failures):
            return Outcome.GOOD
        return Outcome.FAILED

    def outcome_of_result(self, result: object) -> Outcome:
        """Tells how a call that returned `result` has ended."""
        return (
            Outcome.FAILED
            if self._failed_result is not None and self._failed_result(result)
            else Outcome.GOOD
        )

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Decorates a function or coroutine function: it raises CircuitOpen while the breaker is open."""
        return self.protect()(function)

    def protect(
        self, fallback: Callable[[CircuitOpen], object] | None = None
    ) -> Callable[[Callable[P, T]], Callable[P, T]]:
        """Returns a decorator as the breaker itself is one. `fallback` is called in place of raising CircuitOpen.

        What it returns is the result; for a coroutine function, it may be one, too.
        """

        def decorate(function: Callable[P, T]) -> Callable[P, T]:
            if inspect.iscoroutinefunction(function):

                @functools.wraps(function)
                async def call_async(*args: P.args, **kwargs: P.kwargs) -> object:
                    try:
                        attempt = self.attempt().begin()
                    except CircuitOpen as refusal:
                        if fallback is None:
                            raise
                        instead = fallback(refusal)
                        return await instead if inspect.isawaitable(instead) else instead
                    with attempt:
                        return attempt.result(await function(*args, **kwargs))

                return cast("Callable[P, T]", call_async)

            @functools.wraps(function)
            def call(*args: P.args, **kwargs: P.kwargs) -> T:
                try:
                    attempt = self.attempt().begin()
                except CircuitOpen as refusal:
                    if fallback is None:
                        raise
                    return cast("T", fallback(refusal))
                with attempt:
                    result = function(*args, **kwargs)
                    if inspect.isawaitable(result):
                        # It has only begun: a function that returns a future.
                        return cast("T", _finish(attempt.postponed(), result))
                    return attempt.result(result)

            return call

        return decorate

    # -- by hand ----------------------------------------------------------------------------------------

    def open(self, seconds: float | None = None) -> None:
        """Opens it, for `seconds` or the interval that is due; then it tries again, as ever."""
        self._do(lambda engine, now: engine.open(now, "opened by hand", seconds))

    def close(self) -> None:
        """Closes it, whatever it was."""
        self._do(lambda engine, now: engine.close(now))

    #: As new: closed, with nothing known of any call. Counters go on.
    reset = close

    def force_open(self) -> None:
        """Lets nothing through until `close`."""
        self._do(lambda engine, now: engine.force(BreakerState.FORCED_OPEN, now, "forced open by hand"))

    def force_closed(self) -> None:
        """Lets everything through, whatever comes of it, until `close`."""
        self._do(lambda engine, now: engine.force(BreakerState.FORCED_CLOSED, now, "forced closed by hand"))

    def follow(self, state: BreakerState, seconds: float = 0.0, openings: int = 0, reason: str = "") -> None:
        """Takes over the state of another process: of OPEN with the `seconds` that are left, its `openings`,
        and the `reason`.
        """

        def take_over(engine: BreakerEngine, now: float) -> None:
            if state is BreakerState.OPEN:
                engine.open(now, reason, seconds, openings)
            elif state is BreakerState.CLOSED:
                engine.close(now)
            else:
                engine.force(state, now, reason)

        self._do(take_over, told=False)

    def _do(self, change: Callable[[BreakerEngine, float], None], *, told: bool = True) -> None:
        with self._lock:
            before = self._engine.state
            change(self._engine, self._clock())
            after = self._engine.state
        self._changed(before, after, told=told)

    # -- who is told ------------------------------------------------------------------------------------

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener(breaker, before, after)` at each change of state. Returns the function that ends that.

        It is called in the thread of whoever made the change, and must be quick. What it raises is logged.
        """
        self._listeners = (*self._listeners, listener)

        def end() -> None:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

        return end

    #: Set by whoever shares the state between processes: called with the breaker at each change of its own making.
    on_own_change: Callable[[CircuitBreaker], object] | None = None

    def _changed(self, before: BreakerState, after: BreakerState, *, told: bool = True) -> None:
        self._since = time.time()
        if after is BreakerState.OPEN:
            self._counts["opened"] += 1
            app_log.warning("Circuit %r opened: %s", self.name, self._engine.reason)
        elif before is not after:
            app_log.info("Circuit %r is %s", self.name, after.value)
        self.tell(after.name.lower(), before=before.value, reason=self._engine.reason)
        if told and self.on_own_change is not None:
            self.on_own_change(self)
        for listener in self._listeners:
            try:
                listener(self, before, after)
            except Exception:  # noqa: BLE001 - what watches a call must not fail it
                app_log.exception("A listener of circuit %r failed", self.name)

    def _refusal(self) -> CircuitOpen:
        with self._lock:
            engine, now = self._engine, self._clock()
            state, reason, seconds = engine.state, engine.reason, now - engine.since
            again = engine.retry_after(now)
        when = time.strftime("%H:%M:%S", time.localtime(self._since))
        told = f" ({reason})" if reason else ""
        next_try = "" if again is None else f"; it tries again in {again:.1f} s"
        return CircuitOpen(
            self.name,
            f"circuit {self.name!r} is {state.value} since {when}, {seconds:.1f} s ago{told}{next_try}",
            since=self._since,
            retry_after=again,
        )

    # -- what is watched --------------------------------------------------------------------------------

    @property
    def current(self) -> BreakerState:
        """The state that it is in."""
        return self._engine.state

    @property
    def openings(self) -> int:
        """Openings in a row."""
        return self._engine.openings

    @property
    def reason(self) -> str:
        """Why it opened last."""
        return self._engine.reason

    @property
    def left(self) -> float:
        """Seconds until an open one tries again, 0 in other states."""
        engine = self._engine
        return max(0.0, engine.until - self._clock()) if engine.state is BreakerState.OPEN else 0.0

    def state(self) -> Mapping[str, Value]:
        """See `Item.state`."""
        with self._lock:
            engine, now = self._engine, self._clock()
            engine.window.forget(now)
            window = engine.window
            return {
                "state": engine.state.value,
                "since": self._since,
                "retry_after": engine.retry_after(now),
                "openings": engine.openings,
                "reason": engine.reason,
                "calls": window.calls,
                "failure_rate": window.failed / window.calls if window.calls else 0.0,
                "slow_rate": window.slow / window.calls if window.calls else 0.0,
            }

    def health(self) -> Verdict | None:
        """See `Item.health`: a warning while it is open, or was forced to be closed."""
        state = self._engine.state
        if state is BreakerState.CLOSED:
            return Verdict.passing("closed")
        return Verdict.warning(f"{state.value}: {self._engine.reason}")

    def counters(self) -> Mapping[str, int]:
        """See `Item.counters`. `refused` were not called; `opened` counts openings."""
        return dict(self._counts)

    def histograms(self) -> Mapping[str, Histogram]:
        """See `Item.histograms`. `call`: how long calls took."""
        return {"call": self._times}


class Attempt:
    """One call through a breaker. Entered with `with` or `async with`, once; `begin` does it beforehand."""

    __slots__ = ("_admitted", "_breaker", "_outcome")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker
        self._admitted: tuple[int, float] | None = None
        self._outcome = Outcome.GOOD

    def begin(self) -> Attempt:
        """Has the call admitted; entering does nothing more then. Raises CircuitOpen."""
        if self._admitted is None:
            self._admitted = self._breaker.admit()
        return self

    def result(self, value: T) -> T:
        """Has `failed_result` look at what the call returned; returns it."""
        self._outcome = self._breaker.outcome_of_result(value)
        return value

    def postponed(self) -> Attempt:
        """Returns an attempt that goes on where this one is left, which then ends nothing."""
        later = Attempt(self._breaker)
        later._admitted, self._admitted = self._admitted, None
        return later

    def failed(self) -> None:
        """The call has failed, though nothing is raised."""
        self._outcome = Outcome.FAILED

    def __enter__(self) -> Attempt:
        return self.begin()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: object) -> None:
        admitted, self._admitted = self._admitted, None
        if admitted is not None:
            outcome = self._outcome if error is None else self._breaker.outcome_of(error)
            self._breaker.record(admitted, outcome)

    async def __aenter__(self) -> Attempt:
        return self.begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: object
    ) -> None:
        self.__exit__(kind, error, tb)


async def _finish(attempt: Attempt, awaited: Awaitable[T]) -> T:
    with attempt:
        return attempt.result(await awaited)
