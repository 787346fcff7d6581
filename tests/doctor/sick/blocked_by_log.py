"""A program logs into a pipe whose reader has fallen asleep: when the pipe is full, the program stands still."""

# under: asyncio

import asyncio
import logging
import os
import threading

log = logging.getLogger("orders")


def drain(descriptor):
    threading.Event().wait(4)
    while os.read(descriptor, 65536):
        pass


async def main():
    reading, writing = os.pipe()
    threading.Thread(target=drain, args=(reading,), daemon=True).start()
    log.addHandler(logging.StreamHandler(os.fdopen(writing, "w")))
    log.propagate = False
    for number in range(2000):
        log.warning("order %d: %s", number, "x" * 100)  # finding: loop-blocked-logging
        await asyncio.sleep(0)
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
