"""What all topics of a hub keep together is bounded, and whoever misses something for it is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from eyewall.base import probe
from eyewall.guard.topics.hub import Hub
from eyewall.guard.topics.messages import OVERHEAD
from eyewall.guard.topics.replay import Replay
from tests.waiting import until

NAMES = st.sampled_from("abcd")


class Copy:
    """Something that is made of a message, and may grow."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


class TotalMachine(RuleBasedStateMachine):
    """Topics that are published to, come back to, and forgotten, against what was said in each."""

    @initialize(
        most=st.integers(0, 12 * OVERHEAD),
        topics=st.integers(2, 4),
        age=st.sampled_from([5.0, 1000.0]),
    )
    def begin(self, most: int, topics: int, age: float) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        self.most = most
        self.hub = Hub(
            replay=Replay(messages=5, age=age),
            kept_bytes=most,
            topics=topics,
            clock=lambda: self.now,
            wall=lambda: 1000.0 + self.now,
        )
        self.start = str(self.hub._end_of([]))
        self.said: dict[str, list[str]] = {name: [] for name in "abcd"}
        #: What was said in which order, to come back at.
        self.places: list[tuple[str, dict[str, int]]] = [(self.start, dict.fromkeys("abcd", 0))]
        self.forgotten = 0

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    @rule(name=NAMES, length=st.integers(0, 3 * OVERHEAD), keep=st.booleans())
    def publish(self, name: str, length: int, keep: bool) -> None:
        text = "x" * length

        async def publish() -> str:
            return str((await self.hub.publish(name, text, keep=keep)).id)

        place = self.loop.run_until_complete(publish())
        if keep:
            self.said[name].append(place)
        self.places.append((place, {each: len(ids) for each, ids in self.said.items()}))

    @rule(seconds=st.sampled_from([0.5, 4.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=NAMES, length=st.integers(0, 3 * OVERHEAD), grows=st.booleans())
    def make_copies(self, name: str, length: int, grows: bool) -> None:
        for message in self.hub.recent(name, 3):
            copy = message.form("copy", lambda _: Copy(length))
            if grows:
                copy.nbytes += length
                message.weigh()

    @rule(name=NAMES, data=st.data())
    def come_back(self, name: str, data: st.DataObject) -> None:
        place, counts = data.draw(st.sampled_from(self.places))
        subscription = self.hub.subscribe(name, after=place)
        got: list[Any] = []
        while subscription.waiting:
            got.append(self.loop.run_until_complete(subscription.get()))
        subscription.close()
        gap = bool(got) and got[0].event == "gap"
        missed = self.said[name][counts[name] :]
        ids = [str(message.id) for message in got[gap:]]
        assert ids == missed[len(missed) - len(ids) :]
        # Who is not told of a gap has all of it.
        assert gap or ids == missed

    @invariant()
    def the_total_is_bounded_and_true(self) -> None:
        if not hasattr(self, "hub"):
            return
        state = self.hub.state()
        assert state["kept_bytes"] == sum(topic.log.bytes for topic in self.hub) <= self.most
        for topic in self.hub:
            assert topic.log.bytes == sum(message.weight for message in topic.log.recent(100, -1000.0))
        forgotten = self.hub.counters()["forgotten"]
        assert forgotten >= self.forgotten
        self.forgotten = forgotten


TestTotal = TotalMachine.TestCase
TestTotal.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_busy_topic_costs_a_quiet_one_nothing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(probe.guard_event, "fire", lambda item, event, details: told.append((event, details)))

    async def main() -> None:
        size = OVERHEAD + 100
        hub = Hub(kept_bytes=16 * size, replay=Replay(messages=1000))
        await hub.publish("quiet", "q" * 100)
        for number in range(15):
            await hub.publish("busy", f"{number:0100}")
        assert hub.counters() == {"forgotten": 0}
        assert ("kept_bytes", 16 * size) in hub.state().items()
        assert ("most_kept_bytes", 16 * size) in hub.state().items()
        await hub.publish("busy", "x" * 100)
        # An eighth is free again.
        assert hub.state()["kept"] == 14
        assert hub.counters() == {"forgotten": 3}
        assert len(hub.topic("quiet").log) == 1
        assert [details["forgotten"] for event, details in told if event == "replay_full"] == [3]
        first = hub.subscribe("busy", after="0-0")
        await until(lambda: first.waiting)
        assert (await first.get()).event == "gap"
        first.close()
        await hub.close()

    run(main())


def test_a_limit_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="kept_bytes=-1"):
        Hub(kept_bytes=-1)
