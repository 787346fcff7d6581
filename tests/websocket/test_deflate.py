"""permessage-deflate: negotiation by RFC 7692 section 7.1."""

from __future__ import annotations

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.websocket.deflate import DeflateOptions, accept, confirm, offer
from eyewall.websocket.errors import HandshakeFailed
from eyewall.websocket.extensions import parse_extensions

WIDE = DeflateOptions()


def answer(value: str, options: DeflateOptions = WIDE) -> str | None:
    accepted = accept(parse_extensions([value]), options)
    return None if accepted is None else accepted[1]


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("permessage-deflate", "permessage-deflate"),
        ("Permessage-Deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits=10", "permessage-deflate; client_max_window_bits=10"),
        ('permessage-deflate; client_max_window_bits="10"', "permessage-deflate; client_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "permessage-deflate; client_no_context_takeover"),
        # An offer that cannot be taken is passed over, the next one is taken.
        ("permessage-deflate; surprise, permessage-deflate", "permessage-deflate"),
        ("x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=7", None),
        ("permessage-deflate; server_max_window_bits=010", None),
        ("permessage-deflate; client_max_window_bits=0", None),
        ("permessage-deflate; client_max_window_bits=10; client_max_window_bits=10", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        ("permessage-bzip2", None),
    ],
)
def test_what_a_server_answers(offered: str, answered: str | None) -> None:
    assert answer(offered) == answered


def test_a_server_that_wants_small_windows_says_so() -> None:
    small = DeflateOptions.of(NATIVE)
    assert small.server_max_window_bits == 12
    assert answer("permessage-deflate; client_max_window_bits", small) == (
        "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"
    )
    # A client that did not mention its window cannot be told how large it may be.
    assert answer("permessage-deflate", small) == "permessage-deflate; server_max_window_bits=12"
    fresh = DeflateOptions(server_no_context_takeover=True, client_no_context_takeover=True)
    assert answer("permessage-deflate", fresh) == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    )


def test_what_a_client_offers() -> None:
    assert offer(WIDE) == "permessage-deflate; client_max_window_bits"
    narrow = DeflateOptions(
        server_max_window_bits=10,
        client_max_window_bits=11,
        server_no_context_takeover=True,
        client_no_context_takeover=True,
    )
    assert offer(narrow) == (
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=10; client_max_window_bits=11"
    )
    parameters, said = accept(parse_extensions([offer(narrow)]), WIDE) or pytest.fail("refused")
    assert confirm(parse_extensions([said])[0][1], narrow) == parameters


@pytest.mark.parametrize(
    "said",
    [
        "surprise",
        "server_max_window_bits",
        "client_max_window_bits",
        "server_max_window_bits=16",
        "server_max_window_bits=11",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_no_context_takeover=yes",
        "client_max_window_bits=10",  # without the server_no_context_takeover that was asked for
    ],
)
def test_answers_a_client_does_not_take(said: str) -> None:
    options = DeflateOptions(server_max_window_bits=10, server_no_context_takeover=True)
    with pytest.raises(HandshakeFailed):
        confirm(parse_extensions([f"permessage-deflate; {said}"])[0][1], options)


def test_options_are_checked() -> None:
    assert DeflateOptions.of(NATIVE, {"compression_level": 1, "mem_level": 9}).level == 1
    assert DeflateOptions.of(NATIVE, {"server_no_context_takeover": True}).server_no_context_takeover
    for wrong in (
        {"level": 3},
        {"speed": 1},
        {"mem_level": 0},
        {"compression_level": 10},
        {"mem_level": "5"},
    ):
        with pytest.raises(ValueError, match=r"level|speed"):
            DeflateOptions.of(NATIVE, wrong)  # type: ignore[arg-type]
