"""WebSockets in rooms and event streams of topics, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from eyewall.client import WebSocketClientConnection, websocket_connect
from eyewall.guard.profile import KIB, NATIVE
from eyewall.guard.topics.buffers import Policy, Slow
from eyewall.guard.topics.hub import Hub, RoomFull
from eyewall.guard.topics.presence import Change
from eyewall.guard.topics.replay import Replay
from eyewall.guard.topics.topic import Topic
from eyewall.http.server import HTTPServer
from eyewall.web.application import Application
from eyewall.web.rooms import RoomHandler, StreamSeat, TopicHandler
from eyewall.websocket.protocols import WebSocketParams, WebSocketProtocol13
from tests.waiting import turns, until

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Chat(RoomHandler):
    """Joins the room of its path; says what it is told to."""

    made: list[weakref.ref[Chat]] = []
    closed: list[tuple[list[str], int]] = []
    recent = 0

    def open(self, room: str) -> None:
        self.made.append(weakref.ref(self))
        try:
            self.join(room, who=self.get_argument("who", None), about={"n": 1}, recent=self.recent)
        except RoomFull:
            self.close(1013, "full")

    def on_message(self, message: str | bytes) -> None:
        if message == "leave":
            self.leave()
            self.write_message("left")
        else:
            self.publish(self.open_args[0], message, but=self.get_argument("but", None))

    def on_close(self) -> None:
        self.closed.append((self.rooms, len(self.members(self.open_args[0]))))


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Chat.made = []
    Chat.closed = []


@contextlib.asynccontextmanager
async def serving(
    hub: Hub, *, chat: type[RoomHandler] = Chat, stream: type[TopicHandler] = TopicHandler, **limits: Any
) -> AsyncIterator[str]:
    """Serves both kinds; yields what follows the scheme in their URLs."""
    profile = NATIVE.replace(**limits)
    app = Application([("/chat/(.*)", chat), ("/events/(.*)", stream)], hub=hub, profile=profile)
    listening = socket.create_server(("127.0.0.1", 0))
    server = HTTPServer(app, profile=profile)
    server.add_sockets([listening])
    try:
        yield f"://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.stop()
        await server.close_all_connections()


async def talk(where: str, room: str = "lobby", query: str = "") -> WebSocketClientConnection:
    return await websocket_connect(f"ws{where}/chat/{room}{query}")


# -- WebSockets ---------------------------------------------------------------------------------------------


def test_everybody_in_a_room_hears_it_and_nobody_else(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        async with serving(hub) as where:
            one, two, other = await talk(where), await talk(where), await talk(where, "elsewhere")
            await until(lambda: len(hub.members("lobby")) == 2 and hub.members("elsewhere"))
            await one.write_message("hello")
            await two.write_message(b"\x00\xff", binary=True)
            for socket_ in (one, two):
                assert {await socket_.read_message(), await socket_.read_message()} == {"hello", b"\x00\xff"}
            result = await hub.publish("elsewhere", {"n": 1})
            assert (result.reached, result.delivered) == (1, True)
            assert await other.read_message() == '{"n": 1}'
            await one.write_message("leave")
            assert await one.read_message() == "left"
            assert (await hub.publish("lobby", "x")).reached == 1

    run(main())


def test_who_closes_leaves_before_on_close_and_is_kept_alive_by_nothing(run: Run) -> None:
    async def main() -> None:
        hub = Hub(replay=Replay(messages=0))
        async with serving(hub) as where:
            one, two = await talk(where), await talk(where)
            await until(lambda: len(hub.members("lobby")) == 2)
            one.close()
            assert await one.read_message() is None
            await until(lambda: Chat.closed)
            assert Chat.closed == [([], 1)]
            # And one that goes without a word.
            assert two.connection is not None
            two.connection.abort()
            await until(lambda: len(Chat.closed) == 2)
            assert hub.members("lobby") == []
            assert hub.find("lobby") is None
            await turns()
            gc.collect()
            assert [handler() for handler in Chat.made] == [None, None]

    run(main())


def test_presence_is_announced_to_the_others(run: Run) -> None:
    def announce(topic: Topic, change: Change) -> None:
        if change.alone:
            topic.announce({"type": change.kind, "who": change.member.who}, but=change.member.who)

    async def main() -> None:
        hub = Hub(on_presence=announce)
        async with serving(hub) as where:
            ada = await talk(where, query="?who=ada")
            await until(lambda: hub.members("lobby"))
            bob, again = await talk(where, query="?who=bob"), await talk(where, query="?who=bob")
            assert await ada.read_message() == '{"type": "joined", "who": "bob"}'
            await until(lambda: len(hub.members("lobby")) == 3)
            bob.close()
            assert await bob.read_message() is None
            again.close()
            assert await again.read_message() is None
            assert await ada.read_message() == '{"type": "left", "who": "bob"}'
            await ada.write_message("end")
            assert await ada.read_message() == "end"

    run(main())


def test_a_message_may_be_for_everybody_else(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        async with serving(hub) as where:
            ada, bob = await talk(where, query="?who=ada&but=ada"), await talk(where, query="?who=bob")
            await until(lambda: len(hub.members("lobby")) == 2)
            await ada.write_message("for bob")
            assert await bob.read_message() == "for bob"
            await bob.write_message("for all")
            assert await ada.read_message() == "for all"

    run(main())


def test_a_full_room_lets_nobody_in(run: Run) -> None:
    async def main() -> None:
        hub = Hub(members=1)
        async with serving(hub) as where:
            one = await talk(where)
            await until(lambda: hub.members("lobby"))
            two = await talk(where)
            assert await two.read_message() is None
            assert (two.close_code, two.close_reason) == (1013, "full")
            assert (await hub.publish("lobby", "x")).reached == 1
            assert await one.read_message() == "x"

    run(main())


def test_joining_again_says_something_else_and_only_an_open_one_joins(run: Run) -> None:
    class Twice(Chat):
        def prepare(self) -> None:
            with pytest.raises(RuntimeError, match="while it is open"):
                self.join("lobby")

        def on_message(self, message: str | bytes) -> None:
            membership = self.join("lobby", about={"n": 2})
            assert membership is self.join("lobby")
            self.write_message(json.dumps([self.rooms, dict(membership.member.about)]))

    async def main() -> None:
        hub = Hub()
        async with serving(hub, chat=Twice) as where:
            one = await talk(where)
            await one.write_message("x")
            assert await one.read_message() == '[["lobby"], {"n": 2}]'
            assert len(hub.members("lobby")) == 1

    run(main())


def test_a_new_member_gets_what_was_said_last(run: Run) -> None:
    class Recent(Chat):
        recent = 2

    async def main() -> None:
        hub = Hub()
        for text in "abc":
            await hub.publish("lobby", text)
        async with serving(hub, chat=Recent) as where:
            one = await talk(where)
            assert [await one.read_message() for _ in range(2)] == ["b", "c"]

    run(main())


def test_an_application_without_a_hub_is_told(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(None) as where:  # type: ignore[arg-type]
            one = await talk(where)
            assert await one.read_message() is None
            assert one.close_code == 1011

    run(main())
    assert "hub" in caplog.text


def test_an_own_protocol_object_is_written_through(run: Run) -> None:
    class Loud(WebSocketProtocol13):
        def write_message(self, message: Any, binary: bool = False) -> Any:
            return super().write_message(message.upper(), binary)

    class Shouting(Chat):
        def get_websocket_protocol(self) -> WebSocketProtocol13:
            return Loud(self, False, WebSocketParams())

    async def main() -> None:
        hub = Hub()
        async with serving(hub, chat=Shouting) as where:
            one = await talk(where)
            await until(lambda: hub.members("lobby"))
            assert (await hub.publish("lobby", "hello")).reached == 1
            assert await one.read_message() == "HELLO"

    run(main())


class Lazy:
    """A client that opens a WebSocket and reads nothing until it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, where: str, path: str, *, upgrade: bool = True) -> Lazy:
        host, port = where.removeprefix("://").split(":")
        sock = socket.socket()
        # As little as the kernel gives: so that what waits for it soon waits in the server.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((host, int(port)))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        fields = ""
        if upgrade:
            fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            fields += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{fields}\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def frame(self) -> tuple[int, bytes]:
        """Reads one frame of the server."""
        first, size = await self.reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await self.reader.readexactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self.reader.readexactly(8), "big")
        return first & 15, await self.reader.readexactly(size)


