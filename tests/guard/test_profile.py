"""Which profile is active, and who may say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyewall.guard.profile import NATIVE, TORNADO, activate, active, override, prefer


@pytest.fixture(autouse=True)
def _no_overrides() -> Iterator[None]:
    yield
    override()


def test_the_native_one_is_there_from_the_beginning() -> None:
    assert active() is NATIVE


def test_a_preference_gives_way_to_a_choice() -> None:
    prefer(TORNADO)
    assert active() is TORNADO
    own = NATIVE.replace(head_fields=7)
    activate(own)
    prefer(TORNADO)
    assert active() is own


def test_single_limits_hold_in_every_profile_that_is_activated() -> None:
    override(body_bytes=10, body_min_rate=NATIVE.body_min_rate)
    assert active() == NATIVE.replace(body_bytes=10)
    prefer(TORNADO)
    assert active() == TORNADO.replace(body_bytes=10, body_min_rate=NATIVE.body_min_rate)
    activate(NATIVE)
    assert active() == NATIVE.replace(body_bytes=10)


def test_the_last_overrides_hold() -> None:
    activate(TORNADO)
    override(body_bytes=10)
    override(head_fields=11)
    assert active() == TORNADO.replace(head_fields=11)
    override()
    assert active() is TORNADO


def test_a_name_that_is_no_limit_changes_nothing() -> None:
    override(body_bytes=10)
    with pytest.raises(TypeError):
        override(body_byte=11)
    assert active() == NATIVE.replace(body_bytes=10)
