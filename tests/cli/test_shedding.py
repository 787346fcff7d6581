"""Load shedding on the command line."""

from __future__ import annotations

import inspect

import pytest

from eyewall.cli.settings import SettingError
from eyewall.cli.shedding import parse_shedding, shedding
from eyewall.guard.limits.adaptivelimit import AdaptiveLimit
from eyewall.guard.profile import NATIVE


def test_auto_is_what_an_adaptive_limit_is_by_default() -> None:
    assert parse_shedding("auto") == {}
    limit, plain = shedding({}, NATIVE), AdaptiveLimit()
    assert limit.state() == plain.state()
    for name in ("least", "most", "limit", "tolerance"):
        assert getattr(limit.gradient, name) == getattr(plain.gradient, name)
    assert limit.pressure.target == plain.pressure.target
    defaults = inspect.signature(AdaptiveLimit).parameters
    assert (defaults["tolerance"].default, defaults["target_lag"].default) == (1.5, 0.05)


@pytest.mark.parametrize(
    ("text", "requests", "bounds"),
    [
        ("auto", 0, (4, 1000, 20)),
        ("auto", 10, (4, 10, 10)),
        ("auto", 2, (2, 2, 2)),
        ("most=50", 10, (4, 50, 20)),
        ("initial=2", 0, (2, 1000, 2)),
        ("initial=2000", 0, (4, 2000, 2000)),
        ("least=30", 0, (30, 1000, 30)),
        ("least=1,most=9,initial=3", 0, (1, 9, 3)),
    ],
)
def test_what_is_not_stated_gives_way(text: str, requests: int, bounds: tuple[int, int, int]) -> None:
    limit = shedding(parse_shedding(text), NATIVE.replace(requests=requests))
    assert (limit.gradient.least, limit.gradient.most, limit.gate.most) == bounds


def test_settings_of_every_kind() -> None:
    stated = parse_shedding("least=2,most=90,initial=5,tolerance=2.5,target_lag=0.2")
    assert stated == {"least": 2, "most": 90, "initial": 5, "tolerance": 2.5, "target_lag": 0.2}
    limit = shedding(stated, NATIVE.replace(request_queue=3, request_queue_timeout=0.25))
    assert (limit.gradient.tolerance, limit.pressure.target) == (2.5, 0.2)
    assert (limit.gate.queue, limit.gate.patience) == (3, 0.25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither auto nor NAME=VALUE with one of least, most"),
        ("yes", "'yes' is neither auto"),
        ("auto,most=3", "'auto' is neither"),
        ("speed=9", "'speed=9' is neither"),
        ("most=many", "most is a number, not 'many'"),
        ("most=2.5", "most is a number"),
        ("most=2,least=3", "least <= initial <= most"),
        ("least=0", "1 <= least"),
        ("tolerance=1", "tolerance > 1"),
        ("target_lag=0", "target > 0"),
        ("target_lag=nan", "target > 0"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(SettingError, match=message) as told:
        parse_shedding(text)
    assert told.value.option == "--shed"
