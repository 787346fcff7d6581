"""websockets on uvloop, with its own `broadcast`."""

import asyncio

import uvloop
from common import HOST, options
from websockets.asyncio.server import broadcast, serve

MEMBERS = set()


async def handler(connection):
    if connection.request.path == "/room":
        MEMBERS.add(connection)
        try:
            async for message in connection:
                broadcast(MEMBERS, message)
        finally:
            MEMBERS.discard(connection)
    else:
        async for message in connection:
            await connection.send(message)


async def main():
    # Compression is negotiated only with the clients that offer it.
    async with serve(handler, HOST, options().port, backlog=4096):
        await asyncio.Event().wait()


uvloop.run(main())
