"""A server with a room and streams, to be run several times: `python -m tests.web.roomserver REDIS_URL`.

Its first line of output says on which port it listens.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from eyewall.base import probe
from eyewall.guard.topics.hub import Hub
from eyewall.guard.topics.redisplane import RedisBackplane
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_sockets
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler
from eyewall.web.rooms import RoomHandler, TopicHandler


class Room(RoomHandler):
    def open(self) -> None:
        self.join("room")
        self.write_message("welcome")

    def on_message(self, message: str | bytes) -> None:
        raise AssertionError("nobody says anything here")


class Stream(TopicHandler):
    TOPICS = ("room",)


class Publish(RequestHandler):
    async def post(self) -> None:
        result = await self.settings["hub"].publish("room", self.request.body.decode())
        self.write({"delivered": result.delivered, "reached": result.reached, "reason": result.reason})


class Until(RequestHandler):
    """Answers when the backplane has a state: `up` or `down`."""

    async def get(self, wanted: str) -> None:
        plane = self.settings["plane"]
        reached = asyncio.Event()

        def listen(item: object, event: str, details: object) -> None:
            if item is plane and event == wanted:
                reached.set()

        detach = probe.guard_event.attach(listen)
        try:
            if plane.status != wanted:
                await reached.wait()
        finally:
            detach()
        self.write("yes")


class State(RequestHandler):
    def get(self) -> None:
        hub = self.settings["hub"]
        topic = hub.topic("room")
        self.write(
            {
                "members": len(topic.presence),
                "here": topic.subscribers,
                "topic": dict(topic.counters()),
                "backplane": {**self.settings["plane"].state(), **self.settings["plane"].counters()},
            }
        )


async def main(url: str) -> None:
    # All but the connections to Redis is as ever; those are tried again without much of a delay.
    plane = RedisBackplane(url, first_delay=0.01, most_delay=0.1, timeout=30.0)
    hub = Hub("test", backplane=plane)
    await hub.start()
    routes = [
        ("/room", Room),
        ("/stream", Stream),
        ("/publish", Publish),
        ("/until/(up|down)", Until),
        ("/state", State),
    ]
    server = HTTPServer(Application(routes, hub=hub, plane=plane))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(sockets[0].getsockname()[1], flush=True)
    await stop.wait()
    server.stop()
    await server.close_all_connections()
    await hub.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
