"""Collections of garbage, counted by generation."""

from __future__ import annotations

import gc

from eyewall.doctor.timing.garbage import Garbage


def test_collections_are_counted_by_generation() -> None:
    times = iter([1.0, 1.25, 2.0, 2.5])
    counted = Garbage(clock=lambda: next(times))
    gc.disable()
    try:
        counted.start()
        counted.start()
        gc.collect(0)
        counted.stop()
        gc.collect(2)
        counted.stop()
        gc.collect(1)
        counted.stop()
    finally:
        gc.enable()
    assert {generation: (each.count, each.total) for generation, each in counted.times.items()} == {
        0: (1, 0.25),
        1: (0, 0.0),
        2: (1, 0.5),
    }
    assert counted._called not in gc.callbacks
