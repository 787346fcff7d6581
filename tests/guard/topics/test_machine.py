"""A topic with a log and subscribers of each policy against a simple model: lists of everything."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eyewall.guard.topics.buffers import Policy, Slow
from eyewall.guard.topics.hub import Hub
from eyewall.guard.topics.messages import OVERHEAD, Message, MessageId, Published
from eyewall.guard.topics.reading import Subscription, TooSlow
from eyewall.guard.topics.replay import Replay
from eyewall.guard.topics.seat import Group, Seat

TEXT = st.text("ab", max_size=8)


class Client(Seat):
    """A subscriber that takes some messages at once, and then no more until it is told."""

    __slots__ = ("disconnected", "got", "room", "waits")

    def __init__(self, slow: Slow) -> None:
        super().__init__(slow)
        self.got: list[Message] = []
        self.room = 2
        self.waits = False
        self.disconnected = False

    def alive(self) -> bool:
        return True

    def write(self, message: Message) -> bool:
        assert self.room > 0, "it was written to while it was behind"
        self.got.append(message)
        self.room -= 1
        return self.room > 0

    def wait(self) -> None:
        assert not self.waits, "it waits twice"
        self.waits = True

    def overflow(self) -> None:
        assert not self.disconnected
        self.disconnected = True

    def take(self, count: int) -> None:
        self.room += count
        if self.waits:
            self.waits = False
            self.catch_up()


class Clients(Group):
    pass


class Model:
    """What a client must have got, worked out from what was offered while it was behind."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.slow = client.buffer.slow
        self.got: list[Message] = []
        self.waiting: list[Message] = []
        self.room = 2
        self.over = False

    def offer(self, message: Message) -> None:
        if self.over:
            return
        if self.room:
            self.got.append(message)
            self.room -= 1
            return
        if self.slow.policy == "coalesce" and message.key is not None:
            self.waiting = [other for other in self.waiting if other.key != message.key]
        self.waiting.append(message)
        while (
            len(self.waiting) > self.slow.messages
            or sum(each.size for each in self.waiting) > self.slow.bytes
        ):
            if self.slow.policy == "disconnect":
                self.over = True
                self.waiting = []
                return
            del self.waiting[0]

    def take(self, count: int) -> None:
        self.room += count
        while self.waiting and self.room:
            self.got.append(self.waiting.pop(0))
            self.room -= 1


