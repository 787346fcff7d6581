"""Ids: their order, and what clients may send for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.errors import LimitExceeded
from eyewall.guard.topics.messages import Message, MessageId, encoded

NUMBERS = st.integers(0, 2**60)
PLAIN = st.tuples(NUMBERS, NUMBERS).map(lambda pair: MessageId(*pair))
ORIGINS = st.from_regex("[0-9a-f]{12}", fullmatch=True)
LOCAL = st.tuples(NUMBERS, NUMBERS, st.integers(1, 10**17), ORIGINS).map(lambda parts: MessageId(*parts))
IDS = PLAIN | LOCAL | PLAIN.map(MessageId.gap)


@given(IDS)
def test_an_id_comes_back_as_it_went(id: MessageId) -> None:
    assert MessageId.parse(str(id)) == id


@given(IDS, NUMBERS)
def test_what_is_local_stands_between_two_shared_messages(id: MessageId, more: int) -> None:
    assert id.shared() <= id <= id.gap()
    assert id.gap() < MessageId(id.ms, id.seq + 1 + more)
    assert id.gap() < MessageId(id.ms + 1 + more, 0)


@given(st.text())
def test_anything_a_client_sends_is_an_id_or_none(text: str) -> None:
    id = MessageId.parse(text)
    assert id is None or MessageId.parse(str(id)) == id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1-",
        "-1-2",
        "1-2.",
        "1-2.3",
        "1-2.3@",
        "1-2.3@XY",
        "1-2++",
        " 1-2",
        "1-2\n",
        "٣-1",
        "9" * 20 + "-1",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert MessageId.parse(text) is None


def test_a_form_is_made_once() -> None:
    made: list[str] = []
    message = Message("t", "x")

    def make(message: Message) -> str:
        made.append(str(message.data))
        return "frame"

    assert [message.form("a", make), message.form("a", make), message.form("b", make)] == ["frame"] * 3
    assert made == ["x", "x"]


def test_what_can_be_published() -> None:
    assert encoded("é", 2) == "é"
    assert encoded(b"\xff", 1) == b"\xff"
    assert encoded(bytearray(b"x"), 1) == b"x"
    assert encoded({"a": [1, None]}, 100) == '{"a": [1, null]}'
    for data in ("éé", b"\xff" * 4, {"a": 1}):
        with pytest.raises(LimitExceeded) as error:
            encoded(data, 3)
        assert (error.value.limit, error.value.status) == ("message_bytes", 413)
    with pytest.raises(TypeError):
        encoded({1, 2}, 100)
    with pytest.raises(UnicodeEncodeError):
        encoded("\ud800", 100)
