"""Time by handler, coroutine and line."""

from __future__ import annotations

import asyncio.base_events
import asyncio.events
import concurrent.futures.thread
import json
import threading
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eyewall.doctor.stalls.watchdog
from eyewall.doctor.definitions import Definitions
from eyewall.doctor.profiling.flamegraph import flame_graph, page
from eyewall.doctor.profiling.recording import Frame, Recording, Stack
from eyewall.doctor.profiling.speedscope import speedscope
from eyewall.doctor.profiling.summary import summarize, summary_text

pytestmark = pytest.mark.one_build

APPLICATION = """\
class Hello:
    @cached
    async def get(self):
        await self.load()

    async def load(self):
        time.sleep(1)

def tick():
    async def inner():
        pass
    return sum(range(9))
"""
LOOP = (
    Frame("<module>", "/srv/app/main.py", 90),
    Frame("BaseEventLoop.run_forever", asyncio.base_events.__file__, 600),
    Frame("Handle._run", asyncio.events.__file__, 80),
)
SELECT = (*LOOP[:2], Frame("EpollSelector.select", "/usr/lib/python3.11/selectors.py", 468))
THREAD = (Frame("Thread._bootstrap", threading.__file__, 1002), Frame("Thread.run", threading.__file__, 982))
POOL = (*THREAD, Frame("_worker", concurrent.futures.thread.__file__, 81))
DOCTOR = (*THREAD, Frame("Watchdog._run", eyewall.doctor.stalls.watchdog.__file__, 90))
C_CODE = Frame("sleep", "/usr/lib/libc.so.6", 0)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "hello.py"
    path.write_text(APPLICATION)
    return str(path)


def recordings(file: str) -> tuple[Recording, Recording]:
    get = (*LOOP, Frame("Hello.get", file, 4))
    load = (*get, Frame("Hello.load", file, 7))
    tick = (*LOOP, Frame("tick", file, 12))
    job = (*POOL, Frame("tick", file, 12))
    cpu: dict[Stack, float] = {get: 0.5, load: 0.25, tick: 0.5, SELECT: 0.25, job: 0.125}
    wall: dict[Stack, float] = {
        get: 0.5,
        (*load, C_CODE): 1.5,
        tick: 0.5,
        SELECT: 1.0,
        POOL: 4.0,
        DOCTOR: 2.0,
    }
    return Recording("cpu", 2.0, cpu), Recording("wall", 4.0, wall)


def test_entries(file: str) -> None:
    summary = summarize(*recordings(file))
    assert [(row.kind, row.name, row.place, row.cpu, row.wall) for row in summary.entries] == [
        ("coroutine", "Hello.get", f"{file}:2", 0.375, 0.5),
        ("function", "tick", f"{file}:9", 0.3125, 0.125),
        ("", "(threads of executors)", "", 0.0, 1.0),
        ("", "(the doctor)", "", 0.0, 0.5),
        ("", "(the event loop)", "", 0.125, 0.25),
    ]
    assert [row.waiting for row in summary.entries[:2]] == [0.125, 0.0]


def test_places(file: str) -> None:
    places = {(row.name, row.place): (row.cpu, row.wall) for row in summarize(*recordings(file)).places}
    assert places[("Hello.load", f"{file}:7")] == (0.125, 0.0)
    assert places[("Hello.load, in sleep", f"{file}:7")] == (0.0, 0.375)
    assert places[("Hello.get", f"{file}:4")] == (0.25, 0.125)


def test_a_library_that_is_called_is_no_driver(file: str) -> None:
    # `asyncio.run` of a thread of its own, below a handler.
    inner = (*LOOP, Frame("tick", file, 12), Frame("run", "/usr/lib/python3.11/subprocess.py", 500))
    [row] = summarize(Recording("cpu", 1.0, {inner: 1.0}), None).entries
    assert (row.name, row.wall, row.waiting) == ("tick", None, None)


