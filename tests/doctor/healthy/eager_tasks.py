"""Tasks begin at once, where Python can do that: many end before anybody waits for them, some with an exception."""

# under: asyncio

import asyncio
import contextlib
import sys

found = {}
background = set()


def at_once(loop, coro, **keywords):
    keywords.pop("eager_start", None)
    return asyncio.Task(coro, loop=loop, eager_start=True, **keywords)


async def fails(number):
    if number % 2:
        await asyncio.sleep(0)
    raise ValueError(number)


async def looked_up(key):
    if key not in found:
        await asyncio.sleep(0.01)
        found[key] = key * 2
    return found[key]


async def beats(beats_of):
    while True:
        beats_of.append(await asyncio.create_task(looked_up(len(beats_of) % 5)))
        await asyncio.sleep(0.02)


async def cleans_up(event):
    try:
        await event.wait()
    finally:
        await asyncio.sleep(1.5)


def ended(task):
    background.discard(task)
    if not task.cancelled() and task.exception() is not None:
        print("logged:", task.exception())


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def main():
    if sys.version_info >= (3, 12):
        asyncio.get_running_loop().set_task_factory(at_once)
    pulse = asyncio.create_task(beats([]))
    for number in range(4):
        with contextlib.suppress(ValueError):
            await asyncio.create_task(fails(number))
        task = asyncio.create_task(fails(number))
        background.add(task)
        task.add_done_callback(ended)
    print(await asyncio.gather(*map(fails, range(4)), *map(looked_up, range(4)), return_exceptions=True))
    async with asyncio.TaskGroup() as group:
        for key in range(10):
            group.create_task(looked_up(key))
    # Its end is read when it is of interest.
    late = asyncio.create_task(fails(0))
    await asyncio.sleep(0.1)
    print(repr(late.exception()))
    slow = asyncio.create_task(cleans_up(asyncio.Event()))
    slow.cancel()
    lock = asyncio.Lock()
    async with lock:
        waiting = asyncio.create_task(lock.acquire())
        await asyncio.sleep(1)
    await waiting
    lock.release()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for number in range(10):
        writer.write(b"%d\n" % number)
        await reader.readline()
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    await asyncio.wait([slow])
    pulse.cancel()
    await asyncio.wait([pulse])


if __name__ == "__main__":
    asyncio.run(main())
