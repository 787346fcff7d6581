"""An HTTP client: fetches many pages, saves a large one, sends a large file.
python examples/fetch.py get http://127.0.0.1:8000/a http://127.0.0.1:8000/b
python examples/fetch.py save http://127.0.0.1:8000/numbers/1000000.csv numbers.csv
python examples/fetch.py send numbers.csv http://127.0.0.1:8000/digest"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from eyewall.client import AsyncHTTPClient, HTTPClientError
from eyewall.loop import run


async def get(*urls: str) -> None:
    """Fetches all of them at once, as far as `max_clients` allows."""
    client = AsyncHTTPClient()

    async def show(url: str) -> None:
        try:
            response = await client.fetch(url, request_timeout=10)
        except (HTTPClientError, OSError) as error:
            print(f"{url}: {error}")
        else:
            print(f"{url}: {response.code}, {len(response.body)} bytes")

    await asyncio.gather(*map(show, urls))


async def save(url: str, name: str) -> None:
    """Writes a response to a file while it arrives; the server waits while the disk is slow."""
    client = AsyncHTTPClient()
    with await asyncio.to_thread(open, name, "wb") as file:
        async with client.stream(url) as response:
            async for chunk in response:
                await asyncio.to_thread(file.write, chunk)
    print(f"saved {response.headers.get('Content-Type')}")


async def send(name: str, url: str) -> None:
    """Sends a file that does not fit into memory."""

    async def produce(write: Callable[[bytes], Awaitable[None]]) -> None:
        with await asyncio.to_thread(open, name, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, 65536):
                # Waits while the server is slow to read.
                await write(chunk)

    client = AsyncHTTPClient()
    response = await client.fetch(url, method="PUT", body_producer=produce, request_timeout=0)
    print(response.body.decode())


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"get": get, "save": save, "send": send}

if __name__ == "__main__":
    run(COMMANDS[sys.argv[1]](*sys.argv[2:]))
