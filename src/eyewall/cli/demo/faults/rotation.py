"""A signal handler saves everything, which takes its time: it has interrupted the loop, in the middle of anything."""

import asyncio
import os
import signal
import time
from types import FrameType

from eyewall.cli.demo.customers import Customers


def save(number: int, frame: FrameType | None) -> None:
    for _ in range(12):
        time.sleep(0.1)  # finding: loop-blocked-signal


async def press(customers: Customers) -> None:
    before = signal.signal(signal.SIGUSR2, save)
    try:
        os.kill(os.getpid(), signal.SIGUSR2)
        await asyncio.sleep(0.1)
    finally:
        signal.signal(signal.SIGUSR2, before)
