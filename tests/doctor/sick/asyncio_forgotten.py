"""A plain asyncio server forgets to drain its writer: the bytes of a slow reader pile up."""

# under: asyncio

import asyncio


async def serve(reader, writer):
    line = await reader.readline()
    writer.write(line.upper())
    writer.drain()  # finding: coroutine-never-awaited
    writer.close()
    await writer.wait_closed()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    print(await reader.read())
    writer.close()
    await asyncio.sleep(10)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
