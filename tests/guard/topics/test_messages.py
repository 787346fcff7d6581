"""What messages take in memory, by themselves and with what is made of them."""

from __future__ import annotations

from sys import getsizeof

import pytest

from eyewall.guard.topics.messages import OVERHEAD, Message, MessageId
from eyewall.guard.topics.replay import Kept, Replay, ReplayLog


class Copy:
    """Something that is made of a message, and may grow."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def message(number: int = 1, data: str | bytes = "x") -> Message:
    return Message("t", data, id=MessageId(1, number))


def log_of(limits: Replay, kept: Kept | None = None) -> ReplayLog:
    return ReplayLog(limits, MessageId(0, 0), kept)


@pytest.mark.parametrize(("data", "width"), [("a", 1), (b"\xff", 1), ("é", 1), ("漢", 2), ("😀", 4)])
def test_a_message_counts_bytes_and_not_characters(data: str | bytes, width: int) -> None:
    assert message(data=data * 1000).size == pytest.approx(width * 1000 + OVERHEAD, abs=100)


def test_one_wide_character_makes_all_of_them_wide() -> None:
    data = "a" * 1000 + "😀"
    assert message(data=data).size == getsizeof(data) + OVERHEAD >= 4000


def test_a_log_counts_what_is_made_of_its_messages() -> None:
    kept = Kept(10**6, lambda: None)
    log = log_of(Replay(), kept)
    first, second = message(1), message(2)
    first.form("early", lambda _: Copy(500))
    for each in (first, second):
        log.append(each, 0.0)
    assert log.bytes == kept.bytes == first.weight + second.weight
    assert first.weight >= first.size + 500
    before = log.bytes
    copy = second.form("late", lambda _: Copy(700))
    assert log.bytes == kept.bytes >= before + 700
    before = log.bytes
    copy.nbytes += 300
    second.weigh()
    second.weigh()
    assert log.bytes == kept.bytes == before + 300
    # For one subscriber, it is what it was.
    assert second.size == OVERHEAD + 1
    log.cut(0)
    assert (log.bytes, kept.bytes) == (0, 0)
    # One that is not kept any more concerns nobody.
    second.form("later", lambda _: Copy(900))
    assert (log.bytes, kept.bytes) == (0, 0)


def test_a_log_forgets_what_outgrows_it() -> None:
    log = log_of(Replay(bytes=3 * OVERHEAD))
    messages = [message(number) for number in (1, 2)]
    for each in messages:
        log.append(each, 0.0)
    messages[1].form("copy", lambda _: Copy(OVERHEAD))
    assert log.recent(9, 0.0) == messages[1:]
    assert log.complete == messages[0].id
    assert log.bytes == messages[1].weight <= 3 * OVERHEAD
    messages[1].form("another", lambda _: Copy(2 * OVERHEAD))
    assert log.recent(9, 0.0) == []
    assert log.complete == messages[1].id
    assert log.bytes == 0


def test_who_keeps_several_logs_is_told_when_they_grow_too_much() -> None:
    told: list[int] = []
    kept = Kept(3 * OVERHEAD, lambda: told.append(kept.bytes))
    log = log_of(Replay(), kept)
    log.append(message(), 0.0)
    assert told == []
    log.recent(1, 0.0)[0].form("copy", lambda _: Copy(4 * OVERHEAD))
    assert told == [log.bytes]
