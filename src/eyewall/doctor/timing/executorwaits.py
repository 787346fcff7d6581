"""Executors in which jobs wait longer than they run, and pools whose users wait.

By Little's law, a job waits longer than it runs where more are queued than there are workers. One look says nothing: a
batch that somebody hands in is queued, too, and is worked off. It is told of where it has been so for `window.SECONDS`,
the queue does not get shorter, and requests or several tasks are among those who wait, or it even grows.

Executors and pools of the guard count for themselves. Of an ordinary `ThreadPoolExecutor` the interpreter keeps the
threads and the queue, of a `ProcessPoolExecutor` the thread that has its jobs: they need no preparation either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from eyewall.doctor.collector import Collector
from eyewall.doctor.definitions import Definitions
from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
from eyewall.doctor.growth.executors import Submitters, jobs_in, processes, queues_of_threads, submitters
from eyewall.doctor.places import Place, is_own, places_of
from eyewall.doctor.stalls.stack import frames_of_thread, read
from eyewall.doctor.subjects import subject_of, subject_of_task
from eyewall.doctor.timing.lookout import GIVE_BACK, Lookout
from eyewall.doctor.timing.standing import Kind, Stand, Standing
from eyewall.doctor.timing.window import Window
from eyewall.guard.inventory import Item, inventory

#: Those that wait for a resource of a pool, at least; tasks that wait for an executor, where no request does.
LEAST = 3
#: Seconds that a pool may have its users wait, on the mean.
WAIT = 0.5
#: The share of a queue that is done meanwhile where a batch is worked off.
BATCH = 0.25
#: Threads of an executor that are looked at.
THREADS = 40
#: Items of a kind that are looked at.
MOST = 50


class ExecutorWaits(Lookout):
    """The detector of saturated executors and pools. `standing` has the requests that wait."""

    name = "executors and pools that are waited for"

    def __init__(self, standing: Standing, clock: Callable[[], float] | None = None) -> None:
        super().__init__(standing, clock)
        self._windows: WeakKeyDictionary[Any, Window] = WeakKeyDictionary()

    def stop(self) -> None:
        """Ends looking."""
        super().stop()
        self._windows.clear()

    def _look(self, now: float, collector: Collector) -> None:
        for item in inventory.items("executor")[-MOST:]:
            window = self._sampled(item, now, _executor_sample(item))
            asks = self._asks_in_vain(window)
            if asks is not None and self._is_due(item, now):
                collector.report(_of_executor(item, window, asks))
        for kind in ("pool", "bulkhead"):
            for item in inventory.items(kind)[-MOST:]:
                window = self._sampled(item, now, _pool_sample(item))
                waiting_for = self._asks(Kind.POOL) or self._asks(Kind.DEPENDENCY)
                if _is_short(window, waiting_for) and self._is_due(item, now):
                    collector.report(_of_pool(item, window, waiting_for))
        for queue, workers in _plain_executors().items():
            self._look_at(queue, workers, queue.qsize(), partial(jobs_in, queue), now, collector)
        for thread, workers, jobs in processes():
            if workers:
                # Those that run are among them.
                self._look_at(
                    thread, workers, len(jobs) - workers, partial(list, jobs.values()), now, collector
                )

    def _look_at(
        self,
        whose: Hashable,
        workers: int,
        waiting: int,
        jobs: Callable[[], list[Any]],
        now: float,
        collector: Collector,
    ) -> None:
        """Looks at an ordinary executor: for `jobs`, `waiting` of which wait for one of `workers`."""
        window = self._sampled(whose, now, {"waiting": float(waiting), "excess": float(waiting - workers)})
        if not _is_overdone(window) or whose in self._told:
            return
        submitted = submitters(jobs())
        # Others may wait for another executor.
        asks = [each for each in self._standing.standing_for(Kind.EXECUTOR) if each.task in submitted.tasks]
        # One that has handed in all of them waits for what it wanted.
        several = len({each.task for each in asks}) > 1 or len(set(submitted.tasks)) >= LEAST
        if (several or window.growth("waiting") > 0.0) and self._is_due(whose, now):
            what = "a ThreadPoolExecutor" if hasattr(whose, "qsize") else "a ProcessPoolExecutor"
            collector.report(_of_plain(what, workers, waiting, submitted, asks, _at_work(whose)))

    def _sampled(self, whose: Hashable, now: float, sample: Mapping[str, float]) -> Window:
        window = self._windows.get(whose)
        if window is None:
            window = self._windows[whose] = Window()
        window.add(now, sample)
        return window

    def _asks_in_vain(self, window: Window) -> list[Stand] | None:
        """Returns the requests that wait for an executor where more than the workers can do wait all the time, and it
        does not get better; None where that is not so."""
        if not _is_overdone(window):
            return None
        asks = self._standing.standing_for(Kind.EXECUTOR)
        return asks if asks or window.growth("waiting") > 0.0 else None

    def _asks(self, kind: Kind) -> list[Stand]:
        return [each for each in self._standing.stands if each.kind is kind]


def _is_overdone(window: Window) -> bool:
    """Whether more than the workers can do has waited all the time, and it does not get better.

    Where much of it was done meanwhile, batches are handed in, one after the other."""
    if not window.whole or window.least("excess") <= 0.0 or window.growth("waiting") < 0.0:
        return False
    workers = window.last("waiting") - window.last("excess")
    return window.fall("waiting") <= max(workers, BATCH * window.last("waiting"))


def _executor_sample(item: Item) -> dict[str, float]:
    state = item.state()
    waiting = _number(state, "queued") + _number(state, "waiting")
    histograms = item.histograms()
    waits, runs = histograms.get("queue_wait"), histograms.get("run_time")
    return {
        "waiting": waiting,
        "excess": waiting - _number(state, "workers"),
        "waits": waits.count if waits is not None else 0.0,
        "waited": waits.total if waits is not None else 0.0,
        "runs": runs.count if runs is not None else 0.0,
        "ran": runs.total if runs is not None else 0.0,
    }


def _pool_sample(item: Item) -> dict[str, float]:
    waits = item.histograms().get("wait")
    return {
        "waiting": _number(item.state(), "waiting"),
        "served": waits.count if waits is not None else 0.0,
        "waited": waits.total if waits is not None else 0.0,
    }


def _is_short(window: Window, asks: list[Stand]) -> bool:
    if not window.whole or window.least("waiting") < 1.0 or window.last("waiting") < LEAST:
        return False
    growth = window.growth("waiting")
    if growth < 0.0 or (growth == 0.0 and not asks):
        return False
    served = window.growth("served")
    return served == 0.0 or window.growth("waited") / served >= WAIT


def _number(state: Mapping[str, object], name: str) -> float:
    value = state.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _plain_executors() -> dict[Any, int]:
    """Returns the queues of the `ThreadPoolExecutor`s of this process, with how many threads take from each."""
    return dict(Counter(queue for _, queue in queues_of_threads()))


class _Work(NamedTuple):
    """Where threads of an executor are at work."""

    place: Place
    places: tuple[Place, ...]


def _at_work(queue: object) -> _Work | None:
    """Returns where most of the threads that take from `queue` are; None where none is in the application."""
    threads = [each.ident for each, taken in queues_of_threads() if taken is queue and each.ident][:THREADS]
    found: list[_Work] = []
    for each in threads:
        # Frames are forgotten before another thread can run.
        seen = read(frames_of_thread(each))
        if seen.place is not None and is_own(seen.place):
            found.append(_Work(seen.place, seen.places))
    if not found:
        return None
    common, _ = Counter(each.place for each in found).most_common(1)[0]
    return next(each for each in found if each.place == common)


# -- findings -----------------------------------------------------------------------------------------------


def _of_executor(item: Any, window: Window, asks: list[Stand]) -> Finding:
    waited, ran = _mean(window, "waited", "waits"), _mean(window, "ran", "runs")
    callers: Counter[str] = item.callers() if hasattr(item, "callers") else Counter()
    common = callers.most_common(3)
    place = Definitions().written(common[0][0]) if common else None
    workers = int(_number(item.state(), "workers"))
    return _saturated(
        f"the executor {item.name!r}",
        workers,
        int(window.last("waiting")),
        f"; of late jobs waited {waited:.2f} s and ran {ran:.2f} s" if waited and ran else "",
        place,
        asks,
        {f"queued from {where}": count for where, count in common},
    )


def _of_plain(
    what: str, workers: int, waiting: int, submitted: Submitters, asks: list[Stand], work: _Work | None
) -> Finding:
    place = submitted.place
    if work is not None and (place is None or not is_own(place)):
        # A library has submitted them, as a server does with the requests of a WSGI application.
        place = work.place
    subject = subject_of_task(submitted.tasks[0]) if submitted.tasks else None
    return _saturated(what, workers, waiting, "", None if asks else place, asks, {}, work, subject)


def _saturated(
    what: str,
    workers: int,
    waiting: int,
    more: str,
    place: Place | None,
    asks: list[Stand],
    counts: Mapping[str, int],
    work: _Work | None = None,
    subject: Subject | None = None,
) -> Finding:
    common = _common(asks)
    if place is None and common is not None:
        place = common.place
    stacks = {} if common is None else {"waits in": places_of(common.frames)}
    if work is not None:
        stacks["a thread of it is in"] = work.places
    if asks:
        counts = {"requests that wait for it": len(asks), **counts}
    return Finding(
        "executor-saturated",
        Severity.WARNING,
        f"Jobs wait longer in {what} than they run: {waiting} are queued for {workers} workers, and the queue does not "
        f"get shorter{more}",
        "Submit less, make the jobs shorter, or give it more workers; where requests submit them, refuse some in time "
        "(a bounded executor of eyewall.guard does), or use another executor for what takes long.",
        place=place,
        subject=subject if common is None else subject_of(common.frames, common.task),
        evidence=Evidence(stacks=stacks, counts={"queued": waiting, "workers": workers, **counts}),
    )


def _of_pool(item: Item, window: Window, asks: list[Stand]) -> Finding:
    state = item.state()
    waited = _mean(window, "waited", "served")
    size = int(_number(state, "max_size") or _number(state, "limit") or _number(state, "open"))
    got = int(window.growth("served"))
    told = f"those that got one waited {waited:.2f} s" if got else f"for {window.seconds:g} s nobody got one"
    common = _common(asks)
    held = _number(state, "held_longest")
    return Finding(
        "pool-waits",
        Severity.WARNING,
        f"The {item.kind} {item.name!r} is too small, or is given back too late: {int(window.last('waiting'))} wait "
        f"for one of {size}, and {told}",
        GIVE_BACK,
        place=None if common is None else common.place,
        subject=None if common is None else subject_of(common.frames, common.task),
        evidence=Evidence(
            stacks={} if common is None else {"waits in": places_of(common.frames)},
            counts={
                "waiting": int(window.last("waiting")),
                "size": size,
                "seconds the longest is held": round(held),
            },
            wall=waited or None,
        ),
    )


def _mean(window: Window, total: str, count: str) -> float:
    number = window.growth(count)
    return window.growth(total) / number if number else 0.0


def _common(asks: list[Stand]) -> Stand | None:
    """Returns one of those at the line where most of them stand."""
    if not asks:
        return None
    place, _ = Counter(each.place for each in asks).most_common(1)[0]
    return next(each for each in asks if each.place == place)
