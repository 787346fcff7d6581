"""A rate limit whose buckets stand in Redis, so that all processes and machines share them.

One round trip a decision: a script reads, decides and writes at once, by the clock of the Redis server, so that clocks
of machines need not agree. Each key expires when its bucket is full.

Redis is a help and not a need. Where it does not answer within `timeout` seconds, the buckets of this process decide,
as they would without it, and Redis is left alone for `pause` seconds; then one request asks it again. The log says so
once a minute, the inventory at once (events `degraded` and `restored`).

Needs the package redis (the extra `redis`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from eyewall.base.loggers import gen_log
from eyewall.guard.deadlines import deadline
from eyewall.guard.errors import DeadlineExceeded
from eyewall.guard.inventory import Value
from eyewall.guard.limits.ratelimit import KEYS, Decision, RateLimit, client_network
from eyewall.guard.throttle import LogThrottle

#: The same decision as `Buckets.decide`, in Redis. Numbers come back as text: Redis would cut off their fractions.
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local after = full_at + cost / rate
local late = after - now - burst / rate
if late > 0.000001 then
  return {0, string.format('%.6f', full_at - now), string.format('%.6f', late)}
end
redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', math.ceil((after - now) * 1000) + 1)
return {1, string.format('%.6f', after - now), '0'}
"""

_throttle = LogThrottle(gen_log)


class SharedRateLimit(RateLimit):
    """A `RateLimit` for all processes that use the same Redis, `name` and `prefix`.

    `redis`: a client of `redis.asyncio`, or the URL of a server. `timeout`: seconds that Redis may take, less
    where the work at hand has less left. `pause`: seconds for which it is left alone after it has failed.
    `rate`, `burst`, `key`, `keys` and `options` are those of `RateLimit`. Decisions have to be awaited:
    `acquire` instead of `take`.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        redis: Any,
        *,
        prefix: str = "eyewall:rate:",
        timeout: float = 0.25,
        pause: float = 1.0,
        key: Callable[[Any], Hashable] = client_network,
        keys: int = KEYS,
        **options: Any,
    ) -> None:
        super().__init__(rate, burst, key=key, keys=keys, **options)
        self._own = isinstance(redis, str)
        if self._own:
            # An extra, and a heavy one.
            from redis.asyncio import Redis

            redis = Redis.from_url(redis)
        self.redis = redis
        self.timeout = timeout
        self.pause = pause
        #: Whether the buckets of this process decide at the moment.
        self.degraded = False
        #: How many decisions were made here because Redis was not there.
        self.local = 0
        self._prefix = f"{prefix}{self.name}:"
        self._script = self.redis.register_script(_SCRIPT)
        self._ask_again = 0.0
        #: Since when Redis has answered nobody, while all who asked had less time than it may take; None otherwise.
        self._silent_since: float | None = None

    async def acquire(self, key: Hashable, cost: float = 1.0) -> Decision:
        """Takes `cost` tokens from the bucket of `key`, if there are enough; says which.

        Raises DeadlineExceeded where the work at hand has run out of time before Redis had `timeout` seconds.
        """
        decision = await self._ask(key, cost)
        if decision is None:
            self.local += 1
            decision = self.buckets.take(key, self.clock(), cost)
        self._count(decision, key)
        return decision

    async def take_for(self, request: Any) -> Decision | None:
        """Takes what `request` costs from whom it counts for. None where it is not limited."""
        key = self.key(request)
        return None if key is None else await self.acquire(key, self.cost_of(request))

    async def close(self) -> None:
        """Closes the connections to Redis, where the client was made here."""
        if self._own:
            await self.redis.aclose()

    async def _ask(self, key: Hashable, cost: float) -> Decision | None:
        """Returns what Redis says, None where it says nothing."""
        now = self.clock()
        if self.degraded and now < self._ask_again:
            return None
        # Whoever comes while this one asks does not wait for the same.
        self._ask_again = now + self.pause
        remaining = deadline.remaining()
        patience = self.timeout if remaining is None else min(self.timeout, remaining)
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(patience) as waiting:
                allowed, reset, late = await self._script(
                    keys=[self._prefix + _text(key)],
                    args=[repr(self.buckets.rate), repr(self.buckets.burst), repr(float(cost))],
                )
        except (RedisError, OSError, TimeoutError) as error:
            over = deadline.current()
            if over is not None and patience < self.timeout and waiting.expired():
                # Redis had less time than it may take, which says nothing of it; unless nobody ever gets an answer.
                if self._silent_since is None:
                    self._silent_since = now
                elif self.clock() - self._silent_since >= self.timeout:
                    self._failed(error)
                raise DeadlineExceeded(over.whose, f"the rate limit {self.name} in Redis") from error
            self._failed(error)
            return None
        self._silent_since = None
        if self.degraded:
            self.degraded = False
            gen_log.info("The rate limit %s is shared through Redis again", self.name)
            self.tell("restored")
        left = float(reset)
        return Decision(bool(allowed), self.buckets._tokens(left), float(late), left)

    def _failed(self, error: Exception) -> None:
        _throttle.warning(
            "Redis does not answer for the rate limit %s, and this process decides for itself: %s",
            self.name,
            str(error) or type(error).__name__,
            key=self.name,
        )
        if not self.degraded:
            self.degraded = True
            self.tell("degraded", error=repr(error))

    def state(self) -> Mapping[str, Value]:
        """Returns the limit, how many keys are known here, and whether Redis is missed."""
        return {**super().state(), "degraded": self.degraded}

    def counters(self) -> Mapping[str, int]:
        """Returns what was allowed and refused, also by this process alone."""
        return {**super().counters(), "local": self.local}


def _text(key: Hashable) -> str:
    """Returns a key as part of a name in Redis."""
    return key.hex() if isinstance(key, bytes) else str(key)
