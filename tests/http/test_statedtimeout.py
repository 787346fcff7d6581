"""What a client states as the time of its request: exactly a time, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.errors import RemoteProtocolError
from eyewall.http.statedtimeout import parse_grpc_timeout, parse_seconds, stated_timeout


class Request:
    def __init__(self, **fields: str) -> None:
        self.fields = {name.replace("_", "-").encode(): value for name, value in fields.items()}

    def find_header(self, name: bytes) -> str | None:
        return self.fields.get(name)


@pytest.mark.parametrize(
    ("value", "seconds"), [("2", 2.0), ("0.25", 0.25), ("007", 7.0), ("999999999", 999999999.0)]
)
def test_seconds(value: str, seconds: float) -> None:
    assert parse_seconds(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "0.0",
        "-1",
        "+1",
        "1e3",
        "inf",
        "nan",
        "1.",
        ".5",
        "1,2",
        "1 ",
        " 1",
        "1s",
        "0x1",
        "1_0",
        "²",
        "٣",
        "1" * 10,
    ],
)
def test_what_is_not_a_number_of_seconds(value: str) -> None:
    with pytest.raises(RemoteProtocolError, match="X-Request-Timeout is not a positive time") as caught:
        parse_seconds(value)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1H", 3600.0),
        ("2M", 120.0),
        ("3S", 3.0),
        ("100m", 0.1),
        ("5u", 5e-6),
        ("7n", 7e-9),
        ("99999999m", 99999.999),
    ],
)
def test_grpc(value: str, seconds: float) -> None:
    assert parse_grpc_timeout(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "0S", "1", "S", "1s", "1h", "1.5S", "-1S", "123456789S", "1S ", "1S,2S", "١S"]
)
def test_what_grpc_does_not_know(value: str) -> None:
    with pytest.raises(RemoteProtocolError, match="grpc-timeout is not a positive time"):
        parse_grpc_timeout(value)


def test_the_shorter_one_counts() -> None:
    assert stated_timeout(Request()) == 0.0
    assert stated_timeout(Request(x_request_timeout="2")) == 2.0
    assert stated_timeout(Request(grpc_timeout="500m")) == 0.5
    assert stated_timeout(Request(x_request_timeout="2", grpc_timeout="500m")) == 0.5
    with pytest.raises(RemoteProtocolError):
        stated_timeout(Request(x_request_timeout="2", grpc_timeout="x"))


@given(st.text(max_size=12))
def test_any_text_is_a_positive_time_or_refused(value: str) -> None:
    for parse in (parse_seconds, parse_grpc_timeout):
        try:
            assert parse(value) > 0.0
        except RemoteProtocolError:
            pass


@given(st.integers(1, 10**9 - 1), st.integers(0, 10**9 - 1))
def test_every_number_of_seconds_is_read(whole: int, fraction: int) -> None:
    assert parse_seconds(f"{whole}.{fraction:09d}") == pytest.approx(whole + fraction / 1e9)
