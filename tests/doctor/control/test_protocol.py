"""Questions and answers as bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.control import protocol
from eyewall.doctor.control.protocol import ControlError, Lines

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)), st.integers(1, 7))
def test_lines_come_out_however_they_are_cut(lines: list[bytes], size: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    cutter = Lines(30)
    found = [line for start in range(0, len(data), size) for line in cutter.feed(data[start : start + size])]
    assert found == lines


@pytest.mark.parametrize("data", [b"123456\n", b"123456", b"ok\n1234567"])
def test_a_line_has_a_limit(data: bytes) -> None:
    assert Lines(7).feed(b"123456"[:5] + b"\n") == [b"12345"]
    with pytest.raises(ControlError) as caught:
        Lines(6).feed(data)
    assert caught.value.code == "too-large"


def test_the_limit_holds_for_a_line_in_pieces() -> None:
    cutter = Lines(10)
    with pytest.raises(ControlError):
        for _ in range(10):
            cutter.feed(b"ab")


@given(st.integers(), st.text(), st.dictionaries(st.text(), VALUES))
def test_a_question_and_its_answer(number: int, command: str, arguments: dict[str, Any]) -> None:
    line = protocol.question(number, command, arguments)
    assert line.index(b"\n") == len(line) - 1
    assert protocol.parse_question(line) == (number, command, arguments)
    assert protocol.parse_answer(protocol.answer(number, arguments), number) == arguments


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"\xff", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b'{"v": 2, "id": 1, "command": "findings"}', "version"),
        (b'{"command": "findings"}', "version"),
        (b'{"v": 1, "id": 1}', "malformed"),
        (b'{"v": 1, "command": "findings", "arguments": [1]}', "malformed"),
    ],
)
def test_questions_that_are_none(line: bytes, code: str) -> None:
    with pytest.raises(ControlError) as caught:
        protocol.parse_question(line)
    assert caught.value.code == code


@pytest.mark.parametrize("result", [object(), {1: {2}}, float("nan")])
def test_what_is_not_json_is_refused(result: object) -> None:
    with pytest.raises(ControlError) as caught:
        protocol.parse_answer(protocol.answer(1, result), 1)
    assert caught.value.code == "failed"


def test_answers_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "ANSWER", 200)
    with pytest.raises(ControlError) as caught:
        protocol.parse_answer(protocol.answer(1, "x" * 200), 1)
    assert caught.value.code == "too-large"


def test_questions_have_a_limit() -> None:
    with pytest.raises(ControlError, match="limit"):
        protocol.question(1, "findings", {"text": "x" * protocol.QUESTION})


def test_an_answer_to_another_question() -> None:
    with pytest.raises(ControlError, match="no question"):
        protocol.parse_answer(protocol.answer(1, None), 2)


def test_a_refusal() -> None:
    line = protocol.refusal(7, ControlError("busy", "x" * 5000))
    assert json.loads(line)["id"] == 7
    with pytest.raises(ControlError) as caught:
        protocol.parse_answer(line, 7)
    assert caught.value.code == "busy"
    assert len(str(caught.value)) == 1000
