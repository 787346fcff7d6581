"""How often a client may ask: token buckets, one for each key, of which a bounded number is kept.

A bucket holds `burst` tokens at most and gains `rate` a second; a request takes one, or as many as it costs, or is
refused. It is kept as one number: the moment at which it will be full again. A request moves that moment by what its
tokens take to come back, and is refused where it would be further away than an empty bucket's. A bucket whose moment
has passed is full, as is one that nobody knows; so forgetting a key can only be to its advantage. When there are too
many keys, the one that was asked for least recently goes: who is at it all the time is not forgotten.

`Buckets` is the engine, without a clock. `RateLimit` has one, and is what a program makes; `rateshared` has one whose
buckets stand in Redis.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, ClassVar, NamedTuple

from eyewall.base import probe
from eyewall.guard.errors import RateLimited
from eyewall.guard.inventory import Item, Value
from eyewall.guard.limits.admission import network_of

#: Keys that are told apart at once.
KEYS = 100_000
#: What is lost in rounding, in seconds, is to nobody's disadvantage.
_ROUNDING = 1e-9
#: What can stand in a string of a structured field without being escaped (RFC 9651 section 3.3.3).
_NAME = re.compile(r"[ !#-\[\]-~]+")


class Decision(NamedTuple):
    """What a bucket said. `remaining`: whole tokens that are left; `retry_after`: seconds until there are enough for
    what was refused, 0 where it was not; `reset`: seconds until the bucket is full."""

    allowed: bool
    remaining: int
    retry_after: float
    reset: float


class Buckets:
    """Token buckets by key; see the head of this file.

    `rate`: tokens a second. `burst`: tokens that a full bucket has. `keys`: buckets that are kept. Raises ValueError
    where one of them is not positive.
    """

    def __init__(self, rate: float, burst: float, keys: int = KEYS) -> None:
        if not (0.0 < rate < math.inf) or not (0.0 < burst < math.inf) or keys < 1:
            raise ValueError(
                f"a rate limit needs rate > 0, burst > 0 and keys >= 1: {rate!r}, {burst!r}, {keys!r}"
            )
        self.rate = rate
        self.burst = burst
        self.keys = keys
        #: How many keys were forgotten to make room for others, though their buckets were not full.
        self.forgotten = 0
        #: When the bucket of a key is full again; the key that was asked for least recently comes first.
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, now: float, cost: float = 1.0) -> Decision:
        """Takes `cost` tokens from the bucket of `key`, all of them or none."""
        known = self._full_at.get(key)
        decision, full_at = self.decide(now if known is None else max(known, now), now, cost)
        self._full_at[key] = full_at
        if known is not None:
            self._full_at.move_to_end(key)
        elif len(self._full_at) > self.keys:
            _, lost = self._full_at.popitem(last=False)
            if lost > now:
                self.forgotten += 1
        return decision

    def decide(self, full_at: float, now: float, cost: float) -> tuple[Decision, float]:
        """Returns what a bucket says that is full again at `full_at`, not before `now`; and when it is then."""
        longest = self.burst / self.rate
        after = full_at + cost / self.rate
        late = after - now - longest
        if late > _ROUNDING:
            return Decision(False, self._tokens(full_at - now), late, full_at - now), full_at
        return Decision(True, self._tokens(after - now), 0.0, after - now), after

    def _tokens(self, missing: float) -> int:
        return max(0, math.floor(self.burst - missing * self.rate + _ROUNDING))


def client_network(request: Any) -> Hashable:
    """Returns the key of a request's client: its IPv4 address or IPv6 network (see `admission.network_of`), as the
    proxy states it where the server believes one. None for a client without an address, to whom nothing is refused."""
    ip = request.remote_ip
    return network_of(ip) if ip else None


class RateLimit(Item):
    """At most `rate` requests in `per` seconds for each key, on average, and `burst` at once.

    `key(request)` says whom a request counts for: by default its client's address; None for nobody, so that it is not
    limited. `cost`: tokens that a request takes, or a function of the request that says how many. `name` is what the
    log, the inventory and the client call it. `keys`: how many are told apart; the one that was heard of least recently
    is forgotten. `clock` returns seconds and never goes back. Raises ValueError for numbers that are not positive, and
    for a name that is not printable ASCII without quotes.

    For an application (setting `rate_limit`), a route (`url(...).limited(rate=...)`), the handlers of a class
    (attribute `rate_limit`) or a verb (`@rate_limited(...)`); `take` and `check` are for everything else.
    """

    kind: ClassVar[str] = "rate limit"

    def __init__(
        self,
        rate: float,
        burst: float,
        *,
        per: float = 1.0,
        key: Callable[[Any], Hashable] = client_network,
        cost: float | Callable[[Any], float] = 1.0,
        name: str = "default",
        keys: int = KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not per > 0.0:
            raise ValueError(f"a rate limit needs per > 0, not {per!r}")
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"the name of a rate limit is printable ASCII without quotes, not {name!r}")
        self.buckets = Buckets(rate / per, burst, keys)
        super().__init__(name)
        self.key = key
        self.cost = cost
        self.clock = clock
        self.allowed = 0
        self.refused = 0
        window = max(1, math.ceil(burst / self.buckets.rate))
        #: What RateLimit-Policy says: so many in so many seconds.
        self.policy = f'"{name}";q={math.floor(burst)};w={window}'

    # -- for everything ---------------------------------------------------------------------------------

    def take(self, key: Hashable, cost: float = 1.0) -> Decision:
        """Takes tokens from the bucket of `key` in this process, if there are enough; says which."""
        decision = self.buckets.take(key, self.clock(), cost)
        self._count(decision, key)
        return decision

    def check(self, key: Hashable, cost: float = 1.0) -> Decision:
        """As `take`, but raises RateLimited where there are not enough."""
        return self.judge(self.take(key, cost))

    def judge(self, decision: Decision) -> Decision:
        """Returns `decision`, or raises RateLimited for one that refuses."""
        if not decision.allowed:
            raise RateLimited(
                self.name, retry_after=decision.retry_after, response_fields=self.fields(decision)
            )
        return decision

    def _count(self, decision: Decision, key: Hashable) -> None:
        if decision.allowed:
            self.allowed += 1
            return
        self.refused += 1
        fire = probe.limit_reached.fire
        if fire is not None:
            fire(self.name, key)

    # -- for requests -----------------------------------------------------------------------------------

    def take_for(self, request: Any) -> Decision | Awaitable[Decision | None] | None:
        """Takes what `request` costs from whom it counts for. None where it is not limited."""
        key = self.key(request)
        return None if key is None else self.take(key, self.cost_of(request))

    def cost_of(self, request: Any) -> float:
        """Returns how many tokens `request` takes."""
        return self.cost(request) if callable(self.cost) else self.cost

    def fields(self, decision: Decision) -> dict[str, str]:
        """Returns what a response says of the limit after `decision`: RateLimit-Policy and RateLimit
        (draft-ietf-httpapi-ratelimit-headers-10).
        """
        return {
            "RateLimit-Policy": self.policy,
            "RateLimit": f'"{self.name}";r={decision.remaining};t={math.ceil(decision.reset)}',
        }

    # -- for others to see ------------------------------------------------------------------------------

    def state(self) -> Mapping[str, Value]:
        """Returns the limit, and how many keys are known."""
        return {
            "rate": self.buckets.rate,
            "burst": self.buckets.burst,
            "keys": len(self.buckets),
            "most_keys": self.buckets.keys,
        }

    def counters(self) -> Mapping[str, int]:
        """Returns what was allowed and refused, and how many keys were forgotten too early."""
        return {"allowed": self.allowed, "refused": self.refused, "forgotten": self.buckets.forgotten}
