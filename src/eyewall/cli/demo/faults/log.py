"""A program logs into a pipe whose reader has fallen asleep: when the pipe is full, the program stands still."""

import asyncio
import logging
import os
import threading
import time

from eyewall.cli.demo.customers import Customers

log = logging.getLogger("shop.orders")
log.propagate = False


def read_late(descriptor: int) -> None:
    time.sleep(1.5)
    while os.read(descriptor, 65536):
        pass
    os.close(descriptor)


async def press(customers: Customers) -> None:
    reading, writing = os.pipe()
    threading.Thread(target=read_late, args=(reading,), daemon=True).start()
    with os.fdopen(writing, "w") as pipe:
        handler = logging.StreamHandler(pipe)
        log.addHandler(handler)
        try:
            for number in range(1000):
                log.warning("order %d: %s", number, "x" * 100)  # finding: loop-blocked-logging
                await asyncio.sleep(0)
        finally:
            log.removeHandler(handler)
