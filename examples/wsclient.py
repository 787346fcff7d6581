"""A WebSocket client: says its arguments, prints what it hears. Run it beside examples/chat.py:
python examples/wsclient.py ws://127.0.0.1:8000/socket hello"""

import asyncio
import sys

from eyewall.client import websocket_connect
from eyewall.loop import run


async def talk(url: str, words: list[str]) -> None:
    connection = await websocket_connect(url, connect_timeout=5)
    for word in words:
        # Waits while the server is slow to read.
        await connection.write_message(word)
    try:
        async with asyncio.timeout(10):
            while words:
                message = await connection.read_message()
                if message is None:
                    print(f"closed by the server: {connection.close_code} {connection.close_reason}")
                    return
                print(message)
                words = [word for word in words if word not in str(message)]
    finally:
        connection.close(1000, "bye")


if __name__ == "__main__":
    run(talk(sys.argv[1], sys.argv[2:]))
