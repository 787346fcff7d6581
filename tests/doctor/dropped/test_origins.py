"""Where exceptions come from."""

from __future__ import annotations

from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from typing import Any

import pytest

from eyewall.doctor.dropped.origins import MOST, origin_of_error
from eyewall.doctor.places import Place

from ..lines import line_of


def fails() -> None:
    raise ValueError("no such report")


def raised() -> ValueError:
    with pytest.raises(ValueError, match="no such report") as caught:
        fails()
    return caught.value


def test_one_that_was_raised() -> None:
    origin = origin_of_error(raised())
    assert origin.place == line_of(fails, "raise")
    assert origin.places[-1] == origin.place
    assert (origin.kind, origin.text) == ("ValueError", "ValueError: no such report")


def test_one_that_was_never_raised() -> None:
    assert origin_of_error(KeyError("x"))[:3] == ((), None, [])


def test_a_group_has_the_place_of_what_is_in_it() -> None:
    group = ExceptionGroup("outer", [OSError("never raised"), ExceptionGroup("inner", [raised()])])
    origin = origin_of_error(group)
    assert origin.place == line_of(fails, "raise")
    assert origin.kind == "ExceptionGroup of ValueError"
    assert origin.text.endswith("ValueError: no such report")


def test_a_group_of_which_nothing_was_raised() -> None:
    origin = origin_of_error(ExceptionGroup("outer", [OSError(str(number)) for number in range(2 * MOST)]))
    assert origin.place is None
    assert origin.kind == "ExceptionGroup of OSError"


def test_one_of_another_process() -> None:
    error = raised()
    rebuild, parts = ExceptionWithTraceback(error, error.__traceback__).__reduce__()
    sent: Any = rebuild(*parts)
    sent.__traceback__ = None
    origin = origin_of_error(sent)
    file, line, _ = line_of(fails, "raise")
    assert origin.place == Place(file, line, "fails")
    assert origin.frames == []


def test_a_cause_that_says_nothing() -> None:
    class RemoteTraceback(Exception):
        pass

    error = raised()
    error.__cause__ = RemoteTraceback("out of order")
    assert origin_of_error(error).place == line_of(fails, "raise")
