"""A program that presses all buttons of the page 'Break it' under the doctor, and prints what comes of it as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from eyewall import doctor
from eyewall.cli.demo.breaking.breaker import Breaker
from eyewall.cli.demo.breaking.catalogue import FAULTS
from eyewall.loop import run

from .waves import WAVES

#: How often a fault is pressed, at most: on a machine that does much else, one may be hidden by the others.
TIMES = 2


async def press(breaker: Breaker, name: str) -> float:
    began = time.monotonic()
    assert breaker.press(FAULTS[name])
    # Twice is once.
    assert not breaker.press(FAULTS[name])
    while name in breaker.running():
        await asyncio.sleep(0.05)
        if name in breaker.found():
            breaker.mend(FAULTS[name])
    return round(time.monotonic() - began, 1)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def main(waves: list[list[str]]) -> dict[str, Any]:
    doctor.enable(log_level="never")
    with tempfile.TemporaryDirectory(prefix="eyewall-demo-") as folder:
        breaker = Breaker(Path(folder), doctor.findings)
        took: dict[str, list[float]] = {}
        before = descriptors()
        for wave in waves:
            left = list(wave)
            for _ in range(TIMES):
                times = await asyncio.gather(*(press(breaker, name) for name in left))
                for name, seconds in zip(left, times, strict=True):
                    took.setdefault(name, []).append(seconds)
                left = [name for name in left if name not in breaker.found()]
        found = {name: finding.as_json() for name, finding in breaker.found().items()}
        await asyncio.sleep(0.2)
        tasks = [str(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        opened = descriptors() - before
        everything = [each.as_json() for each in doctor.findings()]
        shop = str(breaker.shop.folder)
        await breaker.close()
    return {
        "took": took,
        "found": found,
        "findings": everything,
        "shop": shop,
        "tasks": tasks,
        "opened": opened,
        "modules": [name for name in sys.modules if name.partition(".")[0] == "shop"],
    }


if __name__ == "__main__":
    chosen = [[name] for name in sys.argv[1:]] or WAVES
    Path(os.environ["PRESSED"]).write_text(json.dumps(run(main(chosen))))
