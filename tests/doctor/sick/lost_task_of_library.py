"""A task runs a coroutine of a library, and fails in there: of the application there is the line that started it."""

# under: asyncio

import asyncio
import socket

connecting = []


def connect(port):
    connecting.append(
        asyncio.create_task(asyncio.open_connection("127.0.0.1", port))
    )  # finding: task-exception-unread


async def main():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        connect(nobody.getsockname()[1])
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main())
