"""What is sent to whoever looks, asked once a second for all of them together; and not asked while nobody looks.

    first viewer of a process   its channel begins to ask
    last viewer gone            it asks no more, and forgets
    "all"                       looks at the channels of all processes, and merges what they have

A channel keeps the latest event of each kind, encoded once, and a viewer remembers which it has had. So nothing queues:
who takes long misses states, and gets the newest when it is ready for one. Of a history, which grows point by point, a
viewer gets the points that it has not had: the whole at first.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from eyewall.base.errors import EyewallError
from eyewall.doctor.control.client import NoDoctor
from eyewall.doctor.control.outside import sentence_of
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard.directory import Directory
from eyewall.doctor.dashboard.merge import ENTRIES, SECONDS, merged_findings, merged_history, merged_states
from eyewall.doctor.dashboard.sources import Source
from eyewall.web.sse import Event

#: Seconds between two questions.
INTERVAL = 1.0
#: Seconds that a process has for an answer before it is said to hang.
TIMEOUT = 3.0
#: Seconds that a process waits for its loop, to tell what is open.
LOOP_WAIT = 0.25
#: Entries of each registry that a process tells of at least, however many processes are asked.
FEWEST = 20
#: Findings that a process tells of: the worst.
FINDINGS = 100
#: Those who look at once.
VIEWERS = 32
#: Seconds after which all processes have told of a second, unless one hangs: a point is a second old at most, and so
#: is the answer that it came with.
SETTLED = 3
#: Seconds that are looked at again: who has hung tells of them later.
AGAIN = 10

ALL: Literal["all"] = "all"
Which = int | Literal["all"]

#: Kinds of events, in the order in which they are sent at first.
KINDS = ("processes", "trouble", "findings", "history", "state")


class TooMany(EyewallError):
    """More want to look than `VIEWERS`."""


class _Past:
    """A history: the points of one process, or of all, at most `SECONDS`, each with the version that it came with."""

    def __init__(self, process: Which) -> None:
        self._process = process
        self._points: dict[float, tuple[int, Sequence[Any]]] = {}
        self._made: tuple[tuple[int, int], Event] | None = None
        self._version = 0

    def add(self, points: Iterable[Sequence[Any]], version: int) -> bool:
        """Takes points, of which one replaces that of the same time. Returns whether any was not known."""
        news = {each[0]: (version, each) for each in points if self._known(each[0]) != each}
        if not news:
            return False
        self._version = version
        self._points.update(news)
        while len(self._points) > SECONDS:
            del self._points[min(self._points)]
        return True

    def event(self, had: int) -> Event:
        """Returns the points that came after version `had`, made once for all who ask the same."""
        wanted = (had, self._version)
        if self._made is None or self._made[0] != wanted:
            points = [self._points[each] for each in sorted(self._points)]
            data = {"process": self._process, "points": [point for came, point in points if came > had]}
            self._made = (wanted, Event(data, event="history"))
        return self._made[1]

    def _known(self, moment: float) -> Sequence[Any] | None:
        return self._points.get(moment, (0, None))[1]


class _Latest:
    """The newest event of each kind of one process, or of all. `version` counts them."""

    def __init__(self) -> None:
        self.version = 0
        self.events: dict[str, tuple[int, Event | _Past]] = {}
        self.woken: set[asyncio.Event] = set()

    def put(self, kind: str, data: Any, key: str = "") -> None:
        """Replaces the event of this kind; `key` tells apart several of a kind."""
        self._set(kind + key, Event(data, event=kind))

    def add(self, process: Which, points: Iterable[Sequence[Any]]) -> None:
        """Adds to the history; the first time also where there is no point yet."""
        _, past = self.events.get("history", (0, None))
        if not isinstance(past, _Past):
            past = _Past(process)
            past.add(points, self.version + 1)
        elif not past.add(points, self.version + 1):
            return
        self._set("history", past)

    def _set(self, name: str, event: Event | _Past) -> None:
        self.version += 1
        self.events[name] = (self.version, event)
        for each in self.woken:
            each.set()

    def drop(self, kind: str, key: str = "") -> None:
        """There is no event of this kind any more."""
        self.events.pop(kind + key, None)


class _Channel:
    """Asks one process while it is open."""

    def __init__(self, source: Source, feed: Feed) -> None:
        self.source = source
        self.latest = _Latest()
        self.state: Mapping[str, Any] | None = None
        self.state_at = 0.0
        self.findings: list[dict[str, Any]] = []
        #: The last `SECONDS` points; None while it is not known whether there are any.
        self.history: deque[Sequence[Any]] | None = None
        self.trouble: tuple[str, str] | None = None
        # What is seen from outside of a process that does not answer, until it does.
        self._seen = ""
        self.users = 0
        self._feed = feed
        self._mark: object = None
        self._notes = True
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Somebody looks."""
        self.users += 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(
                self._run(), name=f"dashboard: {self.source.pid}"
            )

    def leave(self) -> bool:
        """One looks no more. Returns whether that was the last, and it is to be closed."""
        self.users -= 1
        return not self.users

    async def close(self) -> None:
        """Asks nothing any more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))
        self.source.close()

    async def _run(self) -> None:
        while True:
            begun = self._feed.clock()
            await self._turn()
            await asyncio.sleep(
                max(self._feed.interval / 5, self._feed.interval - (self._feed.clock() - begun))
            )

    async def _turn(self) -> None:
        pid = self.source.pid
        try:
            state = await self._ask("state", limit=self._feed.entries(), wait=LOOP_WAIT)
            self.state, self.state_at = state, self._feed.clock()
            now = self._feed.wall()
            self.latest.put(
                "state", {"process": pid, "time": now, "state": state, "missing": missing_in(state)}
            )
            if self.trouble is not None:
                self.trouble = None
                self._seen = ""
                self.latest.drop("trouble")
            await self._rest(state)
        except NoDoctor as error:
            self._failed("gone", str(error))
        except ControlError as error:
            if error.code != "silent":
                self._failed(error.code, str(error))
                return
            self._failed(error.code, f"{error}. {self._seen}".rstrip())
            if not self._seen:
                self._seen = await asyncio.to_thread(self._feed.outside, pid)
                self._failed(error.code, f"{error}. {self._seen}")

    async def _rest(self, state: Mapping[str, Any]) -> None:
        """Asks for the findings, where they have changed, and for what it has noted since it was asked last."""
        pid = self.source.pid
        mark = state.get("findings")
        if mark is None or mark != self._mark:
            said = await self._ask("findings", limit=FINDINGS)
            found = [{"pid": pid, **each} for each in said["findings"]]
            if found != self.findings or "findings" not in self.latest.events:
                self.findings = found
                self.latest.put("findings", {"process": pid, "findings": found})
            self._mark = mark
        if self._notes:
            await self._past()

    async def _past(self) -> None:
        since = self.history[-1][0] if self.history else 0.0
        try:
            points = (await self._ask("history", since=since))["points"]
        except ControlError as error:
            if error.code != "unknown-command":
                raise
            # One of an older release.
            self._notes, points = False, []
        if self.history is None:
            self.history = deque(maxlen=SECONDS)
        # Times are rounded, so that the last one may come again.
        news = [each for each in points if each[0] > since]
        self.history.extend(news)
        self.latest.add(self.source.pid, news)

    async def _ask(self, command: str, **arguments: Any) -> Any:
        return await self.source.ask(command, arguments, TIMEOUT)

    def _failed(self, code: str, message: str) -> None:
        if self.trouble == (code, message):
            return
        self.trouble = (code, message)
        self.latest.put("trouble", _trouble(self.source.pid, self.trouble, self._feed.wall()))


class Viewer:
    """One who looks at `process`. Iterating over it gives the events to send, none of them twice."""

    def __init__(self, process: Which, latest: tuple[_Latest, ...]) -> None:
        self.process = process
        self._latest = latest
        # By kind: the version, and in which place it was sent.
        self._had: dict[tuple[int, str], tuple[int, int]] = {}
        self._sent = 0
        self._wake = asyncio.Event()
        for each in latest:
            each.woken.add(self._wake)

    def due(self) -> Event | None:
        """Returns the newest event of a kind of which it has not had that one; None where it has had all.

        The kind that was sent longest ago comes first, so that one that changes all the time leaves room for others.
        """
        found: tuple[tuple[int, int], tuple[int, str], int, Event | _Past] | None = None
        for number, latest in enumerate(self._latest):
            for key, (version, event) in latest.events.items():
                had, when = self._had.get((number, key), (0, 0))
                order = (when, KINDS.index(key.partition(" ")[0]))
                if had != version and (found is None or order < found[0]):
                    found = (order, (number, key), version, event)
        if found is None:
            return None
        self._sent += 1
        _, name, version, event = found
        had, _ = self._had.get(name, (0, 0))
        self._had[name] = (version, self._sent)
        return event.event(had) if isinstance(event, _Past) else event

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            self._wake.clear()
            while (event := self.due()) is not None:
                yield event
            await self._wake.wait()

    def leave(self) -> None:
        """Wants nothing any more."""
        for each in self._latest:
            each.woken.discard(self._wake)


class Feed:
    """Asks the processes of `directory` every `interval` seconds, while there are viewers, at most `viewers`.

    `clock`: seconds that never go back; `wall`: since the epoch. `outside` says what is seen of a process that does not
    answer; it is called in a thread.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        interval: float = INTERVAL,
        viewers: int = VIEWERS,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        outside: Callable[[int], str] = sentence_of,
    ) -> None:
        self.outside = outside
        self.directory = directory
        self.interval = interval
        self.clock = clock
        self.wall = wall
        self._most = viewers
        self._viewers: set[Viewer] = set()
        self._channels: dict[int, _Channel] = {}
        self._processes = _Latest()
        self._all = _Latest()
        self._task: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._known: list[dict[str, Any]] | None = None
        self._found: list[dict[str, Any]] | None = None
        self._past: set[int] = set()
        self._troubles: dict[int, tuple[str, str]] = {}
        directory.changed = self._list

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    @property
    def asks(self) -> bool:
        """Whether anything is asked, or will be without being told to."""
        return self._task is not None or bool(self._channels) or bool(self._closing)

    async def seen(self) -> None:
        """Makes sure that the processes are known, where nobody looks at them right now."""
        # Who has looked last may not have let go of them yet, and forgets them when it does.
        while self._task is None and self._closing:
            await asyncio.wait(set(self._closing))
        if self._task is None:
            self.directory.look()
            await self.directory.settle()

    def entries(self) -> int:
        """Entries of each registry that a process is to tell of: fewer where there are many processes."""
        return max(FEWEST, ENTRIES // max(1, len(self._channels)))

    def check(self) -> None:
        """Raises TooMany where nobody else may look."""
        if len(self._viewers) >= self._most:
            raise TooMany(f"{self._most} look already; close a page")

    @contextmanager
    def watching(self, process: Which) -> Iterator[Viewer]:
        """Asks `process` for the time of the block. Raises TooMany."""
        self.check()
        if process == ALL:
            viewer = Viewer(process, (self._processes, self._all))
        else:
            viewer = Viewer(process, (self._processes, self._channel(process).latest))
        self._viewers.add(viewer)
        if self._task is None:
            self._list()
            self._task = asyncio.get_running_loop().create_task(self._run(), name="dashboard: all")
        try:
            yield viewer
        finally:
            viewer.leave()
            self._viewers.discard(viewer)
            if process != ALL:
                self._release(process)
            self._rest()

    def _channel(self, pid: int) -> _Channel:
        channel = self._channels.get(pid)
        if channel is None:
            channel = self._channels[pid] = _Channel(self.directory.source(pid), self)
        channel.open()
        return channel

    def _release(self, pid: int) -> None:
        channel = self._channels[pid]
        if channel.leave():
            del self._channels[pid]
            self._later(channel.close())

    def _later(self, action: Any) -> None:
        task = asyncio.get_running_loop().create_task(action)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _rest(self) -> None:
        """Ends what nobody needs any more."""
        if self._viewers:
            return
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._later(self._end(task))

    async def _end(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait((task,))
        if self._task is None:
            await self.directory.close()
        if self._task is None:
            self._processes, self._all = _Latest(), _Latest()
            self._known = self._found = None
            self._past = set()
            self._troubles = {}

    async def _run(self) -> None:
        """Sees who comes and goes, and merges, as long as somebody looks."""
        shared: dict[int, _Channel] = {}
        try:
            while True:
                self.directory.look()
                wanted = set(self.directory.alive()) if self._looks_at_all() else set()
                for pid in wanted - shared.keys():
                    shared[pid] = self._channel(pid)
                for pid in shared.keys() - wanted:
                    del shared[pid]
                    self._release(pid)
                if wanted:
                    self._merge(shared)
                await asyncio.sleep(
                    self.interval if shared or not self._looks_at_all() else self.interval / 10
                )
        finally:
            for pid in shared:
                self._release(pid)

    def _looks_at_all(self) -> bool:
        return any(each.process == ALL for each in self._viewers)

    def _list(self) -> None:
        known = [each.as_json() for each in self.directory.listed()]
        if known != self._known:
            self._known = known
            self._processes.put("processes", known)

    def _merge(self, channels: Mapping[int, _Channel]) -> None:
        now = self.clock()
        fresh = {
            pid: each.state
            for pid, each in channels.items()
            if each.state is not None and now - each.state_at <= 2 * TIMEOUT
        }
        missing = [f"process {pid}: {each}" for pid, state in fresh.items() for each in missing_in(state)]
        troubles = {pid: each.trouble for pid, each in channels.items() if each.trouble is not None}
        missing += [message for _, message in troubles.values()]
        for pid, trouble in troubles.items():
            if self._troubles.get(pid) != trouble:
                self._all.put("trouble", _trouble(pid, trouble, self.wall()), f" {pid}")
        for pid in self._troubles.keys() - troubles.keys():
            self._all.drop("trouble", f" {pid}")
        self._troubles = troubles
        if fresh:
            self._all.put(
                "state",
                {"process": ALL, "time": self.wall(), "state": merged_states(fresh), "missing": missing},
            )
        found = merged_findings({pid: each.findings for pid, each in channels.items()})
        if found != self._found:
            self._found = found
            self._all.put("findings", {"process": ALL, "findings": found})
        self._remember({pid: each.history for pid, each in channels.items() if each.history is not None})

    def _remember(self, histories: Mapping[int, Sequence[Sequence[Any]]]) -> None:
        """Adds to the history of all the seconds of which all have told by now."""
        if not histories:
            return
        until = int(self.wall()) - SETTLED
        # Who has come has a past of its own.
        begin = 0 if histories.keys() - self._past else until - AGAIN
        self._past = set(histories)
        told = {pid: list(_between(points, begin, until)) for pid, points in histories.items()}
        self._all.add(ALL, merged_history(told))


def _between(points: Sequence[Sequence[Any]], begin: float, until: float) -> Iterator[Sequence[Any]]:
    """Returns the points from second `begin` to `until`, the last first."""
    for point in reversed(points):
        if point[0] < begin:
            return
        if point[0] < until + 1:
            yield point


def _trouble(pid: int, trouble: tuple[str, str], since: float) -> dict[str, Any]:
    """Returns what viewers are told; `since` tells it from states that were known before, and are sent after it."""
    code, message = trouble
    return {"process": pid, "code": code, "message": message, "since": since}


def missing_in(state: Mapping[str, Any]) -> list[str]:
    """Returns what a process says of itself that it does not know now."""
    said = state.get("open", {}).get("missing")
    found = [f"what is open is not known: {said}"] if said else []
    return [*found, *state.get("missing", ())]
