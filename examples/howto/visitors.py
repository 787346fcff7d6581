"""Visitors who come and go: python examples/howto/visitors.py URL SECONDS, of a WebSocket or of a page"""

import asyncio
import sys
import time

from eyewall.client import AsyncHTTPClient, websocket_connect


async def visit(url: str, number: int) -> None:
    if url.startswith("ws"):
        (await websocket_connect(url)).close()
    else:
        await AsyncHTTPClient().fetch(url.replace("NUMBER", str(number)))


async def main() -> None:
    end = time.monotonic() + float(sys.argv[2])
    number = 0
    while time.monotonic() < end:
        number += 1
        await visit(sys.argv[1], number)
        await asyncio.sleep(0.02)


asyncio.run(main())