def numbered(number: int, size: int = 32 * KIB) -> str:
    return f"{number:06}".ljust(size, "x")


@pytest.mark.parametrize("policy", ["drop_oldest", "coalesce", "disconnect"])
def test_a_slow_client_is_dealt_with_and_the_others_hear_everything(run: Run, policy: Policy) -> None:
    class Slowly(Chat):
        SLOW = Slow(policy, messages=4, bytes=10**6, code=4000, reason="too slow")

    async def main() -> None:
        hub = Hub()
        async with serving(hub, chat=Slowly, write_high_water=16 * KIB) as where:
            swift = await talk(where)
            lazy = await Lazy.open(where, "/chat/lobby")
            await until(lambda: len(hub.members("lobby")) == 2)
            topic = hub.topic("lobby")
            number = 0
            # Until the kernel takes no more for it, and its buffer neither.
            while not topic.counters()["dropped"]:
                await hub.publish("lobby", numbered(number), key="k" if number % 2 else None)
                assert await swift.read_message() == numbered(number)
                number += 1
            heard = []
            if policy == "disconnect":
                opcode = 0
                while opcode != 8:
                    opcode, payload = await lazy.frame()
                    heard.append(payload[:6])
                assert heard.pop() == (4000).to_bytes(2, "big") + b"too "
                assert heard == [b"%06d" % each for each in range(len(heard))]
                assert topic.counters()["disconnected"] == 1
                lazy.writer.close()
                await until(lambda: len(hub.members("lobby")) == 1)
                return
            assert topic.state()["behind"] == 1
            last = b"%06d" % (number - 1)
            while not heard or heard[-1] != last:
                heard.append((await lazy.frame())[1][:6])
            # Something is missing, nothing comes twice or out of order, and now it keeps up again.
            assert len(heard) == number - topic.counters()["dropped"]
            assert heard == sorted(set(heard))
            await until(lambda: topic.state()["behind"] == 0)
            await hub.publish("lobby", "end")
            assert (await lazy.frame())[1] == b"end"
            lazy.writer.close()

    run(main())


