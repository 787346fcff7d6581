import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.ranges import RangeNotSatisfiable, content_range, parse_range, requested_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=1-2", (1, 3)),
        ("Bytes = 1 - 2 ", (1, 3)),
        ("bytes=6-", (6, None)),
        ("bytes=26", (26, None)),
        ("bytes=-6", (-6, None)),
        ("bytes=-0", (None, 0)),
        ("bytes=", (None, None)),
        ("bytes=-", (None, None)),
        ("bytes=" + "9" * 10_000 + "-", (10**18, None)),
        ("bytes=1-2,6-10", None),
        ("bytes=+1-2", None),
        ("bytes=1_0-20", None),
        ("bytes=--1", None),
        ("bytes=a-b", None),
        ("bytes=1-٢", None),
        ("bytes 1-2", None),
        ("items=1-2", None),
        ("", None),
    ],
)
def test_parse(header, expected):
    assert parse_range(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("nonsense", None),
        ("bytes=0-9", (0, 10)),
        ("bytes=0-", None),
        ("bytes=0-25", None),
        ("bytes=0-99999", None),
        ("bytes=1-99999", (1, 26)),
        ("bytes=25-25", (25, 26)),
        ("bytes=-4", (22, 26)),
        ("bytes=-99999", None),
        ("bytes=", None),
    ],
)
def test_of_26_bytes(header, expected):
    assert requested_range(header, 26) == expected


@pytest.mark.parametrize("header", ["bytes=26-", "bytes=26", "bytes=-0", "bytes=10-3", "bytes=99-100"])
def test_not_satisfiable(header):
    with pytest.raises(RangeNotSatisfiable) as caught:
        requested_range(header, 26)
    assert caught.value.content_range == "bytes */26"


def test_of_nothing():
    assert requested_range("bytes=-5", 0) is None
    with pytest.raises(RangeNotSatisfiable):
        requested_range("bytes=0-", 0)


def test_content_range():
    assert content_range(1, 3, 4) == "bytes 1-2/4"
    assert content_range(None, 1, 4) == "bytes 0-0/4"
    assert content_range(None, None, 4) == "bytes 0-3/4"


@given(st.text(alphabet="0123456789-, "), st.integers(min_value=0, max_value=100))
def test_always_a_real_part(text, size):
    try:
        part = requested_range("bytes=" + text, size)
    except RangeNotSatisfiable:
        return
    if part is not None:
        assert 0 <= part[0] < part[1] <= size
        assert part != (0, size)
