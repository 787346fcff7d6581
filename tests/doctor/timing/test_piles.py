"""What is a jam, and what only looks like one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.timing.piles import Piles
from eyewall.doctor.timing.window import Window

LEAST, PATIENCE = 5, 3.0


def judged(*looks: tuple[float, str]) -> bool:
    """Whether the last look shows a jam; a look is a time, and who is there, a letter each."""
    piles = Piles()
    for now, there in looks:
        piles.see(now, {"line": there} if there else {})
    pile = piles.piles.get("line")
    return pile is not None and pile.is_jam(looks[-1][0], LEAST, PATIENCE)


def test_many_that_stand_while_more_come() -> None:
    assert judged((0, "abcde"), (1, "abcdef"), (2, "abcdefg"), (3, "abcdefgh"))


def test_few_that_stand() -> None:
    assert not judged((0, "abcd"), (1, "abcdef"), (2, "abcdefg"), (3, "abcdefgh"))


def test_somebody_gets_on() -> None:
    assert not judged((0, "abcdef"), (1, "abcdefg"), (2, "bcdefgh"), (3, "bcdefghi"))
    # But when nobody has for long enough, it counts again.
    assert judged((0, "abcdef"), (1, "bcdefg"), (2, "bcdefg"), (3, "bcdefgh"), (4, "bcdefghi"))


def test_nobody_comes() -> None:
    assert not judged(*((float(now), "abcdefgh") for now in range(10)))


def test_a_pile_that_has_dissolved_begins_anew() -> None:
    assert not judged((0, "abcde"), (2, "abcdef"), (3, ""), (4, "abcdefg"), (5, "abcdefgh"))


def test_where_only_some_are_seen_nobody_knows_whether_more_come() -> None:
    piles = Piles()
    for now in range(6):
        piles.see(float(now), {"line": "abcde"})
    pile = piles.piles["line"]
    assert not pile.is_jam(5.0, LEAST, PATIENCE)
    assert pile.is_jam(5.0, LEAST, PATIENCE, full=True)


@given(st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=20))
def test_what_is_known_is_who_is_there_and_since_when(looks: list[set[int]]) -> None:
    piles = Piles()
    since: dict[int, float] = {}
    for now, there in enumerate(looks):
        piles.see(float(now), {"line": there} if there else {})
        since = {each: since.get(each, float(now)) for each in there}
        pile = piles.piles.get("line")
        assert (dict(pile.since) if pile is not None else {}) == since
        if pile is not None:
            assert pile.oldest(float(now)) == max((now - each for each in since.values()), default=0)


def test_a_window_knows_what_was_so_throughout() -> None:
    window = Window(3.0)
    for now, value in ((0.0, 9.0), (1.0, 1.0), (2.0, 5.0)):
        window.add(now, {"queued": value})
        assert not window.whole
    window.add(3.0, {"queued": 4.0})
    assert window.whole
    assert (window.least("queued"), window.growth("queued"), window.last("queued")) == (1.0, -5.0, 4.0)
    window.add(5.0, {"queued": 6.0})
    # Back to 2 s, which is as far as it is to look.
    assert (window.least("queued"), window.growth("queued")) == (4.0, 1.0)
    window.clear()
    assert not window.whole
