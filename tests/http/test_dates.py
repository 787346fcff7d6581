import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.http.dates import format_timestamp, parse_http_date

NOW = 1_790_000_000  # in 2026


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_the_three_forms(text):
    assert parse_http_date(text, NOW) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov ١٩٩٤ 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
    ],
)  # fmt: skip
def test_what_is_no_date(text):
    assert parse_http_date(text, NOW) is None


def test_two_digit_years_are_at_most_fifty_years_ahead():
    years = {"76": 2076, "77": 1977, "26": 2026, "99": 1999, "00": 2000}
    for digits, year in years.items():
        expected = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp()
        assert parse_http_date(f"Monday, 01-Jan-{digits} 00:00:00 GMT", NOW) == expected


@given(st.integers(min_value=-62135596800, max_value=253402300799))
def test_reads_what_is_written(seconds):
    assert parse_http_date(format_timestamp(seconds)) == seconds
