"""Hubs that share a real Redis, which is killed, started again and held up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.inventory import inventory
from eyewall.guard.lifecycle.drain import process_drain
from eyewall.guard.topics.buffers import Slow
from eyewall.guard.topics.hub import Hub
from eyewall.guard.topics.redisplane import RedisBackplane
from tests.redisserver import RedisServer, redis_server
from tests.waiting import until

#: Seconds that a drain may take.
PATIENCE = 30.0
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


def backplane(where: str | Redis, **options: Any) -> RedisBackplane:
    # An hour between heartbeats, where they are of no interest: nothing here depends on the machine's speed.
    settings = {"heartbeat": 3600.0, "timeout": 30.0, "first_delay": 0.001, "most_delay": 0.05}
    return RedisBackplane(where, **{**settings, **options})


@asynccontextmanager
async def hubs(count: int, where: str, **options: Any) -> AsyncIterator[list[Hub]]:
    made = [Hub(f"hub {number}", backplane=backplane(where, **options)) for number in range(count)]
    try:
        for hub in made:
            await hub.start()
        yield made
    finally:
        for hub in made:
            await hub.close()


def status(hub: Hub) -> str:
    assert isinstance(hub.backplane, RedisBackplane)
    return hub.backplane.status


def outages(hub: Hub) -> int:
    assert isinstance(hub.backplane, RedisBackplane)
    return hub.backplane.counters()["outages"]


async def all_are(hubs: list[Hub], wanted: str) -> None:
    await until(lambda: all(status(hub) == wanted for hub in hubs))


def test_messages_and_members_are_shared(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with hubs(2, redis.url) as (one, other):
            with one.subscribe("t") as mine, other.subscribe("t") as theirs:
                results = await asyncio.gather(
                    one.publish("t", {"n": 1}, event="e", key="k"), other.publish("t", b"\xff\x00")
                )
                assert all(result.delivered and result.reached == 1 for result in results)
                got = [[await each.get() for _ in range(2)] for each in (mine, theirs)]
                assert [message.id for message in got[0]] == [message.id for message in got[1]]
                assert {message.id for message in got[0]} == {result.id for result in results}
                assert {message.data for message in got[1]} == {'{"n": 1}', b"\xff\x00"}
            membership = one.join("t", who="ada", about={"n": 1})
            await until(lambda: other.members("t"))
            assert [(member.who, member.about, member.here) for member in other.members("t")] == [
                ("ada", {"n": 1}, False)
            ]
            membership.update({"n": 2})
            await until(lambda: other.members("t")[0].about == {"n": 2})
            membership.leave()
            await until(lambda: not other.members("t"))

    run(main())


def test_a_process_that_begins_later_knows_what_was_said_and_who_is_here(
    run: Run, redis: RedisServer
) -> None:
    async def main() -> None:
        async with hubs(1, redis.url) as (one,):
            membership = one.join("t", who="ada")
            results = [await one.publish("t", str(number)) for number in range(5)]
            async with hubs(1, redis.url) as (late,):
                with late.subscribe("t", after=str(results[1].id)) as subscription:
                    assert [(await subscription.get()).data for _ in range(3)] == ["2", "3", "4"]
                await until(lambda: late.members("t"))
                # One that ends in order is gone at once.
                other = late.join("t", who="bob")
                await until(lambda: len(one.members("t")) == 2)
            await until(lambda: len(one.members("t")) == 1)
            other.leave()
            membership.leave()

    run(main())


def test_a_restart_of_redis_ends_nothing(
    run: Run, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tornado.general")

    async def main() -> None:
        async with hubs(2, redis.url) as (one, other):
            ada = one.join("t", who="ada")
            await until(lambda: other.members("t"))
            before = await one.publish("t", "before")
            with one.subscribe("t") as mine, other.subscribe("t") as theirs:
                redis.kill()
                await all_are([one, other], "down")
                result = await one.publish("t", "outage")
                assert (result.delivered, result.reached) == (False, 1)
                assert "cannot be reached" in (result.reason or "")
                assert (await mine.get()).data == "outage"
                # Members stay; who comes meanwhile is seen by the others when Redis is back.
                assert [member.who for member in other.members("t")] == ["ada"]
                bob = other.join("t", who="bob")
                ada.leave()
                # It was tried more than once, and said once.
                plane = one.backplane
                assert isinstance(plane, RedisBackplane)
                attempts = plane.counters()["attempts"]
                await until(lambda: plane.counters()["attempts"] > attempts + 1)
                redis.start()
                await all_are([one, other], "up")
                after = await one.publish("t", "after")
                assert after.delivered
                assert before.id < result.id < after.id
                # The stream is another one: what may be missing is said.
                assert [(await mine.get()).event for _ in range(2)] == ["gap", None]
                assert [(await theirs.get()).event for _ in range(2)] == ["gap", None]
                await until(lambda: [member.who for member in one.members("t")] == ["bob"])
                await until(lambda: [member.who for member in other.members("t")] == ["bob"])
                bob.leave()

    run(main())
    lines = [line for line in caplog.messages if "cannot be reached" in line]
    assert len(lines) == 2
    assert len([line for line in caplog.messages if "Redis is back" in line]) == 2


def test_nothing_is_lost_where_only_the_connection_is(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with hubs(2, redis.url) as (one, other), Redis.from_url(redis.url) as control:
            with other.subscribe("t") as theirs:
                for number in range(5):
                    assert (await one.publish("t", f"a{number}")).delivered
                    lost = outages(other)
                    # Those of the hubs, not this one.
                    await control.client_kill_filter(_type="normal", skipme=True)
                    await until(lambda lost=lost: outages(other) > lost)  # type: ignore[misc]
                    await all_are([one, other], "up")
                    assert (await one.publish("t", f"b{number}")).delivered
                    assert [(await theirs.get()).data for _ in range(2)] == [f"a{number}", f"b{number}"]

    run(main())


def test_a_redis_that_does_not_answer_is_an_outage(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with hubs(1, redis.url, timeout=0.2) as (one,):
            with one.subscribe("t") as mine:
                await one.publish("t", "x")
                redis.pause()
                try:
                    result = await one.publish("t", "y")
                finally:
                    redis.go_on()
                assert (result.delivered, result.reached) == (False, 1)
                await all_are([one], "up")
                while not (await one.publish("t", "z")).delivered:
                    pass
                texts = []
                while "z" not in texts:
                    message = await mine.get()
                    if message.event is None:
                        texts.append(message.data)
                # Redis may have taken `y` after all: it comes once all the same.
                assert texts[:2] == ["x", "y"]
                assert texts.count("y") == 1

    run(main())


def test_members_of_a_dead_process_expire(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with hubs(1, redis.url, heartbeat=0.05) as (one,):
            dead = Hub("dead", backplane=backplane(redis.url, heartbeat=0.05))
            await dead.start()
            membership = dead.join("t", who="ada")
            await until(lambda: one.members("t"))
            # It does not say goodbye.
            plane = dead.backplane
            assert isinstance(plane, RedisBackplane)
            assert plane._task is not None
            plane._task.cancel()
            await until(lambda: not one.members("t"))
            assert status(dead) == "closed"
            assert not (await dead.publish("t", "x")).delivered
            membership.leave()

    run(main())


def test_redis_is_not_there_at_the_beginning(run: Run, redis: RedisServer) -> None:
    redis.kill()

    async def main() -> None:
        async with hubs(1, redis.url) as (one,):
            assert status(one) == "down"
            with one.subscribe("t", after="1-1") as mine:
                assert not (await one.publish("t", "x")).delivered
                assert [(await mine.get()).event for _ in range(2)] == ["gap", None]
                redis.start()
                await all_are([one], "up")
                assert (await one.publish("t", "y")).delivered
                assert (await mine.get()).data == "y"

    run(main())


def test_what_redis_refuses_stays_here(
    run: Run, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with hubs(1, redis.url) as (one,), Redis.from_url(redis.url) as control:
            with one.subscribe("t") as mine:
                await control.config_set("maxmemory", "1")
                result = await one.publish("t", "x")
                assert (result.delivered, result.reached) == (False, 1)
                assert "Redis refuses it" in (result.reason or "")
                await control.config_set("maxmemory", "0")
                assert (await one.publish("t", "y")).delivered
                assert [(await mine.get()).data for _ in range(2)] == ["x", "y"]
            assert status(one) == "up"

    run(main())
    assert len([line for line in caplog.messages if "Redis refuses" in line]) == 1


def test_entries_that_make_no_sense_are_passed_over(
    run: Run, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with hubs(1, redis.url) as (one,), Redis.from_url(redis.url) as control:
            for fields in (
                {"x": "y"},
                {"h": '["m","a",1,"t",null,null,null,false,true]', "d": b"\xff"},
                {"h": "[" * 9999},
            ):
                await control.xadd("eyewall:topics", fields)  # type: ignore[arg-type]
            assert (await one.publish("t", "y")).delivered
            assert one.backplane.counters()["strange"] == 3  # type: ignore[attr-defined]

    run(main())
    assert len([line for line in caplog.messages if "makes no sense" in line]) == 1


def test_ids_ascend_when_the_clock_of_a_new_redis_is_behind(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with hubs(1, redis.url) as (one,), Redis.from_url(redis.url) as control:
            # Times of a server whose clock is years ahead.
            await control.xadd("eyewall:topics", {"h": '["h","abc",1]', "d": ""}, id="99999999999999-0")
            before = await one.publish("t", "x")
            assert before.id.ms == 99999999999999
            redis.kill()
            await all_are([one], "down")
            redis.start()
            await all_are([one], "up")
            with one.subscribe("t") as mine:
                after = await one.publish("t", "y")
                assert after.delivered
                assert after.id > before.id
                assert (await mine.get()).data == "y"

    run(main())


def test_a_drain_takes_messages_to_the_others(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with hubs(2, redis.url) as (one, other):
            plane = one.backplane
            assert isinstance(plane, RedisBackplane)
            assert any(each is plane for each in process_drain.participants)
            membership = one.join("t", who="ada")
            await until(lambda: other.members("t"))
            with other.subscribe("t", slow=Slow(messages=1000)) as theirs:
                results = [one.publish("t", str(number)) for number in range(600)]
                assert plane.pending() == ["messages: 600 on their way through eyewall:topics"]
                assert await plane.drain(Deadline(PATIENCE, lambda: 0.0)) is None
                assert all([(await result).delivered for result in results])
                assert plane.pending() == []
                assert [(await theirs.get()).data for _ in range(600)] == [str(n) for n in range(600)]
            await until(lambda: not other.members("t"))
            membership.leave()

    run(main())


def test_a_drain_breaks_off_what_does_not_end(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        async with hubs(1, redis.url) as (one,):
            plane = one.backplane
            assert isinstance(plane, RedisBackplane)
            redis.pause()
            try:
                result = one.publish("t", "x")
                left = await plane.drain(Deadline(0.01, lambda: 0.0))
            finally:
                redis.go_on()
            assert left == ["messages: 1 on their way through eyewall:topics"]
            assert not (await result).delivered
            assert plane.status == "closed"

    run(main())


def test_a_client_of_the_application_is_used_and_left_open(run: Run, redis: RedisServer) -> None:
    async def main() -> None:
        client = Redis.from_url(f"unix://{redis.path}")
        hub = Hub(backplane=backplane(client, stream="mine", history=0))
        # The first use begins to connect; it waits for nothing.
        with hub.subscribe("t") as mine:
            await until(lambda: status(hub) == "up")
            assert (await hub.publish("t", "x")).delivered
            assert (await mine.get()).data == "x"
        found = inventory.find("backplane", "mine")
        assert found is hub.backplane
        assert found is not None
        assert found.state()["status"] == "up"
        assert found.counters()["published"] == 1
        assert found.histograms()["lag"].count == 1
        await hub.close()
        await hub.close()
        assert found.state()["status"] == "closed"
        assert await client.xlen("mine") > 0
        await client.aclose()

    run(main())


def test_a_backplane_has_one_hub_and_settings_that_make_sense() -> None:
    plane = RedisBackplane("redis://127.0.0.1:1")
    Hub(backplane=plane)
    with pytest.raises(RuntimeError, match="one hub"):
        Hub(backplane=plane)
    with pytest.raises(ValueError, match="does not decode"):
        RedisBackplane(Redis(decode_responses=True))
    with pytest.raises(ValueError, match="scheme"):
        RedisBackplane("127.0.0.1:6379")
    for wrong in ({"kept": 0}, {"heartbeat": 0}, {"timeout": -1}, {"queue": 0}):
        with pytest.raises(ValueError, match="a backplane needs"):
            RedisBackplane("redis://127.0.0.1:1", **wrong)  # type: ignore[arg-type]
