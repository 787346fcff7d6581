"""Counted calls as stacks: whatever was counted, the totals add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.profiling import callgraph
from eyewall.doctor.profiling.callgraph import Called, roots, stacks_of
from eyewall.doctor.profiling.recording import Frame

pytestmark = pytest.mark.one_build


def frame(name: str) -> Frame:
    return Frame(name, "/app/a.py", 1)


def never(_: Frame) -> bool:
    return False


def named(stacks: dict[tuple[Frame, ...], float]) -> dict[str, float]:
    return {">".join(each.function for each in stack): round(seconds, 6) for stack, seconds in stacks.items()}


def test_calls_become_stacks() -> None:
    functions = [
        Called(frame("run"), 1, 10.0, {1: 6.0, 2: 3.0}),
        Called(frame("get"), 2, 6.0, {2: 3.0}),
        Called(frame("work"), 9, 6.0, {3: 2.0}),
        Called(frame("sum"), 9, 2.0),
    ]
    # Half of what `work` did was for each of its callers.
    assert named(stacks_of(functions, never)) == {
        "run": 1.0,
        "run>get": 3.0,
        "run>get>work": 2.0,
        "run>get>work>sum": 1.0,
        "run>work": 2.0,
        "run>work>sum": 1.0,
    }


def test_a_coroutine_begins_by_itself() -> None:
    functions = [
        Called(frame("loop"), 1, 1.0, {1: 9.0}),
        Called(frame("Handler.get"), 9, 9.0, {2: 8.0}),
        Called(frame("fetch"), 9, 8.0),
    ]
    found = stacks_of(functions, lambda each: each.function != "loop")
    assert named(found) == {"loop": 1.0, "Handler.get": 1.0, "Handler.get>fetch": 8.0}


def test_recursion_ends() -> None:
    functions = [Called(frame("a"), 1, 4.0, {1: 3.0}), Called(frame("b"), 5, 3.0, {0: 1.0, 1: 1.0})]
    found = stacks_of(functions, never)
    assert named(found) == {"a": 0.75, "a>b": 2.25}


def test_stacks_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callgraph, "STACKS", 10)
    layers = [
        Called(frame(f"f{number}"), 1, 8.0, {number + 1: 4.0, number + 2: 4.0} if number < 30 else {})
        for number in range(32)
    ]
    found = stacks_of(layers, never)
    assert len(found) <= 12
    assert sum(found.values()) == pytest.approx(sum(roots(layers, never).values()))


@st.composite
def graphs(draw: st.DrawFn) -> list[Called]:
    size = draw(st.integers(1, 7))
    seconds = st.floats(0.0, 100.0)
    edges = st.dictionaries(st.integers(0, size - 1), seconds, max_size=4)
    return [Called(frame(f"f{number}"), 1, draw(seconds), draw(edges)) for number in range(size)]


@given(graphs(), st.sets(st.integers(0, 6)))
def test_totals_add_up(functions: list[Called], asynchronous: set[int]) -> None:
    names = {f"f{number}" for number in asynchronous}

    def is_async(each: Frame) -> bool:
        return each.function in names

    begins = roots(functions, is_async)
    found = stacks_of(functions, is_async)
    assert sum(found.values()) == pytest.approx(sum(begins.values()), abs=1e-6)
    assert all(seconds > 0.0 for seconds in found.values())
    assert {stack[0] for stack in found} <= {functions[number].frame for number in begins}
    # Nothing is on a path twice.
    assert all(len(set(stack)) == len(stack) for stack in found)
