"""Refusals: what they say, and what a response to them says."""

from __future__ import annotations

import pickle

import pytest

from eyewall.base.errors import EyewallError
from eyewall.guard.errors import Overloaded, whole_seconds


def test_it_names_the_limit() -> None:
    error = Overloaded("executor 'files'")
    assert isinstance(error, EyewallError)
    assert str(error) == "the limit executor 'files' is reached"
    assert (error.status, error.limit, error.retry_after, error.fields()) == (
        503,
        "executor 'files'",
        None,
        {},
    )


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.01, "2"), (59.5, "60"), (-3.0, "1")]
)
def test_retry_after_is_never_too_early(seconds: float, said: str) -> None:
    assert whole_seconds(seconds) == said
    assert Overloaded("x", retry_after=seconds).fields() == {"Retry-After": said}


def test_it_survives_the_way_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(Overloaded("x", "no room", retry_after=2.5)))
    assert (type(error), str(error), error.limit, error.retry_after) == (Overloaded, "no room", "x", 2.5)
