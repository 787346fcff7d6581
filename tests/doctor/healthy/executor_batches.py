"""A worker and the requests of one client hand in batches of jobs, one after the other: each is worked off."""

# under: asyncio

import asyncio
import concurrent.futures
import time

reports = concurrent.futures.ThreadPoolExecutor(4)
images = concurrent.futures.ThreadPoolExecutor(3)


def part(number):
    time.sleep(0.05)
    return number


async def batch(executor, size):
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*[loop.run_in_executor(executor, part, number) for number in range(size)])


async def serve(reader, writer):
    while await reader.readline():
        writer.write(b"%d\n" % len(await batch(reports, 120)))
    writer.close()


async def work(stop):
    while not stop.is_set():
        await batch(images, 200)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    stop = asyncio.Event()
    worker = asyncio.create_task(work(stop))
    for _ in range(10):
        writer.write(b"report\n")
        assert await reader.readline() == b"120\n"
    writer.close()
    stop.set()
    await worker


if __name__ == "__main__":
    asyncio.run(main())
