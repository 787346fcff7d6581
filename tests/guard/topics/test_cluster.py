"""Processes that share a stream, without a stream: entries in a list, and a clock that is turned."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.topics import wire
from eyewall.guard.topics.cluster import Cluster
from eyewall.guard.topics.messages import FIRST, Message, MessageId, Published
from eyewall.guard.topics.presence import Member


class Stream:
    """A stream, as Redis has it."""

    def __init__(self) -> None:
        self.entries: list[tuple[MessageId, wire.Entry]] = []
        self.now = 0.0

    def add(self, entry: wire.Entry) -> None:
        # Over the wire, as bytes.
        self.entries.append((MessageId(1, len(self.entries)), wire.decode(entry.fields())))


class Process:
    """A process with a hub that only takes notes."""

    def __init__(self, name: str, stream: Stream, queue: int = 100) -> None:
        self.cluster = Cluster(self, name, expiry=15.0, queue=queue, queue_bytes=10**6)
        self.stream = stream
        self.read = len(stream.entries)
        self.got: list[str] = []
        self.ids: list[MessageId] = []
        self.holes = 0
        self.mine: dict[str, Member] = {}
        self.others: dict[str, Member] = {}
        self.results: list[Published] = []

    # -- the hub

    def begin(self, position: MessageId) -> None:
        raise AssertionError("the driver's")

    def receive(self, message: Message) -> int:
        assert message.id is not None
        self.got.append(str(message.data))
        self.ids.append(message.id)
        return 1

    def recall(self, message: Message, age: float) -> None:
        self.got.append(f"recalled {message.data!s}")

    def lost(self) -> None:
        self.holes += 1

    def arrive(self, topic: str, member: Member) -> None:
        self.others[member.id] = member

    def depart(self, topic: str, id: str) -> None:
        del self.others[id]

    def roster(self) -> list[tuple[str, Member]]:
        return [("t", member) for member in self.mine.values()]

    # -- the driver

    def connect(self, lost: bool = False) -> None:
        self.cluster.connected(self.stream.now, lost=lost)

    def publish(self, text: str) -> None:
        self.cluster.publish(Message("t", text), self.stream.now, self.results.append)

    def join(self, id: str) -> None:
        self.mine[id] = Member(id, id, {"n": len(self.mine)}, 1.0)
        self.cluster.arrived("t", self.mine[id])

    def leave(self, id: str) -> None:
        del self.mine[id]
        self.cluster.departed("t", id)

    def send(self) -> None:
        while entries := self.cluster.outgoing(3):
            for entry in entries:
                self.stream.add(entry)

    def take(self, count: int = 10**9) -> None:
        for id, entry in self.stream.entries[self.read : self.read + count]:
            self.cluster.take(id, entry, self.stream.now)
            self.read += 1


def settle(*processes: Process) -> None:
    """Lets everything be sent and read."""
    while any(each.cluster.waiting or each.read < len(each.stream.entries) for each in processes):
        for process in processes:
            process.send()
        for process in processes:
            process.take()


def two() -> tuple[Stream, Process, Process]:
    stream = Stream()
    one, other = Process("a1", stream), Process("b2", stream)
    one.connect()
    other.connect()
    settle(one, other)
    return stream, one, other


def test_a_message_is_delivered_in_the_order_of_the_stream_everywhere() -> None:
    _, one, other = two()
    one.publish("1")
    other.publish("2")
    one.publish("3")
    assert one.got == []
    assert one.results == []
    settle(one, other)
    assert one.got == other.got == ["1", "3", "2"]
    assert one.ids == other.ids == sorted(one.ids)
    assert [result.delivered for result in one.results] == [True, True]


def test_in_an_outage_each_serves_its_own_and_says_so() -> None:
    _, one, other = two()
    one.publish("pending")
    one.cluster.down("gone")
    one.publish("local")
    assert one.got == ["pending", "local"]
    assert [(each.delivered, each.reached) for each in one.results] == [(False, 1), (False, 1)]
    assert "gone" in (one.results[0].reason or "")
    place = one.cluster.position
    assert place < one.ids[0] < one.ids[1] < MessageId(place.ms, place.seq + 1)
    one.connect()
    one.publish("again")
    settle(one, other)
    assert one.got == ["pending", "local", "again"]
    assert other.got == ["again"]
    # The other one notices that it has missed something, once.
    assert (other.holes, one.holes) == (1, 0)
    assert one.ids == sorted(one.ids)


def test_what_was_sent_before_an_outage_is_not_delivered_twice() -> None:
    _, one, other = two()
    one.publish("x")
    one.send()
    one.cluster.down("gone")
    one.connect()
    settle(one, other)
    assert one.got == other.got == ["x"]
    assert other.holes == 0


def test_an_entry_that_was_sent_twice_counts_once() -> None:
    stream, one, other = two()
    one.publish("x")
    one.send()
    stream.entries.append((MessageId(2, 0), stream.entries[-1][1]))
    settle(one, other)
    assert one.got == other.got == ["x"]


def test_what_the_stream_dropped_before_it_was_read_is_noticed() -> None:
    stream, one, other = two()
    for text in "xyz":
        one.publish(text)
    one.send()
    del stream.entries[-3:-1]
    settle(one, other)
    assert other.got == ["z"]
    assert other.holes == 1
    assert one.got == ["x", "y", "z"]
    assert [result.delivered for result in one.results] == [False, False, True]


def test_a_stream_that_begins_anew_is_one_hole() -> None:
    stream, one, other = two()
    one.publish("lost")
    one.send()
    stream.entries.pop()
    for process in (one, other):
        process.cluster.down("gone")
        process.connect(lost=True)
    settle(one, other)
    assert (one.holes, other.holes) == (1, 1)
    one.publish("x")
    settle(one, other)
    assert other.got == ["x"]
    assert other.holes == 1


def test_a_refused_message_stays_here_and_the_queue_is_bounded() -> None:
    stream = Stream()
    one = Process("a1", stream, queue=2)
    one.connect()
    settle(one)
    for text in "xyz":
        one.publish(text)
    assert one.got == ["z"]
    assert one.results[0].reason == "too many messages wait for the backplane"
    entries = one.cluster.outgoing(10)
    one.cluster.refused(entries[0], "no memory")
    assert one.got == ["z", "x"]
    assert one.results[1].reason == "no memory"
    stream.add(entries[1])
    settle(one)
    assert one.got == ["z", "x", "y"]
    assert one.cluster.undelivered == 2


def test_members_that_were_refused_are_told_with_the_next_beat() -> None:
    _, one, other = two()
    one.join("ada")
    for entry in one.cluster.outgoing(10):
        one.cluster.refused(entry, "no memory")
    # Not at once, which would not end.
    assert one.cluster.outgoing(10) == []
    settle(one, other)
    assert other.others == {}
    one.cluster.beat()
    settle(one, other)
    assert set(other.others) == {"ada"}


def test_members_are_known_everywhere_and_go_with_their_process() -> None:
    stream, one, other = two()
    one.join("ada")
    other.join("bob")
    settle(one, other)
    third = Process("c3", stream)
    third.connect()
    settle(one, other, third)
    assert set(third.others) == {"ada", "bob"}
    assert (set(one.others), set(other.others)) == ({"bob"}, {"ada"})
    assert third.others["ada"].about == {"n": 0}
    assert not third.others["ada"].here
    one.leave("ada")
    other.cluster.bye()
    settle(one, other, third)
    assert third.others == {}


def test_a_silent_process_is_dead_and_one_that_comes_back_is_asked() -> None:
    stream, one, other = two()
    one.join("ada")
    settle(one, other)
    stream.now = 14.0
    one.cluster.beat()
    settle(one, other)
    stream.now = 28.0
    other.cluster.expire(stream.now)
    assert set(other.others) == {"ada"}
    stream.now = 29.0
    other.cluster.expire(stream.now)
    assert other.others == {}
    one.cluster.beat()
    settle(one, other)
    assert set(other.others) == {"ada"}


def test_nobody_dies_of_an_outage() -> None:
    stream, one, other = two()
    one.join("ada")
    settle(one, other)
    other.cluster.down("gone")
    stream.now = 1000.0
    other.cluster.expire(stream.now)
    assert set(other.others) == {"ada"}
    # Whoever left meanwhile is gone after the next roster.
    one.leave("ada")
    one.join("eve")
    other.connect(lost=True)
    other.cluster.expire(stream.now)
    settle(one, other)
    assert set(other.others) == {"eve"}


def test_many_members_come_in_parts() -> None:
    stream, one, other = two()
    for number in range(1200):
        one.mine[str(number)] = Member(str(number), str(number))
    other.cluster.down("gone")
    other.connect()
    settle(one, other)
    assert len(other.others) == 1200
    parts = [entry for _, entry in stream.entries if entry.kind == wire.ROSTER and len(entry.data) > 1000]
    assert [entry.values[1] for entry in parts] == [False, False, True]


def test_what_was_said_before_is_recalled() -> None:
    stream, one, _ = two()
    one.publish("x")
    one.send()
    third = Process("c3", stream)
    for id, entry in stream.entries:
        third.cluster.recall(id, entry, 5.0)
    assert third.got == ["recalled x"]
    assert third.cluster.position == stream.entries[-1][0]


def test_marks_are_passed_over() -> None:
    stream, one, other = two()
    stream.add(wire.Entry(wire.MARK, "c3", 0, (), b""))
    settle(one, other)
    assert "c3" not in one.cluster.peers
    assert one.cluster.position == stream.entries[-1][0]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "join", "leave", "send", "take", "down", "connect", "beat"]),
        st.integers(0, 1),
        st.integers(0, 3),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_everything_settles(steps: list[tuple[str, int, int]]) -> None:
    stream, *pair = two()
    published: list[list[str]] = [[], []]
    for number, (step, which, argument) in enumerate(steps):
        process = pair[which]
        name = f"{which}{argument}"
        if step == "publish":
            published[which].append(str(number))
            process.publish(str(number))
        elif step == "join":
            if name not in process.mine:
                process.join(name)
        elif step == "leave":
            if name in process.mine:
                process.leave(name)
        elif step == "send":
            for entry in process.cluster.outgoing(argument + 1):
                stream.add(entry)
        elif step == "take":
            process.take(argument + 1)
        elif step == "down":
            process.cluster.down("gone")
        elif step == "beat":
            process.cluster.beat()
        elif not process.cluster.up:
            process.connect()
    for process in pair:
        if not process.cluster.up:
            process.connect()
    settle(*pair)
    for process in pair:
        # Presence is right on both sides; each message has one result, and came to its own subscribers once, in order.
        process.cluster.beat()
    settle(*pair)
    for which, process in enumerate(pair):
        other = pair[1 - which]
        assert set(process.others) == set(other.mine)
        assert len(process.results) == len(published[which])
        assert sorted(text for text in process.got if text in published[which]) == sorted(published[which])
        assert process.ids == sorted(process.ids)
        assert len(set(process.ids)) == len(process.ids)
        # What was said to be delivered came to the other one as well, at most once.
        assert len(set(other.got)) == len(other.got)
        delivered = {result.id for result in process.results if result.delivered}
        assert delivered <= set(other.ids)
        if not all(text in other.got for text in published[which]):
            assert other.holes
    assert pair[0].cluster.position > FIRST
