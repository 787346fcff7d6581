"""A process with a room, that publishes when it is told to: `python -m bench.guard.roomserver [REDIS_URL]`.

It says its port, then answers each line of its standard input with a line of JSON:

    publish RATE SECONDS    so many messages a second, each with the time at which it was published
    cpu                     seconds of CPU that it has used
    until STATUS            when the backplane is up or down: the seconds that it took
"""

import asyncio
import json
import sys
import time

import uvloop

from bench.machine import raise_descriptors
from eyewall.guard import Hub, RedisBackplane
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_sockets
from eyewall.web import Application, RoomHandler

#: Bytes of a message: a time in nanoseconds, and filling.
SIZE = 100


class Room(RoomHandler):
    def open(self) -> None:
        self.join("room")

    def on_message(self, message: str | bytes) -> None:
        pass


async def publish(hub: Hub, rate: float, seconds: float) -> dict[str, object]:
    """Publishes at a rate, whatever becomes of it; counts what does."""
    results = []
    loop = asyncio.get_running_loop()
    start = loop.time()
    count = int(rate * seconds)
    for number in range(count):
        delay = start + number / rate - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        results.append(hub.publish("room", str(time.monotonic_ns()).ljust(SIZE)))
    done = await asyncio.gather(*results)
    delivered = [result.delivered for result in done]
    return {
        "published": count,
        "delivered": sum(delivered),
        "reached": sum(result.reached for result in done),
        "seconds": loop.time() - start,
    }


async def until(hub: Hub, status: str) -> dict[str, object]:
    start = time.monotonic()
    while getattr(hub.backplane, "status", status) != status:
        await asyncio.sleep(0.001)
    return {"seconds": time.monotonic() - start}


async def main(url: str | None) -> None:
    raise_descriptors()
    hub = Hub("bench", backplane=RedisBackplane(url, stream="bench") if url else None)
    await hub.start()
    server = HTTPServer(Application([("/room", Room)], hub=hub))
    sockets = bind_sockets(0, "127.0.0.1", backlog=4096)
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command, *args = line.decode().split()
        answer: dict[str, object]
        if command == "publish":
            answer = await publish(hub, float(args[0]), float(args[1]))
        elif command == "until":
            answer = await until(hub, args[0])
        else:
            answer = {"cpu": time.process_time()}
        print(json.dumps(answer), flush=True)
    server.stop()
    await server.close_all_connections()
    await hub.close()


if __name__ == "__main__":
    uvloop.run(main(*(sys.argv[1:] or [None])))
