from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.cli.demo import room
from eyewall.cli.demo.handlers import chat
from eyewall.client import WebSocketClientConnection
from eyewall.client.request import HTTPClientError
from tests.redisserver import redis_server

from .site import PATIENCE, Site, Visitor, heard

pytestmark = pytest.mark.one_build

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def named(site: Site, name: str) -> Visitor:
    visitor = Visitor(site).arrive()
    assert visitor.ask("PUT", "/api/name", {"name": name}).status == 200
    return visitor


async def say(socket: WebSocketClientConnection, text: str) -> None:
    await socket.write_message(json.dumps({"type": "say", "text": text}))


async def end_of(socket: WebSocketClientConnection) -> tuple[int | None, str | None]:
    while await asyncio.wait_for(socket.read_message(), PATIENCE) is not None:
        pass
    return socket.close_code, socket.close_reason


def test_two_talk_and_see_each_other_come_and_go(site: Site, run: Run) -> None:
    ada, bob = named(site, "Ada"), named(site, "Bob")

    async def main() -> None:
        first = await ada.chat()
        welcome = await heard(first)
        assert welcome["type"] == "welcome"
        assert [person["name"] for person in welcome["people"]] == ["Ada"]
        assert welcome["people"][0]["id"] == welcome["you"]
        await say(first, "  anybody here? ")
        assert (await heard(first, "said"))["text"] == "anybody here?"
        second = await bob.chat()
        welcome = await heard(second)
        assert [message["text"] for message in welcome["history"]] == ["anybody here?"]
        assert [person["name"] for person in welcome["people"]] == ["Ada", "Bob"]
        entered = await heard(first)
        assert (entered["type"], entered["person"]["name"]) == ("entered", "Bob")
        await second.write_message(json.dumps({"type": "typing"}))
        assert (await heard(first))["type"] == "typing"
        await say(second, "I am")
        for socket in (first, second):
            message = await heard(socket)
            assert (message["type"], message["text"]) == ("said", "I am")
            assert message["person"]["name"] == "Bob"
        second.close()
        left = await heard(first)
        assert (left["type"], left["person"]["name"]) == ("left", "Bob")
        assert [person["name"] for person in left["people"]] == ["Ada"]
        first.close()
        await end_of(first)

    run(main())


def test_two_windows_of_one_visitor_are_one_person(site: Site, run: Run) -> None:
    ada, bob = named(site, "Ada"), named(site, "Bob")

    async def main() -> None:
        sockets = [await bob.chat(), await ada.chat(), await ada.chat()]
        people = [(await heard(socket, "welcome"))["people"] for socket in sockets]
        assert [len(each) for each in people] == [1, 2, 2]
        assert (await heard(sockets[0]))["type"] == "entered"
        sockets[1].close()
        await end_of(sockets[1])
        # Had her first window counted as leaving, Bob would hear that before this.
        await say(sockets[2], "still here")
        assert (await heard(sockets[0]))["type"] == "said"
        for socket in sockets:
            socket.close()
            await end_of(socket)

    run(main())


def test_markup_stays_what_it_is(site: Site, run: Run) -> None:
    attack = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    visitor = named(site, "<b>Eve</b>")

    async def main() -> None:
        socket = await visitor.chat()
        await say(socket, attack)
        message = await heard(socket, "said")
        assert (message["text"], message["person"]["name"]) == (attack, "<b>Eve</b>")
        socket.close()
        await end_of(socket)

    run(main())


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{}", 1008),
        ("", 1008),
        ("not json", 1008),
        ("[]", 1008),
        ("null", 1008),
        ("{}", 1008),
        ('{"type": "say"}', 1008),
        ('{"type": "say", "text": 5}', 1008),
        ('{"type": "kick", "text": "x"}', 1008),
        ("[" * 8000, 1008),
        ("x" * 9000, 1009),
    ],
)
def test_what_can_not_be_understood_ends_the_connection(
    site: Site, run: Run, message: str | bytes, code: int
) -> None:
    async def main() -> None:
        socket = await Visitor(site).chat()
        await socket.write_message(message, binary=isinstance(message, bytes))
        assert (await end_of(socket))[0] == code

    run(main())


