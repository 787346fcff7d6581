"""Stacks from folded lines, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.doctor.profiling.recording import DEPTH, Frame, Recording, from_folded, to_folded

pytestmark = pytest.mark.one_build

FRAMES = st.builds(
    Frame,
    st.text("abcdef.<>_", min_size=1, max_size=8),
    st.sampled_from(["/a/b.py", "/a/c d.py", "/usr/lib/libc.so.6"]),
    st.integers(0, 500),
)
STACKS = st.dictionaries(
    st.lists(FRAMES, min_size=1, max_size=6).map(tuple), st.integers(1, 1000), max_size=8
)


def test_lines_of_py_spy() -> None:
    recording = from_folded(
        [
            "thread (17): MainThread;<module> (/app/main.py:9);Hello.get (/app/main.py:3) 30\n",
            "thread (17): MainThread;<module> (/app/main.py:9);Hello.get (/app/main.py:3) 20\n",
            "thread (18): pool_0;0x7f5 (/usr/lib/libc.so.6);step (/src/task.c:29);f(int) (x.cc) 7\n",
            "\n",
        ],
        "cpu",
        2.0,
        100,
    )
    assert recording.stacks == {
        (Frame("<module>", "/app/main.py", 9), Frame("Hello.get", "/app/main.py", 3)): 0.5,
        (
            Frame("0x7f5", "/usr/lib/libc.so.6", 0),
            Frame("step", "/src/task.c", 29),
            Frame("f(int)", "x.cc", 0),
        ): 0.07,
    }
    assert recording.threads == {"MainThread": 0.5, "pool_0": 0.07}
    assert recording.total == pytest.approx(0.57)


def test_a_frame_without_a_file() -> None:
    assert list(from_folded(["strange 1"], "cpu", 1.0, 1).stacks) == [(Frame("strange", "", 0),)]


def test_what_is_no_line() -> None:
    with pytest.raises(ValueError):
        from_folded(["a (b:1);c"], "cpu", 1.0, 1)


def test_deep_stacks_keep_their_inner_end() -> None:
    line = ";".join(f"f{number} (a.py:{number})" for number in range(DEPTH + 50)) + " 1"
    [stack] = from_folded([line], "cpu", 1.0, 1).stacks
    assert len(stack) == DEPTH
    assert stack[-1].function == f"f{DEPTH + 49}"


@given(STACKS)
def test_what_is_written_can_be_read(stacks: dict[tuple[Frame, ...], int]) -> None:
    recording = Recording("cpu", 1.0, {stack: count / 1e6 for stack, count in stacks.items()})
    again = from_folded(to_folded(recording).splitlines(), "cpu", 1.0, 10**6)
    assert again.total == pytest.approx(recording.total)
    assert set(again.stacks) == set(recording.stacks)
