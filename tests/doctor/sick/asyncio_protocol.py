"""A protocol of plain asyncio raises on what a client sent: the connection is closed, and only a log line knows why."""

# under: asyncio

import asyncio


class Sum(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        total = sum(int(each) for each in data.split())  # finding: callback-failed
        self.transport.write(b"%d\n" % total)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sum, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"1 2 three\n")
    await reader.read()
    writer.close()
    await asyncio.sleep(10)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
