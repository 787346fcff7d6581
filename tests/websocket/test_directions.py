"""One direction of permessage-deflate by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.websocket.directions import MessageDeflater, MessageInflater
from eyewall.websocket.errors import MessageTooBig, PayloadError


@given(st.booleans(), st.sampled_from([None, 9, 12, 15]), st.lists(st.binary(max_size=2000), max_size=5))
def test_messages_come_out_as_they_went_in(persistent: bool, bits: int | None, messages: list[bytes]) -> None:
    deflater = MessageDeflater(persistent, bits)
    inflater = MessageInflater(persistent, bits, 2000)
    assert [inflater.decompress(deflater.compress(message)) for message in messages] == messages


def test_a_stream_that_goes_on_says_the_same_shorter_the_second_time() -> None:
    text = bytes(range(200))
    for persistent in (True, False):
        deflater = MessageDeflater(persistent, None)
        first, second = deflater.compress(text), deflater.compress(text)
        assert (len(second) < len(first)) is persistent


def test_limits_and_what_is_no_stream() -> None:
    inflater = MessageInflater(False, None, 10)
    assert inflater.decompress(MessageDeflater(False, None).compress(b"x" * 10)) == b"x" * 10
    with pytest.raises(MessageTooBig):
        inflater.decompress(MessageDeflater(False, None).compress(b"x" * 11))
    with pytest.raises(PayloadError):
        MessageInflater(False, None, 10).decompress(b"\xff\xff\xff")
    with pytest.raises(ValueError, match="unknown compression option"):
        MessageDeflater(False, None, {"levle": 1})
