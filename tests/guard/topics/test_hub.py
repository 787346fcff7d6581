"""The hub within one process: topics, members, subscriptions that are read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from eyewall.base import probe
from eyewall.base.errors import LimitExceeded
from eyewall.guard.inventory import inventory
from eyewall.guard.topics.buffers import Slow
from eyewall.guard.topics.hub import Hub, RoomFull, TopicsFull
from eyewall.guard.topics.presence import Change
from eyewall.guard.topics.replay import Replay
from eyewall.guard.topics.topic import Topic
from tests.waiting import turns

Run = Callable[[Coroutine[Any, Any, Any]], Any]
NOTHING_KEPT = Replay(messages=0)


def test_who_subscribes_gets_what_is_published_from_then_on(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        await hub.publish("t", "before")
        with hub.subscribe("t", "u") as subscription:
            assert subscription.waiting == 0
            result = await hub.publish("t", {"n": 1}, event="tick")
            assert (result.reached, result.delivered, result.reason) == (1, True, None)
            await hub.publish("u", b"\xff")
            await hub.publish("v", "elsewhere")
            first, second = await subscription.get(), await subscription.get()
            assert (first.topic, first.data, first.event, first.id) == ("t", '{"n": 1}', "tick", result.id)
            assert (second.topic, second.data) == ("u", b"\xff")
        assert (await hub.publish("t", "after")).reached == 0

    run(main())


def test_a_reader_waits_until_there_is_something(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        subscription = hub.subscribe("t")

        async def read() -> list[object]:
            return [message.data async for message in subscription]

        reading = asyncio.create_task(read())
        await turns()
        for text in "xy":
            await hub.publish("t", text)
        await turns()
        with pytest.raises(RuntimeError, match="another task"):
            await subscription.get()
        subscription.close()
        assert await reading == ["x", "y"]
        with pytest.raises(RuntimeError, match="closed"):
            await subscription.get()

    run(main())


def test_a_cancelled_reader_loses_no_message(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        subscription = hub.subscribe("t")
        reading = asyncio.create_task(subscription.get())
        await turns()
        # It is woken and cancelled in the same turn.
        await hub.publish("t", "x")
        reading.cancel()
        await asyncio.wait([reading])
        if not reading.cancelled():
            assert reading.result().data == "x"
        else:
            assert (await subscription.get()).data == "x"
        with pytest.raises(TimeoutError):
            await subscription.get(timeout=0.001)

    run(main())


def test_subscribers_and_members_that_nobody_holds_are_gone(run: Run) -> None:
    async def main() -> None:
        hub = Hub(replay=NOTHING_KEPT)
        subscription = hub.subscribe("t")
        membership = hub.join("t", who="ada")
        assert [member.who for member in hub.members("t")] == ["ada"]
        del subscription, membership
        gc.collect()
        assert hub.members("t") == []
        assert (await hub.publish("t", "x")).reached == 0

    run(main())


def test_who_comes_and_goes_is_told_and_may_be_announced(run: Run) -> None:
    told: list[tuple[str, str, str, bool]] = []

    def listen(topic: Topic, change: Change) -> None:
        told.append((topic.name, change.kind, change.member.who, change.alone))
        if change.alone:
            topic.announce({change.kind: change.member.who}, but=change.member.who)

    async def main() -> None:
        hub = Hub(on_presence=listen)
        with hub.subscribe("t") as subscription:
            one, other = hub.join("t", who="ada"), hub.join("t", who="ada", about={"n": 1})
            other.update({"n": 2})
            other.update({"n": 2})
            assert [member.about for member in hub.members("t")] == [{}, {"n": 2}]
            one.leave()
            one.leave()
            with other:
                pass
            other.update({"n": 3})
            assert [subscription.waiting, hub.members("t")] == [2, []]
            message = await subscription.get()
            assert (message.data, message.id) == ('{"joined": "ada"}', None)

    run(main())
    assert told == [
        ("t", "joined", "ada", True),
        ("t", "joined", "ada", False),
        ("t", "changed", "ada", False),
        ("t", "left", "ada", False),
        ("t", "left", "ada", True),
    ]


def test_a_listener_that_fails_is_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    def listen(topic: Topic, change: Change) -> None:
        raise KeyError("mine")

    async def main() -> None:
        hub = Hub("chat", on_presence=listen)
        membership = hub.join("t")
        assert len(hub.members("t")) == 1
        membership.leave()

    run(main())
    assert caplog.messages == ["on_presence of the hub 'chat' failed"] * 2


def test_everything_has_a_limit(run: Run) -> None:
    async def main() -> None:
        hub = Hub(topics=2, members=1, message_bytes=10, about_bytes=20)
        memberships = [hub.join("a"), hub.join("b")]
        with pytest.raises(TopicsFull) as full:
            hub.join("c")
        assert (full.value.status, full.value.limit, full.value.retry_after) == (503, "topics", 1.0)
        # Nobody is there who would miss it.
        assert (await hub.publish("c", "x")).reached == 0
        with pytest.raises(RoomFull, match="1 members in 'a'"):
            hub.join("a")
        with pytest.raises(LimitExceeded, match="more than 10 bytes"):
            hub.publish("a", "x" * 11)
        memberships.pop().leave()
        with pytest.raises(LimitExceeded, match="about itself"):
            hub.join("c", about={"x": "y" * 20})
        for name, who in (("x" * 257, None), ("c", "y" * 257)):
            with pytest.raises(ValueError, match="at most 256"):
                hub.join(name, who=who)
        for event in ("a\nb", "a\rb", "x" * 257):
            with pytest.raises(ValueError, match="one line"):
                hub.publish("a", "x", event=event)
        with pytest.raises(ValueError, match="at most 256"):
            hub.publish("x" * 257, "x")

    run(main())


def test_topics_are_forgotten_when_nobody_needs_them(run: Run) -> None:
    now = [0.0]

    async def main() -> None:
        hub = Hub(replay=Replay(age=60.0), topics=3, clock=lambda: now[0])
        with hub.subscribe("quiet"):
            assert len(hub) == 1
        assert len(hub) == 0
        last = await hub.publish("old", "x")
        now[0] = 1.0
        await hub.publish("a", "x")
        await hub.publish("b", "x")
        await hub.publish("a", "y")
        assert {topic.name for topic in hub} == {"old", "a", "b"}
        # The one that nobody has used for the longest time makes room.
        await hub.publish("c", "x")
        assert {topic.name for topic in hub} == {"a", "b", "c"}
        # What it had is not known any more, and that is said.
        now[0] = 2.0
        with hub.subscribe("old", after=str(last.id)) as subscription:
            assert (await subscription.get()).event == "gap"
        now[0] = 100.0
        with hub.subscribe("d"):
            assert {topic.name for topic in hub} <= {"c", "a", "d"}

    run(main())


def test_several_topics_come_back_in_the_order_of_what_was_published(run: Run) -> None:
    async def main() -> None:
        hub = Hub(wall=lambda: 5.0)
        first = await hub.publish("a", "0")
        for number in range(1, 5):
            await hub.publish("ab"[number % 2], str(number))
        with hub.subscribe("a", "b", after=str(first.id)) as subscription:
            assert [(await subscription.get()).data for _ in range(4)] == ["1", "2", "3", "4"]
        with hub.subscribe("a", "b", recent=2) as subscription:
            assert [(await subscription.get()).data for _ in range(2)] == ["3", "4"]
        assert [message.data for message in hub.recent("a", 2)] == ["2", "4"]
        assert hub.recent("none", 2) == []

    run(main())


def test_what_is_not_kept_is_for_those_who_are_here(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        first = await hub.publish("t", "0")
        with hub.subscribe("t") as subscription:
            passing = await hub.publish("t", "typing", keep=False)
            assert (await subscription.get()).data == "typing"
        await hub.publish("t", "1")
        for seen in (first.id, passing.id):
            with hub.subscribe("t", after=str(seen)) as subscription:
                assert (await subscription.get()).data == "1"
                assert subscription.waiting == 0
        assert (await hub.publish("nobody", "x", keep=False)).reached == 0
        assert hub.find("nobody") is None

    run(main())


def test_who_comes_from_a_process_that_is_ahead_gets_nothing_twice(run: Run) -> None:
    async def main() -> None:
        hub = Hub(wall=lambda: 5.0)
        results = [await hub.publish("t", "0")]
        ahead = f"5000-{results[0].id.seq + 2}"
        with hub.subscribe("t", after=ahead) as subscription:
            for number in range(1, 4):
                results.append(await hub.publish("t", str(number)))
            assert str(results[2].id) == ahead
            assert (await subscription.get()).data == "3"

    run(main())


def test_local_messages_of_another_process_are_a_gap(run: Run) -> None:
    async def main() -> None:
        hub = Hub()
        first = await hub.publish("t", "0")
        await hub.publish("t", "1")
        with hub.subscribe("t", after=f"{first.id}.1@abcdef") as subscription:
            assert [(await subscription.get()).event for _ in range(2)] == ["gap", None]

    run(main())


def test_whoever_watches_sees_it(run: Run) -> None:
    events: list[tuple[str, str]] = []
    detach = probe.guard_event.attach(lambda item, event, details: events.append((item.name, event)))  # type: ignore[attr-defined]

    async def main() -> None:
        hub = Hub("watched")
        membership = hub.join("room", who="ada")
        subscription = hub.subscribe("room", slow=Slow("disconnect", messages=1))
        lazy = hub.subscribe("room", slow=Slow(messages=2))
        for _ in range(3):
            await hub.publish("room", "x")
        hub.lost()
        topic = inventory.find("topic", "room")
        assert topic is hub.topic("room")
        assert inventory.find("hub", "watched") is hub
        state = topic.state()
        assert (state["members"], state["subscribers"], state["lag"], state["kept"]) == (1, 1, 2, 3)
        assert topic.counters() == {"published": 3, "delivered": 4, "dropped": 4, "disconnected": 1}
        assert hub.state()["here"] == 1
        assert hub.counters() == {"forgotten": 0}
        membership.leave()
        subscription.close()
        lazy.close()

    run(main())
    detach()
    assert events == [
        ("room", "joined"),
        ("room", "disconnected"),
        ("room", "gap"),
        ("watched", "gap"),
        ("room", "left"),
    ]


def test_subscriptions_that_nobody_holds_leave_room_for_other_topics(run: Run) -> None:
    async def main() -> None:
        hub = Hub(topics=2, replay=NOTHING_KEPT)
        for name in "ab":
            hub.subscribe(name)
        gc.collect()
        assert hub.topic("c").name == "c"
        assert hub.find("a") is None

    run(main())
