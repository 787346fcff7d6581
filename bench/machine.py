"""The machine a benchmark runs on: which core for whom, limits, and a description for the report."""

import os
import platform
import re
import resource
import signal
import sys
from pathlib import Path


def cores() -> tuple[int, int]:
    """Returns the cores for the server and for the load: two different ones where there are two."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def pin(core: int) -> None:
    """Keeps this process, and those it starts from now on, on `core`."""
    os.sched_setaffinity(0, {core})


def end_cleanly() -> None:
    """Makes SIGTERM an ordinary exit, so that no server is left behind."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def raise_descriptors() -> int:
    """Raises the soft limit of open files to the hard one and returns it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def describe() -> dict[str, str]:
    """Returns what a reader must know of the machine."""
    processor = "unknown"
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        processor = found[1] if found else processor
    except FileNotFoundError:
        pass
    server, load = cores()
    return {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pinning": f"server on core {server}, load on core {load}"
        + ("" if server != load else " (the same: only one is usable, expect noise)"),
    }
