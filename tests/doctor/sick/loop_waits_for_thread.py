"""A coroutine joins a thread that waits for the loop."""

# under: asyncio
# also: loop-blocked-waiting, task-destroyed

import asyncio
import contextlib
import threading


async def look_up(name):
    await asyncio.sleep(0.01)
    return name.upper()


def work(loop):
    with contextlib.suppress(TimeoutError):
        print(asyncio.run_coroutine_threadsafe(look_up("tea"), loop).result(8))


async def main():
    await asyncio.sleep(0.6)
    thread = threading.Thread(target=work, args=(asyncio.get_running_loop(),))
    thread.start()
    thread.join()  # finding: loop-waits-for-itself
    await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main())