class TopicMachine(RuleBasedStateMachine):
    """Messages, time, clients that are slow, clients that come back, losses."""

    @initialize(
        messages=st.integers(0, 5), size=st.integers(0, 6 * OVERHEAD), age=st.sampled_from([0.0, 5.0, 1000.0])
    )
    def begin(self, messages: int, size: int, age: float) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        self.wall = 1000.0
        self.limits = Replay(messages, size, age)
        self.hub = Hub(replay=self.limits, clock=lambda: self.now, wall=lambda: self.wall)
        self.first = self.hub._floor
        self.published: list[Message] = []
        # Indexes of messages before which something may have been lost.
        self.holes: set[int] = set()
        self.models: list[Model] = []

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    @rule(text=TEXT, key=st.none() | st.sampled_from("kl"))
    def publish(self, text: str, key: str | None) -> None:
        seen: list[Message] = []
        original = self.hub.receive

        async def publish() -> Published:
            return await self.hub.publish("t", text, key=key)

        def receive(message: Message) -> int:
            seen.append(message)
            return original(message)

        self.hub.receive = receive  # type: ignore[method-assign]
        before = [model.over for model in self.models]
        for model in self.models:
            model.offer(Message("t", text, key=key))
        result = self.loop.run_until_complete(publish())
        (message,) = seen
        for model in self.models:
            # The same object, so that it can be compared by identity below.
            for place in (model.got, model.waiting):
                place[:] = [message if each.id is None else each for each in place]
        self.hub.receive = original  # type: ignore[method-assign]
        self.published.append(message)
        assert result.delivered
        assert result.id == message.id
        assert result.reached == sum(not over for over in before) - sum(
            model.over and not over for model, over in zip(self.models, before, strict=True)
        )

    @rule(seconds=st.sampled_from([0.0, 0.0004, 1.0, 4.0]), back=st.booleans())
    def pass_time(self, seconds: float, back: bool) -> None:
        self.now += seconds
        # The wall clock may be turned back; ids ascend all the same.
        self.wall += -seconds if back else seconds

    @precondition(lambda self: len(self.models) < 4)
    @rule(
        policy=st.sampled_from(["drop_oldest", "coalesce", "disconnect"]),
        messages=st.integers(1, 3),
        size=st.integers(1, 4 * OVERHEAD),
    )
    def subscribe(self, policy: Policy, messages: int, size: int) -> None:
        client = Client(Slow(policy, messages, size))
        self.hub.seat(client, Clients, "t")
        self.models.append(Model(client))

    @rule(data=st.data(), count=st.integers(1, 3))
    def take(self, data: st.DataObject, count: int) -> None:
        if self.models:
            model = data.draw(st.sampled_from(self.models))
            model.take(count)
            model.client.take(count)

    @rule()
    def lose(self) -> None:
        # The clients of this machine are told, like of any message; it is no part of the log.
        for model in self.models:
            self.hub.unseat(model.client, "t")
        self.hub.lost()
        self.holes.add(len(self.published))
        for model in self.models:
            if not model.over:
                self.hub.seat(model.client, Clients, "t")

    @rule(data=st.data(), noise=st.sampled_from(["", "0-0", "x", "99999999999999-0"]))
    def come_back(self, data: st.DataObject, noise: str) -> None:
        place = data.draw(st.integers(-1, len(self.published) - 1))
        after = noise if place < 0 and noise else str(self.first if place < 0 else self.published[place].id)
        subscription = self.hub.subscribe("t", after=after, slow=Slow(messages=1))
        got = self._read(subscription)
        subscription.close()
        gap = [message for message in got if message.event == "gap"]
        rest = [message for message in got if message.event != "gap"]
        kept = self._kept()
        if after in ("x", "99999999999999-0"):
            assert (len(gap), rest) == (1, kept)
            return
        if after == "0-0":
            place = -1
        expected = self.published[place + 1 :]
        assert rest == [message for message in kept if message in expected]
        lost = any(place + 1 <= hole for hole in self.holes)
        assert bool(gap) == (rest != expected or lost or after == "0-0")
        if gap:
            assert got[0] is gap[0]
            # Who comes back with what the gap said has no gap any more, where nothing follows.
            if not rest:
                again = self.hub.subscribe("t", after=str(gap[0].id))
                assert self._read(again) == []
                again.close()

    def _kept(self) -> list[Message]:
        kept: list[Message] = []
        for message in reversed(self.published):
            size = sum(each.size for each in kept) + message.size
            if (
                len(kept) >= self.limits.messages
                or size > self.limits.bytes
                or message.at < self.now - self.limits.age
            ):
                break
            kept.insert(0, message)
        return kept

    def _read(self, subscription: Subscription) -> list[Message]:
        got = []
        while subscription.waiting:
            got.append(self.loop.run_until_complete(subscription.get()))
        return got

    @invariant()
    def every_client_has_what_it_should(self) -> None:
        for model in getattr(self, "models", []):
            client = model.client
            assert client.got == model.got
            assert client.disconnected == model.over
            assert len(client.buffer) == len(model.waiting)
            assert client.buffer.bytes == sum(message.size for message in model.waiting)
            assert len(client.buffer) <= model.slow.messages
            assert client.buffer.bytes <= model.slow.bytes

    @invariant()
    def ids_ascend(self) -> None:
        ids = [message.id for message in getattr(self, "published", [])]
        assert all(isinstance(id, MessageId) for id in ids)
        assert all(low < high for low, high in pairwise(ids))  # type: ignore[operator]

    @invariant()
    def the_log_is_bounded(self) -> None:
        topic = self.hub.find("t") if hasattr(self, "hub") else None
        if topic is not None:
            assert len(topic.log) <= self.limits.messages
            assert topic.log.bytes <= self.limits.bytes


TestTopic = TopicMachine.TestCase
TestTopic.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_reader_that_is_disconnected_is_told(run: object) -> None:
    async def main() -> None:
        hub = Hub()
        with hub.subscribe("t", slow=Slow("disconnect", messages=1)) as subscription:
            for number in range(3):
                await hub.publish("t", str(number))
            with pytest.raises(TooSlow):
                await subscription.get()

    run(main())  # type: ignore[operator]
