"""A server of lines keeps its end of a connection open, and a task that waits, when the client has closed its own."""

# under: asyncio

import asyncio
import contextlib


class Session:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.paid = asyncio.Event()

    async def run(self):
        async for line in self.reader:
            self.writer.write(line)
        await self.paid.wait()  # finding: descriptors-leak
        self.writer.close()


class Desk:
    def __init__(self):
        self.sessions = {}

    async def serve(self, reader, writer):
        session = self.sessions[id(writer)] = Session(reader, writer)
        await session.run()

    def pay(self, number):
        self.sessions.pop(number).paid.set()


async def visit(address):
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.closing(writer):
        writer.write(b"hello\n")
        await reader.readline()


async def main():
    server = await asyncio.start_server(Desk().serve, "127.0.0.1", 0)
    for _ in range(400):
        await visit(server.sockets[0].getsockname())
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
