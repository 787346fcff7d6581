"""Objects of some types, while other threads make theirs."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from eyewall.doctor.objects import objects_of
from eyewall.doctor.stalls import stack


class Wanted:
    """What is looked for."""

    def __init__(self) -> None:
        # One that refers to nothing is none of the collector's.
        self.itself = self


class Derived(Wanted):
    """What is not."""


def test_what_is_found() -> None:
    one, two, other = Wanted(), Wanted(), Derived()
    found = objects_of({Wanted})
    assert one in found
    assert two in found
    assert other not in found
    assert {type(each) for each in found} == {Wanted}
    assert other in objects_of({Derived: 1})


def test_nothing_of_python_runs_meanwhile() -> None:
    called: list[str] = []

    class Meta(type):
        def __hash__(cls) -> int:
            called.append("hash")
            return 1

        def __eq__(cls, other: object) -> bool:
            called.append("eq")
            return cls is other

    class Odd(metaclass=Meta):
        def __init__(self) -> None:
            self.itself = self

    odd = Odd()
    types = {Wanted: 1, Odd: 2}
    called.clear()
    found = objects_of(types)
    assert called == []
    assert odd in found


def test_no_garbage_is_collected_meanwhile() -> None:
    witness = Derived()
    known = sys.getrefcount(witness)
    held: list[int] = []

    def collected(phase: str, info: dict[str, int]) -> None:
        if sys.getrefcount(witness) != known + extra:
            held.append(sys.getrefcount(witness))

    # The closure's own reference.
    extra = sys.getrefcount(witness) - known
    gc.callbacks.append(collected)
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(10):
            found = objects_of({Wanted})
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(collected)
    assert held == []
    assert witness not in found


@pytest.mark.parametrize("types", [(Wanted,), (Wanted, Derived)], ids=["one type", "two types"])
def test_no_audit_hook_runs_meanwhile(types: tuple[type, ...]) -> None:
    own = (Derived(),)
    known = sys.getrefcount(own)
    seen: list[tuple[str, int]] = []
    here = threading.get_ident()

    def hook(event: str, _: object) -> None:
        # It can't be taken away again.
        if seen is not over and threading.get_ident() == here:
            seen.append((event, sys.getrefcount(own) - known))

    over: list[tuple[str, int]] | None = None
    sys.addaudithook(hook)
    found = objects_of(dict.fromkeys(types))
    over = seen
    assert own[0] in found or Derived not in types
    # Before the list is filled.
    assert [event for event, more in seen if more > 0] == []
    assert "gc.get_objects" in {event for event, _ in seen}


def test_whether_garbage_is_collected_stays_as_it_was() -> None:
    objects_of({Wanted})
    assert gc.isenabled()
    gc.disable()
    try:
        objects_of({Wanted, Derived})
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_nothing_but_what_is_found_is_kept() -> None:
    other = (Derived(),)
    before = sys.getrefcount(other)
    found = objects_of({Wanted})
    assert sys.getrefcount(other) == before
    del found


def test_a_tuple_of_another_thread_can_be_made() -> None:
    ended = threading.Event()
    errors: list[BaseException] = []

    def make() -> None:
        try:
            while not ended.is_set():
                tuple(str(number) for number in range(2000))
        except SystemError as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=make)
    thread.start()
    try:
        for _ in range(6):
            objects_of({Wanted})
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert errors == []


def test_a_stack_is_read_whoever_looks_at_all_objects() -> None:
    seen: list[object] = []

    class Frames(list):  # type: ignore[type-arg]
        """Frames between which somebody takes all objects."""

        def __getitem__(self, part: Any) -> Any:
            return self if isinstance(part, slice) else list.__getitem__(self, part)

        def __iter__(self) -> Iterator[object]:
            for each in list.__iter__(self):
                seen.append(gc.get_objects())
                yield each

    own = Frames(stack.frames_of_thread(threading.get_ident())[-3:])
    read = stack.read(own)
    assert seen
    assert len(read.spots) == len(read.places) == 3
