"""A pool of two connections, made of a queue, is shared by all clients of a server, and each holds one for long."""

# under: asyncio

import asyncio
import contextlib


class Pool:
    def __init__(self, size):
        self.free = asyncio.Queue()
        for number in range(size):
            self.free.put_nowait(number)

    @contextlib.asynccontextmanager
    async def connection(self):
        found = await self.free.get()  # finding: pool-waits
        try:
            yield found
        finally:
            self.free.put_nowait(found)


async def main():
    pool = Pool(2)

    async def serve(reader, writer):
        await reader.readline()
        async with pool.connection():  # finding: pool-waits
            await asyncio.sleep(0.7)
        writer.write(b"done\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def ask():
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"please\n")
            await reader.readline()
            writer.close()

    await asyncio.wait([asyncio.create_task(ask()) for _ in range(12)], timeout=60)


if __name__ == "__main__":
    asyncio.run(main())
