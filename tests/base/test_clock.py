from __future__ import annotations

import datetime
import email.utils
import locale
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.clock import DateCache, format_timestamp, http_date, http_date_bytes

#: From the year 1000 to the year 9999.
SECONDS = st.integers(-30_610_224_000, 253_402_300_799)


@given(SECONDS)
def test_dates_are_those_of_mail(seconds: int) -> None:
    expected = email.utils.formatdate(seconds, usegmt=True)
    assert format_timestamp(seconds) == expected
    assert format_timestamp(time.gmtime(seconds)) == expected
    assert format_timestamp(tuple(time.gmtime(seconds))) == expected
    assert DateCache().text(seconds) == expected


@given(st.datetimes(datetime.datetime(1000, 1, 2), datetime.datetime(9999, 12, 30)), st.integers(-1439, 1439))
def test_datetimes_are_converted_to_utc(naive: datetime.datetime, minutes: int) -> None:
    aware = naive.replace(tzinfo=datetime.timezone(datetime.timedelta(minutes=minutes)))
    assert format_timestamp(aware) == email.utils.format_datetime(aware.astimezone(datetime.UTC), usegmt=True)
    utc = naive.replace(tzinfo=datetime.UTC)
    assert format_timestamp(naive) == email.utils.format_datetime(utc, usegmt=True)


def test_fractions_are_cut_off() -> None:
    assert format_timestamp(784111777.999) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert format_timestamp(-0.5) == "Wed, 31 Dec 1969 23:59:59 GMT"


def test_tuples_with_an_overflowing_day_are_normalised() -> None:
    assert format_timestamp((2023, 2, 29, 0, 0, 0)) == "Wed, 01 Mar 2023 00:00:00 GMT"
    assert format_timestamp((2024, 12, 31, 23, 59, 60, 0, 0, 0)) == "Wed, 01 Jan 2025 00:00:00 GMT"


@pytest.mark.parametrize("value", [None, "now", [2024], object()])
def test_what_is_no_timestamp_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="not a timestamp"):
        format_timestamp(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [(2024, 13, 1, 0, 0, 0), (2024, 0, 1, 0, 0, 0), (2024, 1)])
def test_tuples_that_are_no_time_are_refused(value: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"month|six"):
        format_timestamp(value)


def test_the_names_of_days_do_not_follow_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    before = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"):
        try:
            locale.setlocale(locale.LC_TIME, name)
            break
        except locale.Error:
            continue
    try:
        assert http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    finally:
        locale.setlocale(locale.LC_TIME, before)


def test_a_date_is_formatted_once_a_second() -> None:
    cache = DateCache()
    first = cache.text(100.0)
    assert cache.text(100.999) is first
    assert cache.octets(100.5) is cache.octets(100.0)
    second = cache.text(101.0)
    assert second != first
    assert cache.octets(101.5) == second.encode()


def test_a_clock_that_is_set_back_is_followed() -> None:
    cache = DateCache()
    cache.text(5000.0)
    assert cache.text(10.0) == "Thu, 01 Jan 1970 00:00:10 GMT"
    assert cache.octets(10.0) == b"Thu, 01 Jan 1970 00:00:10 GMT"
    assert cache.text(0.0) == "Thu, 01 Jan 1970 00:00:00 GMT"


def test_the_first_second_of_all_is_not_taken_for_known() -> None:
    assert DateCache().text(0.0) == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert DateCache().octets(0.0) == b"Thu, 01 Jan 1970 00:00:00 GMT"


def test_the_shared_cache_gives_text_and_bytes() -> None:
    assert (
        http_date(1359312200.5).encode() == http_date_bytes(1359312200.9) == b"Sun, 27 Jan 2013 18:43:20 GMT"
    )
