"""A gateway: each client has a connection to another service, over which nothing goes for long. A pool is filled at the
start and used by few, and a batch keeps its tasks until it gathers them.
"""

# under: asyncio

import asyncio
import contextlib
import itertools
import os

SECONDS = float(os.environ.get("HEALTHY_SECONDS", "25"))

there = {}
numbers = itertools.count()
pool = []


async def service(reader, writer):
    with contextlib.closing(writer):
        async for line in reader:
            writer.write(line)


async def gateway(reader, writer):
    number = next(numbers)
    # Nobody reads from it before the client says something.
    there[number] = await asyncio.open_connection(*gateway.service)
    try:
        async for line in reader:
            there[number][1].write(line)
            writer.write(await there[number][0].readline())
    finally:
        there.pop(number)[1].close()
        writer.close()


async def visit(address, seconds):
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.closing(writer), contextlib.suppress(TimeoutError):
        await asyncio.wait_for(reader.read(1), seconds)


async def fill(address):
    for _ in range(50):
        pool.append(await asyncio.open_connection(*address))
        await asyncio.sleep(0.1)
    while True:
        reader, writer = pool.pop(0)
        writer.write(b"used\n")
        await reader.readline()
        pool.append((reader, writer))
        await asyncio.sleep(0.1)


async def look_up(number):
    await asyncio.sleep(0.5)
    return number


async def batch():
    while True:
        tasks = []
        for number in range(300):
            tasks.append(asyncio.create_task(look_up(number)))
            await asyncio.sleep(0.04)
        await asyncio.gather(*tasks)


async def main():
    servers = [await asyncio.start_server(each, "127.0.0.1", 0) for each in (service, gateway)]
    gateway.service, address = (each.sockets[0].getsockname() for each in servers)
    working = [asyncio.create_task(fill(gateway.service)), asyncio.create_task(batch())]
    end = asyncio.get_running_loop().time() + SECONDS
    visits = []
    while (left := end - asyncio.get_running_loop().time()) > 0:
        visits.append(asyncio.create_task(visit(address, left)))
        await asyncio.sleep(0.12)
    await asyncio.gather(*visits)
    for each in working:
        each.cancel()
    await asyncio.gather(*working, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
