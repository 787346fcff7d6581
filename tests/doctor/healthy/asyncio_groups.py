"""What plain asyncio programs do all day: groups, timeouts, cancellation, retries, streams, threads, subprocesses."""

# under: asyncio

import asyncio
import contextlib
import sys


async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def ask(address):
    reader, writer = await asyncio.open_connection(*address)
    for number in range(20):
        writer.write(b"%d\n" % number)
        await writer.drain()
        await reader.readline()
    writer.close()
    await writer.wait_closed()


async def fails(number):
    await asyncio.sleep(0.01)
    raise ValueError(number)


async def retry():
    for number in range(3):
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(10)
        except TimeoutError:
            print("attempt", number)


async def cleans_up():
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(1.5)


async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(ask(address))
        group.create_task(retry())
        group.create_task(asyncio.to_thread(sum, range(1000)))
    print(await asyncio.gather(*(fails(number) for number in range(5)), return_exceptions=True))
    with contextlib.suppress(ValueError):
        await asyncio.gather(fails(1), fails(2))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails(1))
            group.create_task(asyncio.sleep(100))
    except* ValueError as errors:
        print(errors.exceptions)
    # Goes on for long after the group has cancelled it.
    await asyncio.sleep(2)
    task = asyncio.create_task(cleans_up())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('child')")
    await process.wait()
    server.close()
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(main())
