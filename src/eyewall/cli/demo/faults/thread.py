"""A coroutine joins a thread, and the thread waits for the loop that the coroutine runs in."""

import asyncio
import contextlib
import threading

from eyewall.cli.demo.customers import Customers


async def look_up(name: str) -> str:
    return name.upper()


def work(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.suppress(TimeoutError):
        print(asyncio.run_coroutine_threadsafe(look_up("tea"), loop).result(timeout=3))


async def press(customers: Customers) -> None:
    thread = threading.Thread(target=work, args=(asyncio.get_running_loop(),))
    thread.start()
    thread.join()  # finding: loop-waits-for-itself
