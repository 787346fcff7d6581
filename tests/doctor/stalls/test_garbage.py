"""What is known of a collection."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from eyewall.doctor.stalls import garbage as module
from eyewall.doctor.stalls.garbage import LONG, Collection, Garbage

from ..lines import line_of


def collect() -> None:
    gc.collect()


def collect_before(garbage: Garbage) -> None:
    """Collects where `garbage` notes it."""
    garbage.start()
    try:
        collect()
    finally:
        garbage.stop()


class Hides:
    """Whose finalizer asks."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self.itself = self
        self.ask = ask

    def __del__(self) -> None:
        in_another_thread(self.ask)


def in_another_thread(ask: Callable[[], None]) -> None:
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()


def test_one_that_could_not_say_yet_that_it_is_over_has_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others get the interpreter when the collector calls what is to note its end."""
    garbage = Garbage()
    found: list[Collection] = []
    monotonic = time.monotonic

    def asked() -> float:
        if garbage.running:
            in_another_thread(lambda: found.extend(garbage.within(0.0, monotonic() + LONG)))
        return monotonic()

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=asked))
    collect_before(garbage)
    (seen,) = found
    assert seen.stack.place == line_of(collect, "gc.collect")
    assert seen.explicit
    assert seen.thread == threading.get_ident()


def test_one_that_runs_a_finalizer_is_where_that_stands() -> None:
    garbage = Garbage()
    found: list[Collection] = []
    Hides(lambda: found.extend(garbage.within(0.0, time.monotonic() + LONG)))
    collect_before(garbage)
    (seen,) = found
    assert line_of(Hides.__del__, "in_another_thread") in seen.stack.places
    assert line_of(collect, "gc.collect") in seen.stack.places
    assert seen.thread == threading.get_ident()
