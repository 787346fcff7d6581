"""Which lines hold ever more memory: asked for, since tracing makes every allocation slower."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock

from eyewall.doctor.definitions import Definitions
from eyewall.doctor.growth.load import resident_bytes
from eyewall.doctor.places import Place, best_of, is_own

#: Seconds that are looked at, by default and at most.
SECONDS = 10.0
LONGEST = 3600.0
#: Frames that are kept of an allocation, to find the application's among them.
FRAMES = 8
#: Lines that are told.
LINES = 20


@dataclass(frozen=True, slots=True)
class Allocation:
    """A line that holds more memory than before: `bytes` in `blocks` more, and what it holds in all.

    `place` is the application's line that has asked for it, else the innermost one.
    """

    place: Place
    bytes: int
    blocks: int
    total_bytes: int

    def __str__(self) -> str:
        return f"{self.bytes / 1024:+.1f} KiB in {self.blocks:+d} blocks: {self.place}"


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """How memory has changed within `seconds`: of the process (`resident`, in bytes, None where the system does not
    say) and of Python (`traced`), and the lines that hold more, those with the most first."""

    seconds: float
    resident: int | None
    traced: int
    growing: tuple[Allocation, ...]

    def __str__(self) -> str:
        size = "" if self.resident is None else f"The process has grown by {self.resident / 1024:+.1f} KiB, "
        lines = [f"{size}Python's objects by {self.traced / 1024:+.1f} KiB within {self.seconds:g} s"]
        return "\n".join([*lines, *(f"  {each}" for each in self.growing)])


Sizes = Mapping[Place, tuple[int, int]]


class TracingError(RuntimeError):
    """Allocations are being looked at already."""


#: Held by the one that is at work.
_at_work = Lock()


async def memory(seconds: float = SECONDS, lines: int = LINES) -> MemoryReport:
    """Traces allocations for so many seconds, and returns which lines hold more memory afterwards.

    Meanwhile the program is slower, by a half or more. What was allocated before is not known by line. Where the
    program traces allocations itself (`tracemalloc`), that goes on with the frames that it keeps.

    Raises ValueError for a time that makes no sense, TracingError where another call is at work.
    """
    _check(seconds, lines)
    loop = asyncio.get_running_loop()
    with _tracing():
        # Of its own: the loop's may have too much to do.
        pool = ThreadPoolExecutor(1, "eyewall-memory")
        try:
            resident = resident_bytes()  # eyewall: ignore[EW205] - the kernel has it at hand
            before = await loop.run_in_executor(pool, _by_line)
            await _wait(seconds)
            after = await loop.run_in_executor(pool, _by_line)
            now = resident_bytes()  # eyewall: ignore[EW205]
            return await loop.run_in_executor(pool, _report, seconds, lines, (resident, before), (now, after))
        finally:
            pool.shutdown(wait=False)


def memory_in_thread(
    seconds: float, lines: int = LINES, sleep: Callable[[float], object] = time.sleep
) -> MemoryReport:
    """As `memory`, for a thread without a loop. `sleep` waits."""
    _check(seconds, lines)
    with _tracing():
        resident, before = resident_bytes(), _by_line()
        sleep(seconds)
        now, after = resident_bytes(), _by_line()
    return _report(seconds, lines, (resident, before), (now, after))


def _check(seconds: float, lines: int) -> None:
    if not 0.0 < seconds <= LONGEST or lines < 1:
        raise ValueError(
            f"memory is looked at for up to {LONGEST:g} s, and one line at least is told, "
            f"not {seconds!r} s and {lines!r}"
        )


@contextmanager
def _tracing() -> Iterator[None]:
    """Traces allocations, unless the program does so itself."""
    if not _at_work.acquire(blocking=False):
        raise TracingError("memory() is at work already: wait for it to end")
    try:
        own = tracemalloc.is_tracing()
        if not own:
            tracemalloc.start(FRAMES)
        try:
            yield
        finally:
            if not own:
                tracemalloc.stop()
    finally:
        _at_work.release()


def _report(
    seconds: float, lines: int, first: tuple[int | None, Sizes], last: tuple[int | None, Sizes]
) -> MemoryReport:
    (resident, before), (now, after) = first, last
    definitions = Definitions()
    told = [
        replace(each, place=definitions.place(each.place.file, each.place.line))
        for each in growing(before, after)[:lines]
    ]
    return MemoryReport(
        seconds,
        None if now is None or resident is None else now - resident,
        sum(size for size, _ in after.values()) - sum(size for size, _ in before.values()),
        tuple(told),
    )


async def _wait(seconds: float) -> None:
    await asyncio.sleep(seconds)


def growing(before: Sizes, after: Sizes) -> list[Allocation]:
    """Returns the lines that hold more memory `after` than `before`, both as bytes and blocks by line."""
    found = []
    for place, (size, count) in after.items():
        earlier, blocks = before.get(place, (0, 0))
        if size > earlier:
            found.append(Allocation(place, size - earlier, count - blocks, size))
    return sorted(found, key=lambda each: (-each.bytes, each.place))


def _by_line() -> dict[Place, tuple[int, int]]:
    """Returns the bytes and blocks that are allocated now. It takes long where they are many: not in the loop."""
    if not tracemalloc.is_tracing():
        # Whoever has asked has given up.
        return {}
    snapshot = tracemalloc.take_snapshot()
    sizes: dict[Place, tuple[int, int]] = {}
    for statistic in snapshot.statistics("traceback"):
        # The outermost frame first.
        places = [Place(frame.filename, frame.lineno, "") for frame in statistic.traceback]
        place = best_of(places) or places[-1]
        if not is_own(place):
            place = places[-1]
        if place.file == __file__ or place.file == tracemalloc.__file__:
            continue
        size, count = sizes.get(place, (0, 0))
        sizes[place] = size + statistic.size, count + statistic.count
    return sizes
