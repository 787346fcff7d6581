"""What a hub says that it keeps is what it takes in memory, also of the frames and events that rooms have made."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.client import websocket_connect
from eyewall.guard.topics.hub import Hub
from eyewall.guard.topics.replay import Replay
from eyewall.web.rooms import TopicHandler, _event, _prepared
from tests.waiting import until

from .test_rooms import Chat, serving, talk

Run = Callable[[Coroutine[Any, Any, Any]], Any]

ALL = Replay(messages=10_000, bytes=2**30, age=1e9)


@pytest.mark.parametrize("length", [0, 5000])
@pytest.mark.parametrize("data", ["a", b"\xff", "é", "漢", "😀"])
@pytest.mark.parametrize("forms", ["", "frame", "event", "frame event"])
def test_what_is_kept_is_what_is_in_memory(data: str | bytes, length: int, forms: str) -> None:
    if isinstance(data, bytes) and "event" in forms:
        data = b"b"  # an event is text
    count = 300

    async def main() -> tuple[int, int]:
        hub = Hub(replay=ALL, kept_bytes=2**30)
        # What is made once, and not for each message.
        await hub.publish("room", "first")
        # What others have left is not gone through.
        gc.freeze()
        tracemalloc.start()
        try:
            before, said = tracemalloc.get_traced_memory()[0], hub.topic("room").log.bytes
            for number in range(count):
                mark = b"%03d" % number if isinstance(data, bytes) else f"{number:03}"
                await hub.publish("room", data * length + mark)  # type: ignore[operator]
                message = hub.recent("room", 1)[0]
                if "frame" in forms:
                    _prepared(message).frame_for(None)
                    message.weigh()
                if "event" in forms:
                    _event(message)
            gc.collect()
            taken = tracemalloc.get_traced_memory()[0] - before
            kept = hub.topic("room").log.bytes - said
        finally:
            tracemalloc.stop()
            gc.unfreeze()
        assert hub.state()["kept"] == count + 1
        return taken, kept

    taken, kept = asyncio.run(main())
    assert kept == pytest.approx(taken, rel=0.25 if length == 0 else 0.03)


def test_the_frames_of_a_room_and_the_events_of_its_streams_count(run: Run) -> None:
    class Compressing(Chat):
        def get_compression_options(self) -> dict[str, Any]:
            return {}

    class Following(TopicHandler):
        def topics(self, room: str) -> list[str]:
            return [room]

    async def main() -> None:
        hub = Hub(replay=ALL)
        size = 3000
        async with serving(hub, chat=Compressing, stream=Following) as where:
            await hub.publish("lobby", "x" * size)
            log = hub.topic("lobby").log
            alone = log.bytes
            socket = await talk(where)
            await until(lambda: hub.members("lobby"))
            await hub.publish("lobby", "x" * size)
            assert await socket.read_message() == "x" * size
            # The text, its bytes, and the frame.
            with_frame = log.bytes - alone
            assert with_frame >= alone + 2 * size
            # Another kind of frame for the same message.
            squeezing = await websocket_connect(f"ws{where}/chat/lobby", compression_options={})
            await until(lambda: len(hub.members("lobby")) == 2)
            await hub.publish("lobby", "x" * size)
            assert await squeezing.read_message() == "x" * size
            with_frames = log.bytes - alone - with_frame
            assert with_frames > with_frame
            # An event stream that comes back has events made of what was kept.
            before = log.bytes
            _, writer = await asyncio.open_connection(*where.removeprefix("://").split(":"))
            writer.write(b"GET /events/lobby HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 0-0\r\n\r\n")
            await until(lambda: log.bytes >= before + 3 * size)
            writer.close()
            assert log.bytes == sum(message.weight for message in log.recent(9, 0.0)) == hub._kept.bytes

    run(main())
