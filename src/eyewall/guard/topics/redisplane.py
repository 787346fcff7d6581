"""The way to other processes through Redis: one stream for all topics of a hub.

Why a stream and not Pub/Sub: a stream gives every entry an id that ascends, which is what clients come back with; it
keeps the last ones, so that a connection lost for a moment loses no message, and a new process knows what was said
before; and whoever reads can tell whether something is missing. Pub/Sub does none of that. One stream, and not one for
each topic: it is read by one blocking call on one connection, whatever the number of topics, and its order holds for
all of them. The price is that each process reads what is published to any topic of the hub; hubs with streams of their
own share nothing.

A session is two connections: one blocks in XREAD, the other sends what the outbox has, as pipelines of XADD. When
either fails, or nothing comes back for `timeout`, both end, `Cluster.down` has everything stay here, and another
session is tried, after a delay that doubles. It begins with the question whether the entry that was read last is still
there; if not, entries may have been lost.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

try:
    from redis.asyncio import Redis
    from redis.asyncio.connection import parse_url
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError, ResponseError
except ImportError as error:  # pragma: no cover - the extra is part of the tests
    raise ImportError("topics between processes need redis-py: pip install 'eyewall[redis]'") from error

from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.backoff import Backoff
from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.histogram import Histogram
from eyewall.guard.inventory import Item, Value
from eyewall.guard.lifecycle.drain import MESSAGES, process_drain
from eyewall.guard.profile import MIB
from eyewall.guard.throttle import LogThrottle
from eyewall.guard.topics import wire
from eyewall.guard.topics.backplane import Receiver
from eyewall.guard.topics.cluster import Cluster
from eyewall.guard.topics.messages import Message, MessageId, Published
from eyewall.guard.topics.presence import Member
from eyewall.guard.topics.wire import Entry

#: Entries that are sent, and read, at once.
_BATCH = 256
_READ = 64
#: Seconds after which delivering gives others their turn.
_TURN = 0.005
#: Seconds after which what does not end is cancelled again.
_AGAIN = 0.1
#: Lines of the log, of one kind, are so many seconds apart.
_LOG_INTERVAL = 60.0

Fields = Mapping[bytes, bytes]


class RedisBackplane(Item):
    """Connects a hub to those of other processes, through a Redis stream.

    `redis` is a URL, or a client (`redis.asyncio.Redis`, without `decode_responses`), which stays the caller's.
    `stream` is the key; processes with the same one are together. `kept` is about how many entries the stream keeps,
    `history` how many of them a process reads when it begins, for those who come back to it.

    A process says that it is alive every `heartbeat` seconds; after three times as long without a word its members have
    left. `timeout` is how long Redis may take for anything, in seconds, before it counts as out of reach; then it is
    tried again after `first_delay` seconds, twice as long each time, at most `most_delay`, all shortened by chance.
    `queue` messages, or `queue_bytes`, may be on their way to Redis; more stay in this process, as all do in an
    outage.

    Raises ValueError for a URL or settings that make no sense.
    """

    kind = "backplane"
    #: When it drains.
    phase = MESSAGES

    def __init__(
        self,
        redis: str | Redis,
        *,
        stream: str = "eyewall:topics",
        kept: int = 10_000,
        history: int = 1000,
        heartbeat: float = 5.0,
        timeout: float = 5.0,
        first_delay: float = 0.1,
        most_delay: float = 5.0,
        queue: int = 10_000,
        queue_bytes: int = 16 * MIB,
    ) -> None:
        if kept < 1 or history < 0 or heartbeat <= 0 or timeout <= 0 or queue < 1 or queue_bytes < 1:
            raise ValueError(
                "a backplane needs kept, queue >= 1, history >= 0, and heartbeat and timeout > 0"
            )
        if isinstance(redis, str):
            parse_url(redis)
        elif redis.connection_pool.connection_kwargs.get("decode_responses"):
            raise ValueError(
                "a backplane needs a client that does not decode responses: messages may be bytes"
            )
        self._redis = redis
        self._stream = stream
        self._kept = kept
        self._history = history
        self._heartbeat = heartbeat
        self._timeout = timeout
        self._queue = queue
        self._queue_bytes = queue_bytes
        # By chance, so that processes that lost the same server do not come back at the same moment.
        self._backoff = Backoff(first_delay, most=most_delay, jitter=0.5)
        self._failed = 0
        self._receiver: Receiver | None = None
        self._cluster: Cluster | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._decided = asyncio.Event()
        self._status = "new"
        self._closing = False
        self._error = ""
        # The id of the last entry that was read; None before the first session.
        self._cursor: bytes | None = None
        self._heard = 0.0
        self._down_since = 0.0
        self._counts = dict.fromkeys(
            ("published", "undelivered", "refused", "strange", "outages", "attempts"), 0
        )
        self._lag = Histogram()
        self._outage_log = LogThrottle(gen_log, interval=_LOG_INTERVAL)
        self._return_log = LogThrottle(gen_log, interval=_LOG_INTERVAL)
        self._strange_log = LogThrottle(gen_log, interval=_LOG_INTERVAL)
        super().__init__(stream)

    # -- what a hub uses --------------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether it has begun, and not ended."""
        return self._task is not None and not self._task.done()

    @property
    def status(self) -> str:
        """`new`, `connecting`, `up`, `down`, `closed`."""
        return self._status

    @property
    def origin(self) -> str:
        """What this process is called in the stream; empty before it begins."""
        return "" if self._cluster is None else self._cluster.origin

    def attach(self, receiver: Receiver) -> None:
        """Has everything go to `receiver`. Raises RuntimeError when it has another one: a hub has its own."""
        if self._receiver is not None:
            raise RuntimeError("a backplane belongs to one hub")
        self._receiver = receiver

    def begin(self) -> None:
        """Begins to connect, on the running loop; does nothing where it has."""
        if self._task is None:
            # Not before: a hub may be made before a fork.
            self._made_cluster()
            process_drain.join(self)
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"topics {self._stream}")

    async def start(self) -> None:
        """Begins, and waits until the first attempt to connect has succeeded or failed."""
        self.begin()
        await self._decided.wait()

    async def close(self) -> None:
        """Ends: waits until what was published is on its way and says goodbye, for `timeout` seconds at most."""
        task = self._task
        if task is None:
            self._status = "closed"
            return
        self._closing = True
        if self._status == "up":
            self._made_cluster().bye()
            self._wake.set()
        else:
            task.cancel()
        await asyncio.wait([task])

    async def drain(self, deadline: Deadline) -> Sequence[str] | None:
        """As `close`, until `deadline`. Returns what is left then, as `pending` does."""
        try:
            async with asyncio.timeout(deadline.remaining()):
                await self.close()
        except TimeoutError:
            left = self.pending()
            if self._task is not None:
                await _end([self._task])
            return left
        return None

    def pending(self) -> list[str]:
        """Returns what a drain waits for."""
        count = 0 if self._cluster is None else self._cluster.pending
        return [f"messages: {count} on their way through {self._stream}"] if count else []

    def publish(self, message: Message) -> asyncio.Future[Published]:
        """Sends a message to all processes. The future is done when it has come back and is delivered here, or when
        that is given up."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Published] = loop.create_future()
        now = loop.time()
        self._counts["published"] += 1
        self._made_cluster().publish(message, now, partial(self._settle, future, now, loop.time))
        self._wake.set()
        return future

    def arrived(self, topic: str, member: Member) -> None:
        """A member of this process is in `topic`, or tells something else about itself."""
        self._made_cluster().arrived(topic, member)
        self._wake.set()

    def departed(self, topic: str, id: str) -> None:
        """The member `id` of this process is not in `topic` any more."""
        self._made_cluster().departed(topic, id)
        self._wake.set()

    def _settle(
        self, future: asyncio.Future[Published], since: float, clock: Callable[[], float], result: Published
    ) -> None:
        if result.delivered:
            self._lag.observe(clock() - since)
        else:
            self._counts["undelivered"] += 1
        if not future.done():
            future.set_result(result)
        if self._closing:
            self._wake.set()

    def _made_cluster(self) -> Cluster:
        if self._cluster is None:
            assert self._receiver is not None, "a backplane needs a hub"
            self._cluster = Cluster(
                self._receiver,
                secrets.token_hex(6),
                expiry=3 * self._heartbeat,
                queue=self._queue,
                queue_bytes=self._queue_bytes,
            )
        return self._cluster

    # -- sessions ---------------------------------------------------------------------------------------

    async def _run(self) -> None:
        cluster = self._made_cluster()
        self._status = "connecting"
        self._down_since = asyncio.get_running_loop().time()
        try:
            while True:
                self._counts["attempts"] += 1
                try:
                    await self._session(cluster)
                    return
                except (RedisError, OSError, TimeoutError) as error:
                    self._went_down(cluster, error)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again and takes nobody along
                    if self._status != "down":
                        app_log.error("The backplane %s failed", self._stream, exc_info=True)
                    self._went_down(cluster, error)
                if self._closing:
                    return
                self._failed += 1
                await asyncio.sleep(self._backoff.delay(self._failed))
        finally:
            self._status = "closed"
            self._decided.set()
            cluster.down("the backplane is closed")

    def _went_down(self, cluster: Cluster, error: Exception) -> None:
        self._error = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if self._status != "down":
            self._status = "down"
            self._counts["outages"] += 1
            self._down_since = asyncio.get_running_loop().time()
            self.tell("down", error=self._error)
        self._outage_log.warning(
            "Redis cannot be reached: the topics of %s stay within this process (%s)",
            self._stream,
            self._error,
        )
        cluster.down(f"Redis cannot be reached ({self._error})")
        self._decided.set()

    def _came_up(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._status == "down":
            seconds = now - self._down_since
            self._return_log.info(
                "Redis is back after %.1f s: the topics of %s are shared again", seconds, self._stream
            )
        self._status = "up"
        self._error = ""
        self._heard = now
        self.tell("up")
        self._decided.set()

    async def _session(self, cluster: Cluster) -> None:
        """Returns when this process has said goodbye; otherwise raises."""
        if isinstance(self._redis, str):
            client = Redis.from_url(
                self._redis,
                socket_timeout=self._timeout,
                socket_connect_timeout=self._timeout,
                # What is tried again, and when, is decided here.
                retry=Retry(NoBackoff(), 0),
            )
            try:
                await self._serve(client, cluster)
            finally:
                await client.aclose()
        else:
            await self._serve(self._redis, cluster)

    async def _serve(self, client: Redis, cluster: Cluster) -> None:
        async with asyncio.timeout(self._timeout):
            lost = await self._resume(client, cluster)
        cluster.connected(asyncio.get_running_loop().time(), lost=lost)
        self._came_up()
        self._wake.set()
        work = (self._write(client, cluster), self._read(client, cluster), self._beat(cluster))
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await _end(tasks)

    async def _resume(self, client: Redis, cluster: Cluster) -> bool:
        """Finds the place to read on from; returns whether entries may have been lost before it."""
        assert self._receiver is not None
        if self._cursor is None:
            await self._read_history(client, cluster, self._receiver)
            return False
        if await client.xrange(self._stream, self._cursor, self._cursor, count=1):
            return False
        # The stream is another one, or was trimmed. Should Redis's clock be behind, its ids go on from ours.
        place = _id(self._cursor)
        mark = Entry(wire.MARK, cluster.origin, 0, (), b"")
        try:
            await client.xadd(self._stream, _fields(mark), id=f"{place.ms}-{place.seq + 1}")
        except ResponseError as error:
            # It is ahead of us anyway.
            gen_log.debug("No mark in the stream %s: %s", self._stream, error)
        return True

    async def _read_history(self, client: Redis, cluster: Cluster, receiver: Receiver) -> None:
        seconds, microseconds = await client.time()
        now = seconds * 1000 + microseconds // 1000
        # Without history, from the end on; that takes one entry, too.
        entries = _entries(await client.xrevrange(self._stream, count=max(1, self._history)))
        if not entries:
            self._cursor = b"0-0"
            receiver.begin(cluster.begin(MessageId(now, 0)))
            return
        if not self._history:
            self._cursor = entries[0][0]
            receiver.begin(cluster.begin(_id(self._cursor)))
            return
        entries.reverse()
        receiver.begin(cluster.begin(_id(entries[0][0])))
        for id, fields in entries:
            self._cursor = id
            entry = self._decoded(fields)
            if entry is not None:
                place = _id(id)
                self._guarded(cluster.recall, place, entry, max(0.0, (now - place.ms) / 1000))

    # -- the three tasks of a session -------------------------------------------------------------------

    async def _read(self, client: Redis, cluster: Cluster) -> None:
        loop = asyncio.get_running_loop()
        block = self._block(client)
        began = loop.time()
        while True:
            assert self._cursor is not None
            async with asyncio.timeout(block + self._timeout):
                reply = await client.xread({self._stream: self._cursor}, count=_READ, block=int(block * 1000))
            self._heard = loop.time()
            # Not before: there may be a Redis that takes connections and nothing else.
            self._failed = 0
            for _, entries in reply.items() if isinstance(reply, dict) else reply or []:
                for id, fields in _entries(entries):
                    self._cursor = id
                    entry = self._decoded(fields)
                    if entry is not None:
                        self._guarded(cluster.take, _id(id), entry, loop.time())
                    if loop.time() - began > _TURN:
                        await asyncio.sleep(0)
                        began = loop.time()
            if cluster.waiting:
                self._wake.set()

    async def _write(self, client: Redis, cluster: Cluster) -> None:
        """Returns when the backplane is closing, and all messages have come back."""
        while True:
            async with asyncio.timeout(self._timeout if self._closing else None):
                await self._wake.wait()
            self._wake.clear()
            while entries := cluster.outgoing(_BATCH):
                pipeline = client.pipeline(transaction=False)
                for entry in entries:
                    pipeline.xadd(self._stream, _fields(entry), maxlen=self._kept, approximate=True)
                async with asyncio.timeout(self._timeout):
                    answers: Sequence[object] = await pipeline.execute(raise_on_error=False)
                for entry, answer in zip(entries, answers, strict=True):
                    self._answered(cluster, entry, answer)
            if self._closing and not cluster.pending:
                return

    def _answered(self, cluster: Cluster, entry: Entry, answer: object) -> None:
        if isinstance(answer, ResponseError):
            # Out of memory, read-only: Redis is there, and does not take it.
            self._counts["refused"] += 1
            self._strange_log.warning("Redis refuses entries of %s: %s", self._stream, answer, key="refused")
            cluster.refused(entry, f"Redis refuses it ({answer})")
        elif isinstance(answer, Exception):
            raise answer

    async def _beat(self, cluster: Cluster) -> None:
        """Says that this process is alive, and notices when others, or Redis, are not."""
        loop = asyncio.get_running_loop()
        pause = min(self._heartbeat, self._timeout / 2)
        beaten = loop.time()
        late = False
        while True:
            await asyncio.sleep(pause)
            now = loop.time()
            if now - beaten >= self._heartbeat:
                beaten = now
                cluster.beat()
                self._wake.set()
            cluster.expire(now)
            oldest = cluster.oldest()
            was_late = late
            late = oldest is not None and min(now - oldest, now - self._heard) > self._timeout
            if late and was_late:
                # Twice: the first time it may have been this process that was held up.
                raise TimeoutError(f"nothing came back for {now - self._heard:.1f} s")

    def _block(self, client: Redis) -> float:
        """Returns how long a read may block, in seconds: less than the client waits for any answer."""
        patience = client.connection_pool.connection_kwargs.get("socket_timeout") or self._timeout
        return max(0.01, min(self._timeout, float(patience)) / 2)

    def _decoded(self, fields: Fields) -> Entry | None:
        try:
            return wire.decode(fields)
        except (ValueError, RecursionError) as error:
            self._not_understood(error)
            return None

    def _guarded(self, take: Callable[..., None], *args: object) -> None:
        """Takes one entry; a bad one must not keep the others from being read."""
        try:
            take(*args)
        except ValueError as error:
            self._not_understood(error)
        except Exception:  # noqa: BLE001 - an error of a subscriber, or ours: the stream goes on
            app_log.error("An entry of the stream %s could not be delivered", self._stream, exc_info=True)

    def _not_understood(self, error: Exception) -> None:
        self._counts["strange"] += 1
        self._strange_log.warning("An entry of the stream %s makes no sense: %s", self._stream, error)

    # -- for whoever watches ----------------------------------------------------------------------------

    def state(self) -> Mapping[str, Value]:
        """Whether Redis is there (`status`, `error`), who else is, and what is on its way."""
        cluster = self._cluster
        return {
            "status": self._status,
            "error": self._error or None,
            "peers": 0 if cluster is None else len(cluster.peers),
            "pending": 0 if cluster is None else cluster.pending,
            "waiting": 0 if cluster is None else cluster.waiting,
            "position": None if cluster is None else str(cluster.position),
        }

    def counters(self) -> Mapping[str, int]:
        """`undelivered`: messages that stayed here; `refused`: entries that Redis did not take; `strange`: those that
        were not understood; `holes`: how often something was missed."""
        cluster = self._cluster
        return {
            **self._counts,
            "received": 0 if cluster is None else cluster.received,
            "holes": 0 if cluster is None else cluster.holes,
        }

    def histograms(self) -> Mapping[str, Histogram]:
        """`lag`: from publishing a message until it has come back and is delivered here."""
        return {"lag": self._lag}


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels `tasks` and waits for their end, whatever it is."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        # A client that looks for a connection may lose a cancellation: it is told again.
        done, left = await asyncio.wait(left, timeout=_AGAIN)
        for task in done:
            if not task.cancelled():
                # That of the one that failed first is raised already.
                task.exception()


def _entries(reply: Any) -> list[tuple[bytes, Fields]]:
    """Returns the entries of an answer. What redis-py says about their types is wider."""
    return [(id, fields) for id, fields in reply if fields]


def _fields(entry: Entry) -> dict[Any, Any]:
    # The type of redis-py's argument is not covariant.
    return dict(entry.fields())


def _id(text: bytes) -> MessageId:
    ms, _, seq = text.partition(b"-")
    return MessageId(int(ms), int(seq))
