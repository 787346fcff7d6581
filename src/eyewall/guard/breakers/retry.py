"""Trying again: what may be repeated, after a pause, and within a budget.

    retry = Retry("search", attempts=3, budget=RetryBudget(share=0.1))

    answer = await retry.run(search, words, idempotent=True)

A retry helps against what happens now and then. Where everything fails, retries multiply the load of what is
overloaded already; the budget keeps that from happening: it earns a share of a token with each call, and each
repetition costs one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import ParamSpec, TypeVar

from eyewall.guard.backoff import Backoff
from eyewall.guard.deadlines.deadline import remaining
from eyewall.guard.errors import Overloaded
from eyewall.guard.inventory import Item, Value

P = ParamSpec("P")
T = TypeVar("T")


class RetryBudget:
    """A bucket of tokens for repetitions, which many callers may share.

    Each call earns `share` of a token and each second `each_second`; it holds `most`, and begins full. A repetition
    costs a whole one. `clock` returns seconds and never goes back. Raises ValueError for what is below 0.
    """

    __slots__ = ("_clock", "_filled", "_tokens", "each_second", "most", "share")

    def __init__(
        self,
        share: float = 0.1,
        *,
        each_second: float = 0.5,
        most: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if share < 0.0 or each_second < 0.0 or most < 0.0:
            raise ValueError(f"a budget is not below 0: {share!r}, {each_second!r}, {most!r}")
        self.share = share
        self.each_second = each_second
        self.most = most
        self._clock = clock
        self._tokens = most
        self._filled = clock()

    @property
    def tokens(self) -> float:
        """What there is now."""
        now = self._clock()
        self._tokens = min(self.most, self._tokens + (now - self._filled) * self.each_second)
        self._filled = now
        return self._tokens

    def earn(self) -> None:
        """A call is made that is no repetition."""
        self._tokens = min(self.most, self.tokens + self.share)

    def spend(self) -> bool:
        """Takes a token for a repetition, or tells that there is none."""
        if self.tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Retry(Item):
    """Calls again what has failed, after a pause, within a budget.

    It repeats nothing but what is said to be idempotent, when it is called. `name` is what the log calls it.

    `attempts`: calls altogether. `backoff`: the pauses; by default up to 0.1 s, 0.2 s, … by chance ("full jitter").
    `on`: exceptions after which it tries again, unless they are of `not_on`; and what the guard refuses (`Overloaded`)
    is not asked again, since the refusal was meant. `on_result` says whether a result is to be repeated; the last one
    is returned. An error, or a result, with a `retry_after` (seconds) is given that time. Where the deadline at hand
    leaves no time for the pause, or somebody asks for more than `longest_pause` seconds, the error is raised at once.
    """

    kind = "retry"

    def __init__(
        self,
        name: str,
        *,
        attempts: int = 3,
        backoff: Backoff | None = None,
        budget: RetryBudget | None = None,
        on: tuple[type[Exception], ...] = (OSError, TimeoutError),
        not_on: tuple[type[Exception], ...] = (),
        on_result: Callable[[object], bool] | None = None,
        retry_after: Callable[[object], float | None] | None = None,
        longest_pause: float = 60.0,
    ) -> None:
        """`retry_after`: returns what an error or result says of it; by default its attribute. `budget`: None for one
        of its own. Raises ValueError for `attempts` below 1.
        """
        if attempts < 1:
            raise ValueError(f"a call is made at least once, not {attempts!r} times")
        self.attempts = attempts
        self.backoff = backoff or Backoff()
        self.budget = budget or RetryBudget()
        self._on = on
        self._not_on: tuple[type[Exception], ...] = (Overloaded, *not_on)
        self._on_result = on_result
        self._retry_after = retry_after or _attribute
        self.longest_pause = longest_pause
        self._counts = dict.fromkeys(("calls", "repeated", "exhausted", "no_budget", "no_time"), 0)
        super().__init__(name)

    async def run(
        self,
        function: Callable[P, Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Awaits `function(*args, **kwargs)`, which is idempotent, until it succeeds or nothing is left to try."""
        return await self.call(lambda: function(*args, **kwargs), idempotent=True)

    async def call(self, function: Callable[[], Awaitable[T]], *, idempotent: bool) -> T:
        """Awaits `function()`, once where it is not `idempotent`: where calling it twice could do something twice."""
        self._counts["calls"] += 1
        self.budget.earn()
        attempt = 1
        while True:
            error: Exception | None = None
            try:
                result = await function()
            except Exception as raised:  # noqa: BLE001 - what it is is looked at, and it is raised again
                error = raised
                again = isinstance(raised, self._on) and not isinstance(raised, self._not_on)
            else:
                again = self._on_result is not None and self._on_result(result)
            pause = (
                self._pause(attempt, error if error is not None else result) if again and idempotent else None
            )
            if pause is None:
                if error is not None:
                    raise error
                return result
            self._counts["repeated"] += 1
            # Kept alive, it would keep the frames of the attempt alive.
            del error
            await asyncio.sleep(pause)
            attempt += 1

    def _pause(self, attempt: int, ended: object) -> float | None:
        """Returns the seconds before the next attempt, or None where there is to be none."""
        if attempt >= self.attempts:
            self._counts["exhausted"] += 1
            return None
        pause = max(self.backoff.delay(attempt), self._retry_after(ended) or 0.0)
        left = remaining()
        if pause > self.longest_pause or (left is not None and pause >= left):
            self._counts["no_time"] += 1
            return None
        if not self.budget.spend():
            self._counts["no_budget"] += 1
            self.tell("no_budget")
            return None
        return pause

    def state(self) -> Mapping[str, Value]:
        """See `Item.state`."""
        return {"attempts": self.attempts, "tokens": self.budget.tokens, "most_tokens": self.budget.most}

    def counters(self) -> Mapping[str, int]:
        """See `Item.counters`. The last three say why something was not repeated (again)."""
        return dict(self._counts)


def _attribute(ended: object) -> float | None:
    seconds = getattr(ended, "retry_after", None)
    return float(seconds) if isinstance(seconds, int | float) else None
