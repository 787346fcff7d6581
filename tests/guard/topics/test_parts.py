"""Buffers, logs, presence, delays and entries, each by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.topics import wire
from eyewall.guard.topics.buffers import Buffer, Slow
from eyewall.guard.topics.messages import OVERHEAD, Message, MessageId
from eyewall.guard.topics.presence import Member, Presence
from eyewall.guard.topics.replay import Kept, Replay, ReplayLog, cut


def texts(buffer: Buffer) -> list[str]:
    found = []
    while (message := buffer.pop()) is not None:
        found.append(str(message.data))
    return found


def test_a_message_that_no_buffer_holds_is_dropped() -> None:
    buffer = Buffer(Slow(bytes=OVERHEAD + 100))
    assert buffer.push(Message("t", "x")) == 0
    assert buffer.push(Message("t", "x" * 200)) == 2
    assert (len(buffer), buffer.bytes) == (0, 0)


def test_keys_coalesce_within_a_topic() -> None:
    buffer = Buffer(Slow("coalesce"))
    for topic, text in (("a", "1"), ("b", "2"), ("a", "3")):
        buffer.push(Message(topic, text, key="k"))
    assert texts(buffer) == ["2", "3"]


def test_a_replay_comes_first_and_does_not_count() -> None:
    buffer = Buffer(Slow(messages=1))
    buffer.replay([Message("t", str(number)) for number in range(5)])
    assert buffer.push(Message("t", "5")) == 0
    assert buffer.push(Message("t", "6")) == 1
    assert len(buffer) == 6
    assert texts(buffer) == ["0", "1", "2", "3", "4", "6"]


def test_impossible_settings_are_refused() -> None:
    for slow in (Slow("panic"), Slow(messages=0), Slow(bytes=0)):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"policy|at least"):
            slow.checked()
    with pytest.raises(ValueError, match="negative"):
        Replay(age=-1).checked()


NAMES = st.sampled_from("abc")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("123"), NAMES)))
def test_presence_counts_people(steps: list[tuple[bool, str, str]]) -> None:
    presence = Presence()
    model: dict[str, str] = {}
    for joins, id, who in steps:
        if joins and model.get(id, who) != who:
            with pytest.raises(ValueError, match="can't become"):
                presence.put(Member(id, who))
        elif joins:
            change = presence.put(Member(id, who))
            if id in model:
                assert change is None
            else:
                assert change is not None
                assert (change.kind, change.alone) == ("joined", who not in model.values())
            model[id] = who
        else:
            gone = model.pop(id, None)
            change = presence.remove(id)
            assert (change is None) == (gone is None)
            if change is not None:
                assert (change.kind, change.alone) == ("left", gone not in model.values())
        assert [(member.id, member.who) for member in presence.members()] == list(model.items())
        assert {member.who for member in presence.people()} == set(model.values())
        assert len(presence.people()) == len(set(model.values()))
        assert all(presence.has(name) == (name in model.values()) for name in "abc")


def test_a_member_that_says_something_else_has_changed() -> None:
    presence = Presence()
    presence.put(Member("1", "ada", {"typing": False}))
    change = presence.put(Member("1", "ada", {"typing": True}))
    assert change is not None
    assert change.kind == "changed"
    found = presence.find("1")
    assert found is not None
    assert found.about == {"typing": True}


VALUES = st.none() | st.booleans() | st.integers() | st.text()


@given(st.sampled_from("mjlrbhaqn"), st.text(), st.integers(), st.data(), st.binary())
def test_entries_come_back_as_they_went(
    kind: str, origin: str, number: int, data: st.DataObject, content: bytes
) -> None:
    arity = wire._ARITY[kind]
    # Lone surrogates never get into a name: they cannot be published.
    values = data.draw(st.lists(st.integers() | st.sampled_from(["é", "x"]), min_size=arity, max_size=arity))
    entry = wire.Entry(kind, "a1", number, values, content)
    assert wire.decode(entry.fields()) == entry


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"{}",
        b"[]",
        b"[1,2]",
        b'["m","o",1]',
        b'["x","o",1]',
        b'["h","o","1"]',
        b'["h","o",true]',
        b'["h",1,1]',
        b"\xff",
    ],
)
def test_entries_of_others_are_refused(head: bytes) -> None:
    with pytest.raises(ValueError):
        wire.decode({b"h": head})


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1]", b"[[]]", b'[["t","1",2,{},0]]', b'[["t","1","w",[],0]]', b'[["t","1","w",{},"0"]]'],
)
def test_members_of_others_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        wire.members_from_json(data)


@given(st.lists(st.lists(st.integers(0, 300), max_size=8), max_size=6), st.integers(0, 30 * OVERHEAD))
def test_logs_are_cut_to_one_size(sizes: list[list[int]], most: int) -> None:
    kept = Kept(most, lambda: None)
    logs = [ReplayLog(Replay(), MessageId(0, 0), kept) for _ in sizes]
    place = 0
    for log, lengths in zip(logs, sizes, strict=True):
        for length in lengths:
            place += 1
            log.append(Message("t", "x" * length, id=MessageId(1, place), at=0.0), 0.0)
    before = [[message.id for message in log.recent(100, 0.0)] for log in logs]
    had = [log.bytes for log in logs]
    dropped = cut(logs, most)
    after = [[message.id for message in log.recent(100, 0.0)] for log in logs]
    assert kept.bytes == sum(log.bytes for log in logs) <= max(most, 0)
    assert dropped == sum(map(len, before)) - sum(map(len, after))
    for old, new, log in zip(before, after, logs, strict=True):
        # The oldest went, and the log says so.
        assert old[len(old) - len(new) :] == new
        if len(new) < len(old):
            assert log.complete == old[len(old) - len(new) - 1]
    if sum(had) <= most:
        assert dropped == 0
    # Who lost nothing had no more than anybody who did.
    lost = [size for size, old, new in zip(had, before, after, strict=True) if len(new) < len(old)]
    spared = [size for size, old, new in zip(had, before, after, strict=True) if len(new) == len(old)]
    assert max(spared, default=0) <= min(lost, default=max(spared, default=0))
