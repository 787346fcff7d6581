"""Which profile is active, and who may say so."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
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


def test_a_profile_does_not_change() -> None:
    with pytest.raises(AttributeError, match=r"replace\(head_bytes="):
        NATIVE.head_bytes = 1
    with pytest.raises(AttributeError):
        del TORNADO.head_bytes
    assert NATIVE.head_bytes == 64 * 1024


def test_a_copy_keeps_what_was_stated_before() -> None:
    changed = TORNADO.replace(head_bytes=1).replace(idle_timeout=2.0)
    assert (changed.head_bytes, changed.idle_timeout, changed.bare_lf) == (1, 2.0, True)
    assert changed.name == "tornado"
    assert TORNADO.head_bytes == 64 * 1024


def test_what_is_no_limit_is_named() -> None:
    with pytest.raises(TypeError, match="no such limit: head_byte"):
        NATIVE.replace(head_byte=1)


def test_a_profile_of_another_process_is_the_same() -> None:
    import_it = "import pickle, sys; from eyewall.guard.profile import NATIVE"
    tell = "sys.stdout.buffer.write(pickle.dumps(NATIVE.replace(head_bytes=7)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "4711"}
    told = subprocess.run(
        [sys.executable, "-c", f"{import_it}; {tell}"], stdout=subprocess.PIPE, env=environment, check=True
    )
    other = pickle.loads(told.stdout)
    mine = NATIVE.replace(head_bytes=7)
    assert other == mine
    assert hash(other) == hash(mine)
    assert other in {mine}
    assert copy.deepcopy(mine) == copy.copy(mine) == mine