# -- event streams ------------------------------------------------------------------------------------------


class Follow(TopicHandler):
    def topics(self, names: str) -> list[str]:
        return names.split(",")


class Stream:
    """An event stream, read event by event, each a dict of fields; `id` is the last one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.id = ""

    @classmethod
    async def open(cls, where: str, names: str, after: str | None = None) -> Stream:
        host, port = where.removeprefix("://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        field = "" if after is None else f"Last-Event-ID: {after}\r\n"
        # Of HTTP/1.0, so that there are no chunks to be taken apart.
        writer.write(f"GET /events/{names} HTTP/1.0\r\nHost: {host}\r\n{field}\r\n".encode())
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def event(self) -> dict[str, str]:
        text = (await self.reader.readuntil(b"\n\n")).decode()
        fields = dict(line.split(": ", 1) for line in text.splitlines() if line)
        self.id = fields.get("id", self.id)
        return fields

    def close(self) -> str:
        self.writer.close()
        return self.id


def test_a_stream_goes_on_where_it_was_left(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        async with serving(hub, stream=Follow) as where:
            stream = await Stream.open(where, "news,sport")
            first = await stream.event()
            assert list(first) == ["id"]
            # It has missed nothing, though it has seen no event yet.
            last = stream.close()
            await until(lambda: not hub.find("news"))
            await hub.publish("news", {"n": 1}, event="flash")
            await hub.publish("sport", "two\nlines")
            stream = await Stream.open(where, "news,sport", last)
            event = await stream.event()
            assert (event["event"], event["data"]) == ("flash", '{"n": 1}')
            assert (await stream.event())["data"] == "lines"
            await hub.publish("news", "live")
            live = await stream.event()
            assert live["data"] == "live"
            assert live["id"] > first["id"]
            last = stream.close()
            stream = await Stream.open(where, "news,sport", last)
            await until(lambda: hub.topic("news").subscribers == 1)
            await hub.publish("sport", "next")
            assert (await stream.event())["data"] == "next"
            stream.close()

    run(main())


def test_a_gap_is_told(run: Run) -> None:
    async def main() -> None:
        hub = Hub(replay=Replay(messages=2))
        async with serving(hub, stream=Follow) as where:
            results = [await hub.publish("news", str(number)) for number in range(4)]
            stream = await Stream.open(where, "news", str(results[0].id))
            gap = await stream.event()
            assert (gap["event"], gap["data"]) == ("gap", '{"topic": "news"}')
            assert [(await stream.event())["data"] for _ in range(2)] == ["2", "3"]
            # Something is lost while it listens.
            hub.lost()
            assert (await stream.event())["event"] == "gap"
            last = stream.close()
            assert last.endswith("+")
            stream = await Stream.open(where, "news", last)
            await until(lambda: hub.topic("news").subscribers == 1)
            await hub.publish("news", "next")
            assert (await stream.event())["data"] == "next"
            stream.close()
            stream = await Stream.open(where, "news", "nonsense")
            assert (await stream.event())["event"] == "gap"
            stream.close()

    run(main())


def test_a_new_stream_gets_the_last_messages(run: Run) -> None:
    class Recent(TopicHandler):
        TOPICS = ("news",)
        RECENT = 2

        def topics(self, *args: Any) -> tuple[str, ...]:
            return self.TOPICS

    async def main() -> None:
        hub = Hub()
        async with serving(hub, stream=Recent) as where:
            for number in range(3):
                await hub.publish("news", str(number))
            stream = await Stream.open(where, "x")
            assert [(await stream.event())["data"] for _ in range(2)] == ["1", "2"]
            stream.close()
            await until(lambda: hub.topic("news").subscribers == 0)

    run(main())


def test_a_stream_that_is_slow_keeps_to_its_buffer(run: Run) -> None:
    class Slowly(Follow):
        SLOW = Slow(messages=3, bytes=10**6)

    async def main() -> None:
        hub = Hub(replay=Replay(messages=0))
        async with serving(hub, stream=Slowly, write_high_water=16 * KIB) as where:
            lazy = await Lazy.open(where, "/events/news", upgrade=False)
            await until(lambda: hub.find("news"))
            topic = hub.topic("news")
            number = 0
            while topic.counters()["dropped"] < 3:
                await hub.publish("news", numbered(number))
                await turns(3)
                number += 1
            assert topic.state()["lag"] == 3
            last = f"data: {number - 1:06}".encode()
            text = b""
            while last not in text:
                text += await lazy.reader.read(4096)
            await until(lambda: topic.state()["behind"] == 0)
            assert text.count(b"data: ") == number - topic.counters()["dropped"]
            lazy.writer.close()
            await until(lambda: hub.find("news") is None)

    run(main())


def test_a_stream_that_is_too_slow_is_broken_off(run: Run) -> None:
    class Impatient(Follow):
        SLOW = Slow("disconnect", messages=1)

    async def main() -> None:
        hub = Hub(replay=Replay(messages=0))
        async with serving(hub, stream=Impatient, write_high_water=16 * KIB) as where:
            lazy = await Lazy.open(where, "/events/news", upgrade=False)
            await until(lambda: hub.find("news"))
            while hub.find("news"):
                await hub.publish("news", numbered(0))
                await turns(3)
            with contextlib.suppress(ConnectionError):
                while await lazy.reader.read(4096):
                    pass
            lazy.writer.close()

    run(main())


def test_a_seat_whose_handler_is_gone_is_passed_over() -> None:
    class Gone:
        is_open = True

    handler = Gone()
    seat = StreamSeat(handler, Slow())  # type: ignore[arg-type]
    del handler
    gc.collect()
    assert not seat.alive()