def test_too_long_and_too_fast_are_refused_and_nobody_else_hears(
    site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "CHAT_INTERVAL", 1e9)

    async def main() -> None:
        socket, other = await Visitor(site).chat(), await Visitor(site).chat()
        await say(socket, "x" * 1001)
        assert "1000" in (await heard(socket, "refused"))["reason"]
        await say(socket, "   ")
        for number in range(10):
            await say(socket, str(number))
        assert (await heard(socket, "refused"))["reason"] == "Not so fast, please."
        texts = [(await heard(other, "said"))["text"] for _ in range(6)]
        assert texts == ["0", "1", "2", "3", "4", "5"]
        for each in (socket, other):
            each.close()
            await end_of(each)

    run(main())


def test_who_was_too_fast_may_speak_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(chat.time, "monotonic", lambda: now[0])
    socket = chat.ChatSocket.__new__(chat.ChatSocket)
    socket._burst, socket._spoke = 8.0, now[0]
    assert [socket._may_speak() for _ in range(9)] == [True] * 8 + [False]
    now[0] += 0.5
    assert [socket._may_speak() for _ in range(2)] == [True, False]
    now[0] += 3600
    assert [socket._may_speak() for _ in range(9)] == [True] * 8 + [False]


def test_pages_of_other_sites_are_refused(site: Site, run: Run) -> None:
    visitor = named(site, "Ada")

    async def main() -> None:
        for origin in ("http://evil.example", f"http://127.0.0.1.evil.example:{site.port}", "null"):
            with pytest.raises(HTTPClientError) as refused:
                await visitor.chat(Origin=origin)
            assert refused.value.code == 403
        socket = await visitor.chat(Origin=site.url)
        assert (await heard(socket))["type"] == "welcome"
        socket.close()
        await end_of(socket)

    run(main())


def test_a_full_room_lets_nobody_in(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHAT_SOCKETS", 1)

    async def main() -> None:
        first = await Visitor(site).chat()
        second = await Visitor(site).chat()
        assert await end_of(second) == (1013, "The room is full, try again later")
        await heard(first, "welcome")
        await say(first, "alone")
        # Nobody entered, and nobody left.
        assert (await heard(first))["type"] == "said"
        first.close()
        await end_of(first)
        third = await Visitor(site).chat()
        assert (await heard(third))["type"] == "welcome"
        third.close()
        await end_of(third)

    run(main())


def test_the_history_has_an_end(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "CHAT_BURST", 1000)

    async def main() -> None:
        socket = await Visitor(site).chat()
        for number in range(60):
            await say(socket, str(number))
        while (await heard(socket, "said"))["text"] != "59":
            pass
        other = await Visitor(site).chat()
        history = (await heard(other, "welcome"))["history"]
        assert [message["text"] for message in history] == [str(number) for number in range(10, 60)]
        for each in (socket, other):
            each.close()
            await end_of(each)

    run(main())


def test_the_end_of_the_demo_is_said(site: Site, run: Run) -> None:
    async def main() -> None:
        socket = await Visitor(site).chat()
        await heard(socket, "welcome")
        site.stop()
        assert (await end_of(socket))[0] == 1001

    run(main())


def test_two_demos_share_their_chat(
    event_loop_kind: str, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def main(sites: list[Site]) -> None:
        ada, bob = named(sites[0], "Ada"), named(sites[1], "Bob")
        first = await ada.chat()
        await heard(first, "welcome")
        await say(first, "hello")
        await heard(first, "said")
        while True:
            second = await bob.chat()
            welcome = await heard(second, "welcome")
            if welcome["history"]:
                break
            # That it was said comes to the other demo when it does.
            second.close()
            await end_of(second)
        assert [message["text"] for message in welcome["history"]] == ["hello"]
        assert (await heard(first, "entered"))["person"]["name"] == "Bob"
        await second.write_message(json.dumps({"type": "typing"}))
        await heard(first, "typing")
        await say(second, "hello yourself")
        assert (await heard(first, "said"))["text"] == "hello yourself"
        second.close()
        left = await heard(first, "left")
        assert [person["name"] for person in left["people"]] == ["Ada"]
        first.close()
        await end_of(first)

    with redis_server() as redis:
        sites: list[Site] = []
        try:
            for _ in range(2):
                sites.append(Site(event_loop_kind, tmp_path_factory.mktemp("demo"), redis.url))
            run(main(sites))
        finally:
            for site in sites:
                site.close()
