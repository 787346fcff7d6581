"""Memory, for who asks: of the process, of what Eyewall knows by kind, and by the lines that allocate.

What grows is seen by asking again: the counts of each question are kept for a while, and the next answer says by how
much each has grown since the oldest of them.
"""

from __future__ import annotations

import gc
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.control.telling import place
from eyewall.doctor.growth.kept import remains
from eyewall.doctor.growth.load import numbers, resident_bytes
from eyewall.doctor.growth.memory import TracingError, memory_in_thread
from eyewall.doctor.subjects import runs_of_handlers
from eyewall.doctor.sweep import references
from eyewall.doctor.timing.garbage import garbage
from eyewall.guard.registry import REGISTRIES

#: Seconds between counts that are kept, and for how long they are.
APART = 5.0
KEPT = 300.0
#: Classes of handlers that are told of, those with the most.
CLASSES = 50
#: Seconds that allocations are traced for, at most: whoever asks waits for the answer meanwhile.
LONGEST = 20.0
#: What that costs, for people.
COST = (
    "Allocations were traced for {seconds:g} s. Meanwhile the program was slower, by a half or more, and took more "
    "memory. What was allocated before is not known by line."
)


class Samples:
    """Counts by name, of the last minutes. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, Mapping[str, int]]] = deque(maxlen=math.ceil(KEPT / APART))

    def growth(self, counts: Mapping[str, int]) -> tuple[float, dict[str, int]]:
        """Returns the seconds since the oldest sample and by how much each count has grown since, and keeps these."""
        now = self._clock()
        with self._lock:
            samples = self._samples
            while samples and now - samples[0][0] > KEPT:
                samples.popleft()
            since, before = samples[0] if samples else (now, counts)
            if not samples or now - samples[-1][0] >= APART:
                samples.append((now, counts))
        return now - since, {name: count - before.get(name, 0) for name, count in counts.items()}


_samples = Samples()


def memory(patient: Patient) -> dict[str, Any]:
    """Returns the memory of the process, what the collector does, and how many there are of what Eyewall knows, with
    their growth since somebody asked first, within the last five minutes."""
    resident = resident_bytes()
    counts = _counts(patient)
    seconds, growth = _samples.growth({"resident": resident or 0, **counts})
    return {
        "resident": resident,
        "since": round(seconds, 3),
        "grown": None if resident is None else growth["resident"],
        "kinds": [{"name": name, "count": count, "grown": growth[name]} for name, count in counts.items()],
        "handlers": _handlers(),
        "kept": [{**each._asdict(), "oldest": round(each.oldest, 3)} for each in remains()],
        "collector": {
            "enabled": gc.isenabled(),
            "threshold": list(gc.get_threshold()),
            "frozen": gc.get_freeze_count(),
            "generations": [
                {
                    "waiting": waiting,
                    "collections": stats["collections"],
                    "collected": stats["collected"],
                    "uncollectable": stats["uncollectable"],
                    "seconds": round(times.count * times.mean, 6),
                    "longest": round(times.largest, 6),
                }
                for waiting, stats, times in zip(
                    gc.get_count(), gc.get_stats(), garbage.times.values(), strict=True
                )
            ],
        },
    }


def memory_sites(patient: Patient, seconds: float = 5.0, lines: int = 30) -> dict[str, Any]:
    """Traces allocations for so many seconds and returns the lines that hold more memory after them. The program is
    slower meanwhile.

    Raises ControlError: "arguments"; "busy" where that is being done already.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0.0 < seconds <= LONGEST:
        raise ControlError("arguments", f"memory-sites: seconds are more than 0 and at most {LONGEST:g}")
    if not 1 <= lines <= 1000:
        raise ControlError("arguments", "memory-sites: lines are from 1 to 1000")
    try:
        report = memory_in_thread(float(seconds), lines)
    except TracingError:
        raise ControlError("busy", "allocations are being traced already; that ends by itself") from None
    return {
        "seconds": report.seconds,
        "cost": COST.format(seconds=report.seconds),
        "resident": report.resident,
        "traced": report.traced,
        "sites": [
            {
                "place": place(each.place),
                "bytes": each.bytes,
                "blocks": each.blocks,
                "total_bytes": each.total_bytes,
            }
            for each in report.growing
        ],
    }


def _counts(patient: Patient) -> dict[str, int]:
    return {
        "tasks": sum(1 for each in references(None) if (task := each()) is not None and not task.done()),
        "threads": threading.active_count(),
        "files": len(numbers()),
        **{registry.name: len(registry) for registry in REGISTRIES},
    }


def _handlers() -> list[dict[str, Any]]:
    """The handlers of requests that go on, by class."""
    runs = runs_of_handlers().values()
    count = Counter(type(run.handler).__qualname__ for run in runs if run.handler is not None)
    return [{"name": name, "count": number} for name, number in count.most_common(CLASSES)]