def test_text(file: str) -> None:
    text = summary_text(summarize(*recordings(file)))
    assert "The application's code: 85% on a CPU, 15% waiting" in text
    assert f"  37.5 %   12.5 %  coroutine Hello.get, {file}:2\n" in text
    assert "   0.0 %   50.0 %  (the doctor)\n" in text
    few = summary_text(summarize(*recordings(file)), rows=1)
    assert "(4 more)" in few


def test_nothing_was_recorded() -> None:
    nothing = Recording("cpu", 1.0, {})
    assert "on CPU" in summary_text(summarize(nothing, None))
    ElementTree.fromstring(flame_graph(nothing, "x"))
    assert speedscope([nothing], "x")["profiles"][0]["samples"] == []


def test_definitions(file: str, tmp_path: Path) -> None:
    known = Definitions()
    assert known.at(file, 1) is None
    assert known.is_async(file, 2)
    assert known.is_async(file, 7)
    assert not known.is_async(file, 9)
    found = known.at(file, 11)
    assert found is not None
    assert (found.name, found.first, found.last) == ("tick.<locals>.inner", 10, 11)
    broken = tmp_path / "broken.py"
    broken.write_text("def f(:\n")
    for each in (str(broken), str(tmp_path / "none.py"), "<string>", "libc.so"):
        assert known.at(each, 1) is None


FRAMES = st.builds(
    Frame,
    st.sampled_from(["run", "_run", "get", "<x&\"'>", "Handler.post"]),
    st.sampled_from(["/srv/a.py", "/srv/b.py", asyncio.events.__file__, threading.__file__, "libc.so", ""]),
    st.integers(0, 9),
)
STACKS = st.dictionaries(
    st.lists(FRAMES, min_size=1, max_size=6).map(tuple), st.floats(0.001, 10.0), min_size=1, max_size=12
)


@given(STACKS, STACKS)
def test_totals_add_up(cpu: dict[Stack, float], wall: dict[Stack, float]) -> None:
    one, other = Recording("cpu", 2.0, cpu), Recording("wall", 4.0, wall)
    summary = summarize(one, other)
    for table in (summary.entries, summary.places):
        assert sum(row.cpu or 0.0 for row in table) * 2.0 == pytest.approx(one.total)
        assert sum(row.wall or 0.0 for row in table) * 4.0 == pytest.approx(other.total)
        assert all((row.waiting or 0.0) >= 0.0 for row in table)
    assert summary_text(summary).isprintable() is False


@given(STACKS)
def test_files_for_speedscope(stacks: dict[Stack, float]) -> None:
    recording = Recording("wall", 4.0, stacks)
    said = json.loads(json.dumps(speedscope([recording, recording], "name")))
    frames = said["shared"]["frames"]
    assert len(said["profiles"]) == 2
    profile = said["profiles"][0]
    assert sum(profile["weights"]) == pytest.approx(recording.total)
    assert profile["endValue"] == pytest.approx(recording.total)
    names = [tuple(frames[number]["name"] for number in sample) for sample in profile["samples"]]
    assert sorted(names) == sorted(tuple(frame.function for frame in stack) for stack in stacks)


@given(STACKS)
def test_flame_graphs(stacks: dict[Stack, float]) -> None:
    recording = Recording("cpu", 4.0, stacks)
    root = ElementTree.fromstring(flame_graph(recording, "a <title> & more"))
    boxes = root.findall("{http://www.w3.org/2000/svg}g/{http://www.w3.org/2000/svg}rect")
    assert len(boxes) <= sum(len(stack) for stack in stacks)
    top = min(float(box.get("y", "")) for box in boxes)
    # Those that nothing has called stand side by side, and fill the width.
    widest = sum(float(box.get("width", "")) for box in boxes if float(box.get("y", "")) == top)
    assert widest == pytest.approx(1200, abs=12)
    assert "&lt;title&gt;" in page([recording], "a <title>", "summary")
