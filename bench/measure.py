"""What a process used, from the kernel's own accounting: processor time, waiting time and memory.

Processor time is read from the process's CPU clock (`clock_getcpuclockid(3)`): nanoseconds, all threads, also
those that have ended. `/proc/PID/schedstat` gives the time that threads were runnable and had to wait for the
processor: on a quiet machine next to nothing, so it tells how far a measurement was disturbed. Memory is the
proportional set size, which counts a page shared by several processes once.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Schedstat:
    """`/proc/PID/schedstat`: nanoseconds running, nanoseconds runnable but waiting, number of time slices."""

    running: int
    waiting: int
    slices: int

    def __add__(self, other: "Schedstat") -> "Schedstat":
        return Schedstat(
            self.running + other.running, self.waiting + other.waiting, self.slices + other.slices
        )


def parse_schedstat(text: str) -> Schedstat:
    """Parses the one line of a schedstat file. Raises ValueError when it has not three numbers."""
    fields = text.split()
    if len(fields) != 3:
        raise ValueError(f"not a schedstat line: {text!r}")
    return Schedstat(*map(int, fields))


def parse_pss(text: str) -> int:
    """Returns the bytes that the `Pss:` line of a `smaps_rollup` names. Raises ValueError without one."""
    found = re.search(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)
    if found is None:
        raise ValueError("no Pss line")
    return int(found[1]) * 1024


def tree(pid: int) -> list[int]:
    """Returns `pid` and its living descendants."""
    found = [pid]
    for parent in found:
        for task in (PROC / str(parent) / "task").glob("*"):
            try:
                found.extend(int(child) for child in (task / "children").read_text().split())
            except FileNotFoundError:
                continue
    return found


def cpu_nanoseconds(pid: int) -> int:
    """Returns the processor time that process `pid` has used, all its threads, in nanoseconds."""
    # What clock_getcpuclockid(3) computes: the process's number, inverted, and CPUCLOCK_SCHED.
    return time.clock_gettime_ns((~pid << 3) | 2)


def schedstat(pid: int) -> Schedstat:
    """Returns the sum over the living threads of process `pid`."""
    total = Schedstat(0, 0, 0)
    for task in (PROC / str(pid) / "task").glob("*"):
        try:
            total += parse_schedstat((task / "schedstat").read_text())
        except FileNotFoundError:
            continue
    return total


def memory(pid: int) -> int:
    """Returns the proportional set size of `pid` and its descendants, in bytes."""
    return sum(parse_pss((PROC / str(each) / "smaps_rollup").read_text()) for each in tree(pid))


def descriptors(pid: int) -> int:
    """Returns the number of open file descriptors of `pid` and its descendants."""
    return sum(len(os.listdir(PROC / str(each) / "fd")) for each in tree(pid))


@dataclass(frozen=True)
class Usage:
    """What a tree of processes used over a time. Seconds."""

    cpu: float
    waiting: float
    elapsed: float

    @property
    def utilisation(self) -> float:
        """Share of the elapsed time spent on the processor: 1 is one core, saturated."""
        return self.cpu / self.elapsed if self.elapsed else 0.0

    @property
    def disturbance(self) -> float:
        """Time spent waiting for the processor, as a share of the time it was had."""
        return self.waiting / self.cpu if self.cpu else 0.0


class Meter:
    """Measures a tree of processes from its creation to `read`."""

    def __init__(self, pid: int) -> None:
        self._pids = tree(pid)
        self._waiting = self._sum_waiting()
        self._cpu = self._sum_cpu()
        self._start = time.perf_counter()

    def _sum_cpu(self) -> int:
        return sum(cpu_nanoseconds(pid) for pid in self._pids)

    def _sum_waiting(self) -> int:
        return sum(schedstat(pid).waiting for pid in self._pids)

    def read(self) -> Usage:
        """Returns what was used so far. Raises OSError when a process has ended in between."""
        elapsed = time.perf_counter() - self._start
        cpu = self._sum_cpu() - self._cpu
        waiting = max(0, self._sum_waiting() - self._waiting)
        return Usage(cpu / 1e9, waiting / 1e9, elapsed)


def settle(pid: int, patience: float = 5.0) -> None:
    """Waits until the processes of `pid` do next to nothing, `patience` seconds at most."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        meter = Meter(pid)
        time.sleep(0.1)
        if meter.read().utilisation < 0.02:
            return


def settled_memory(pid: int, patience: float = 6.0) -> int:
    """Returns `memory(pid)` once two readings 0.5 s apart agree within 64 KiB, or after `patience`."""
    settle(pid)
    deadline = time.monotonic() + patience
    before = memory(pid)
    while True:
        time.sleep(0.5)
        now = memory(pid)
        if abs(now - before) <= 65536 or time.monotonic() >= deadline:
            return now
        before = now
