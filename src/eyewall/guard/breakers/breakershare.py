"""Breakers whose state several processes share, through Redis.

    async with SharedBreakers("redis://localhost/0") as shared:
        shared.share(CircuitBreaker("payments"))

What a breaker decides, it decides here, by the calls of this process; nothing waits for Redis. What is shared are the
changes: one hash, `<namespace>`, has a field for each breaker whose state has changed, and every process looks at it
every `interval`. One process opens, and within that time all are open; the first whose trials are good closes them all.

A field is JSON: the state, until when it holds (in milliseconds of Redis's clock, so that those of the machines do not
matter), openings in a row, why, and an id. A process takes over a field whose id it has neither written nor seen. The
last to write wins; the others take that over.

Where Redis does not answer, every process goes on alone, says so once a minute, and writes what has changed meanwhile
as soon as Redis is there again. A Redis that has lost its memory is told by those whose breakers are open.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

from eyewall.base.loggers import app_log
from eyewall.guard.breakers.breaker import CircuitBreaker
from eyewall.guard.breakers.breakerengine import BreakerState
from eyewall.guard.inventory import Item, Value
from eyewall.guard.throttle import LogThrottle
from eyewall.guard.verdict import Verdict

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: Seconds after which the field of a circuit that has closed, or whose time is long over, says nothing any more.
STALE = 60.0


#: Milliseconds that a state lasts which only people end.
_FOR_EVER = 10**12
#: Seconds by which two processes may differ about the end of the same opening.
_SAME = 1.0
_FORCED = (BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED)


class _Field(NamedTuple):
    """What Redis knows of a breaker. `until` is in milliseconds of its clock."""

    state: BreakerState
    until: int
    openings: int
    reason: str
    id: str

    def text(self) -> str:
        return json.dumps({**self._asdict(), "state": self.state.value})


def _read(text: str | bytes) -> _Field | None:
    """Returns what a field says, None for one that is not ours."""
    try:
        told = json.loads(text)
        return _Field(
            BreakerState(told["state"]),
            int(told["until"]),
            int(told["openings"]),
            str(told["reason"]),
            str(told["id"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


class SharedBreakers(Item):
    """Tells the breakers of other processes, through Redis, when one of this process opens or closes.

    `redis` is a client of redis-py (`redis.asyncio`), which stays the caller's, or a URL.

    `namespace`: the name of its key in Redis; only breakers with the same one are shared. `interval`: seconds
    between two looks; `timeout`: how long Redis may take to answer. `log`: what limits its lines in the log, by
    default to one a minute. To be entered, or started and closed, in the loop whose breakers it shares. Raises
    ImportError for a URL without the extra `redis`.
    """

    kind = "shared breakers"

    def __init__(
        self,
        redis: Redis | str,
        *,
        namespace: str = "eyewall:breakers",
        interval: float = 0.5,
        timeout: float = 1.0,
        log: LogThrottle | None = None,
    ) -> None:
        if isinstance(redis, str):
            from redis.asyncio import Redis as Client

            self._redis: Any = Client.from_url(redis)
            self._own = True
        else:
            self._redis = redis
            self._own = False
        self.namespace = namespace
        self.interval = interval
        self.timeout = timeout
        self._log = log or LogThrottle(app_log)
        self._breakers: WeakSet[CircuitBreaker] = WeakSet()
        #: Of each breaker, the id of what it has written or taken over last; and those with something to write.
        self._ids: WeakKeyDictionary[CircuitBreaker, str] = WeakKeyDictionary()
        self._unwritten: set[CircuitBreaker] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._reachable = True
        self._counts = dict.fromkeys(("looks", "failures", "written", "taken_over"), 0)
        super().__init__(namespace)

    # -- for programs -----------------------------------------------------------------------------------

    def share(self, breaker: CircuitBreaker) -> CircuitBreaker:
        """Shares a breaker with those of its name, here and in other processes; returns it. Held weakly."""
        self._breakers.add(breaker)
        breaker.on_own_change = self._changed
        return breaker

    def start(self) -> None:
        """Begins to share. Does nothing where that has begun."""
        if self._task is None:
            self._loop = asyncio.get_running_loop()
            self._task = self._loop.create_task(self._run(), name=f"shared breakers {self.namespace}")

    async def close(self) -> None:
        """Ends sharing; breakers go on alone."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        for breaker in self._breakers:
            breaker.on_own_change = None
        self._breakers.clear()
        if self._own:
            await self._redis.aclose()

    async def __aenter__(self) -> SharedBreakers:
        self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    # -- looking ----------------------------------------------------------------------------------------

    def _changed(self, breaker: CircuitBreaker) -> None:
        """A breaker has changed by itself. In whatever thread."""
        loop = self._loop
        if breaker.current is BreakerState.HALF_OPEN:
            # Each process makes its own trials.
            return
        if loop is None:
            self._unwritten.add(breaker)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._note, breaker)

    def _note(self, breaker: CircuitBreaker) -> None:
        self._unwritten.add(breaker)
        self._news.set()

    async def _run(self) -> None:
        # Not for ever: a client may swallow the cancellation that ends this.
        while self._task is not None:
            try:
                async with asyncio.timeout(self.timeout):
                    await self.look()
                if not self._reachable:
                    self._reachable = True
                    app_log.info("Breakers %r are shared again", self.namespace)
                    self.tell("shared")
            except Exception as error:  # noqa: BLE001 - whatever Redis has, the breakers go on
                self._counts["failures"] += 1
                self._log.warning(
                    "Breakers %r are not shared, each process goes on alone: %r", self.namespace, error
                )
                if self._reachable:
                    self._reachable = False
                    self.tell("alone", error=error)
                # Not at once, whatever there is to write.
                await asyncio.sleep(self.interval)
                continue
            try:
                async with asyncio.timeout(self.interval):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Writes what has changed here, and takes over what has changed elsewhere. Raises what Redis does."""
        self._counts["looks"] += 1
        self._news.clear()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hgetall(self.namespace)
            (seconds, micros), raw = await pipe.execute()
        now = int(seconds) * 1000 + int(micros) // 1000
        fields = {_text(name): _read(value) for name, value in raw.items()}
        stale = {name for name, field in fields.items() if field is None or field.until + STALE * 1000 < now}
        changes: dict[CircuitBreaker, _Field] = {}
        for breaker in list(self._breakers):
            name, field = breaker.name, fields.get(breaker.name)
            if field is not None and name not in stale and breaker not in self._unwritten:
                if field.id != self._ids.get(breaker):
                    self._ids[breaker] = field.id
                    self._take_over(breaker, field, now)
            elif breaker.current is not BreakerState.HALF_OPEN and (
                breaker in self._unwritten or breaker.left > 0.0 or breaker.current in _FORCED
            ):
                # Changed, or forgotten by Redis.
                changes[breaker] = self._field(breaker, now)
        writing, self._unwritten = self._unwritten, set()
        try:
            await self._write(changes, stale - {breaker.name for breaker in changes})
        except BaseException:
            self._unwritten |= writing
            raise

    async def _write(self, changes: Mapping[CircuitBreaker, _Field], stale: set[str]) -> None:
        if not changes and not stale:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            if changes:
                pipe.hset(
                    self.namespace, mapping={each.name: field.text() for each, field in changes.items()}
                )
            if stale:
                pipe.hdel(self.namespace, *stale)
            await pipe.execute()
        self._counts["written"] += len(changes)
        self._ids.update({breaker: field.id for breaker, field in changes.items()})

    def _take_over(self, breaker: CircuitBreaker, field: _Field, now: int) -> None:
        left = max(0.0, (field.until - now) / 1000)
        if field.state is BreakerState.OPEN:
            # What is over already, this process need not have part in.
            if left == 0.0 or (breaker.current is BreakerState.OPEN and abs(left - breaker.left) < _SAME):
                return
        elif field.state is breaker.current:
            return
        self._counts["taken_over"] += 1
        breaker.follow(field.state, left, field.openings, f"{field.reason}, in another process")

    def _field(self, breaker: CircuitBreaker, now: int) -> _Field:
        forced = breaker.current in _FORCED
        until = now + (_FOR_EVER if forced else math.ceil(breaker.left * 1000))
        return _Field(breaker.current, until, breaker.openings, breaker.reason, secrets.token_hex(8))

    # -- what is watched --------------------------------------------------------------------------------

    def state(self) -> Mapping[str, Value]:
        """See `Item.state`."""
        return {
            "shared": len(self._breakers),
            "reachable": self._reachable,
            "unwritten": len(self._unwritten),
            "running": self._task is not None,
        }

    def health(self) -> Verdict | None:
        """See `Item.health`: a warning while Redis does not answer."""
        if self._task is None:
            return None
        return Verdict.passing() if self._reachable else Verdict.warning("alone: Redis does not answer")

    def counters(self) -> Mapping[str, int]:
        """See `Item.counters`."""
        return dict(self._counts)


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
