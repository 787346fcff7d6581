"""Who waits for ever, and in a circle: against a model that lets one after the other go on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.waits.graph import Need, circles, rings, stuck

NODES = st.integers(0, 7)
NEEDS = st.dictionaries(
    NODES,
    st.builds(Need, st.frozensets(st.integers(0, 9), max_size=4), st.booleans()),
    max_size=8,
)


def need(*options: str, every: bool = False) -> Need:
    return Need(frozenset(options), every)


def test_two_that_wait_for_each_other() -> None:
    needs = {"a": need("b"), "b": need("a")}
    assert stuck(needs) == {"a", "b"}
    assert circles(needs) == [["a", "b"]]


def test_one_that_waits_for_itself() -> None:
    assert circles({"a": need("a")}) == [["a"]]


def test_who_waits_for_a_circle_is_stuck_and_not_part_of_it() -> None:
    needs = {"a": need("b"), "b": need("a"), "c": need("a")}
    assert stuck(needs) == {"a", "b", "c"}
    assert circles(needs) == [["a", "b"]]


def test_one_way_out_is_enough() -> None:
    assert circles({"a": need("b", "free"), "b": need("a")}) == []
    assert stuck({"a": need("b", "free", every=True), "b": need("a")}) == {"a", "b"}


def test_who_waits_for_nobody_goes_on() -> None:
    assert stuck({"a": need()}) == set()
    assert stuck({"a": need("b")}) == set()


def test_an_order_in_which_each_waits_for_the_next() -> None:
    needs = {"c": need("a"), "a": need("b"), "b": need("c")}
    assert circles(needs) == [["c", "a", "b"]] or circles(needs) == [["a", "b", "c"]]


@given(NEEDS)
def test_against_a_simple_model(needs: dict[int, Need]) -> None:
    waiting = dict(needs)
    # Whoever can go on does, until nobody can.
    while True:
        for node, (options, every) in waiting.items():
            open_ = [option for option in options if option not in waiting]
            if not options or (len(open_) == len(options) if every else open_):
                del waiting[node]
                break
        else:
            break
    assert stuck(needs) == set(waiting)


@given(NEEDS)
def test_circles_are_of_those_that_reach_each_other(needs: dict[int, Need]) -> None:
    held = stuck(needs)

    def reach(start: int) -> set[object]:
        found: set[object] = set()
        line: list[object] = [start]
        while line:
            for option in needs[line.pop()].options:  # type: ignore[index]
                if option in held and option not in found:
                    found.add(option)
                    line.append(option)
        return found

    expected = {
        frozenset(other for other in held if other in reach(node) and node in reach(other))
        for node in held
        if node in reach(node)
    }
    assert {frozenset(circle) for circle in circles(needs)} == expected
    # The stuck are never so without a circle.
    assert bool(held) == bool(circles(needs))


def test_a_ring_needs_no_other_way_out_to_be_closed() -> None:
    # Who is stuck is known there: a node that leads nowhere is no way out.
    assert rings({"a": ["b", "d"], "b": ["a"], "c": ["a"], "d": []}) == [["a", "b"]]
    assert rings({"a": ["b"], "b": []}) == []
