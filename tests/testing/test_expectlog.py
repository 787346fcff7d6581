from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from eyewall.testing import ExpectLog, MissingLogMessage

log = logging.getLogger("tests.expectlog")


@pytest.fixture(autouse=True)
def handled(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What reached the handlers."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_what_is_expected_is_not_handled(handled: pytest.LogCaptureFixture) -> None:
    with ExpectLog(log, "wind from") as expected:
        log.warning("wind from %s", "north")
        log.warning("the wind from %s", "south")
        log.error("wind from nowhere")
    log.warning("wind from afterwards")
    assert handled.messages == ["the wind from south", "wind from afterwards"]
    assert (expected.matched, expected.logged_stack) == (2, False)


def test_loggers_have_names_and_children_do_not_count(handled: pytest.LogCaptureFixture) -> None:
    with ExpectLog("tests.expectlog", "a"):
        log.error("a")
    with pytest.raises(MissingLogMessage), ExpectLog("tests", "a"):
        log.error("a")
    with ExpectLog("", "root"):
        logging.getLogger().error("root")
    assert handled.messages == ["a"]


def test_it_must_come_unless_it_need_not() -> None:
    with pytest.raises(Exception, match="did not get expected log message"), ExpectLog(log, "rain"):
        log.warning("sun")
    with ExpectLog(log, "rain", required=False) as expected:
        pass
    assert expected.matched == 0
    with pytest.raises(LookupError), ExpectLog(log, "rain"):
        raise LookupError
    assert not log.filters


def test_a_level_is_a_part_of_it(handled: pytest.LogCaptureFixture) -> None:
    with ExpectLog(log, "rain", level=logging.ERROR) as expected:
        log.error("rain")
    assert expected.matched == 1
    with pytest.raises(MissingLogMessage), ExpectLog(log, "rain", level=logging.ERROR):
        log.warning("rain")
    assert handled.messages == [
        "Got expected log message 'rain' at unexpected level (ERROR vs WARNING)",
        "rain",
    ]


def test_the_logger_lets_the_level_through_meanwhile() -> None:
    log.setLevel(logging.ERROR)
    try:
        with ExpectLog(log, "rain", level=logging.DEBUG) as expected:
            log.debug("rain")
        assert (log.level, expected.orig_level) == (logging.ERROR, logging.ERROR)
    finally:
        log.setLevel(logging.NOTSET)
    with ExpectLog(log, "rain", level=logging.ERROR) as expected:
        log.error("rain")
    assert (log.level, expected.orig_level) == (logging.NOTSET, None)


def test_to_expect_what_may_not_be_logged_is_deprecated() -> None:
    for level in (logging.DEBUG, logging.INFO):
        deprecated = pytest.warns(DeprecationWarning, match="matched at INFO or below without level argument")
        with deprecated, ExpectLog(log, "rain") as expected:
            log.log(level, "rain")
        assert (expected.matched, expected.deprecated_level_matched) == (1, 1)
        with ExpectLog(log, "rain", level=level):
            log.log(level, "rain")
    with warnings.catch_warnings(), ExpectLog(log, "rain", required=False):
        warnings.simplefilter("error")
        log.info("rain")
    with warnings.catch_warnings(), pytest.raises(LookupError), ExpectLog(log, "rain"):
        warnings.simplefilter("error")
        log.info("rain")
        raise LookupError


def test_tracebacks_are_noticed() -> None:
    for text in ("rain", "sun"):
        with ExpectLog(log, "rain", required=False) as expected:
            try:
                raise LookupError
            except LookupError:
                log.exception(text)
        assert expected.logged_stack


def test_bytes_are_text() -> None:
    with ExpectLog(log, "wind é"):
        log.error("wind é".encode())  # type: ignore[arg-type]
