"""What viewers get, and what processes are asked for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard.feed import ALL, FEWEST, Feed, TooMany, Viewer, _Latest
from eyewall.doctor.dashboard.merge import ENTRIES, SECONDS
from eyewall.web.sse import Event

from ...waiting import until
from .fakes import FakeProcess, Machine

pytestmark = pytest.mark.one_build

Run = Callable[[Any], Any]


def feed_of(*processes: FakeProcess, **options: Any) -> Feed:
    return Feed(Machine(*processes).directory, interval=0.005, **options)


def read(event: Event) -> tuple[str, Any]:
    """Returns the kind of an event, and its data."""
    fields = dict(line.split(": ", 1) for line in event.encoded.decode().strip().split("\n"))
    return fields["event"], json.loads(fields["data"])


def all_due(viewer: Viewer) -> list[tuple[str, Any]]:
    """Returns what is sent to a viewer that has taken long."""
    found = []
    while (event := viewer.due()) is not None:
        found.append(read(event))
    return found


#: The last event of each kind that a viewer has got.
_got: WeakKeyDictionary[Viewer, dict[str, Any]] = WeakKeyDictionary()


async def first(viewer: Viewer, kind: str, matches: Callable[[Any], bool] = lambda _: True) -> Any:
    """Returns the data of an event of this kind that matches, once the viewer has got one."""
    got = _got.setdefault(viewer, {})
    events = aiter(viewer)
    while kind not in got or not matches(got[kind]):
        found, data = read(await anext(events))
        got[found] = data
    return got[kind]


def test_one_process(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7, title="worker 1", group=1)
        process.findings = [{"rule": "loop-blocked"}]
        feed = feed_of(process)
        with feed.watching(7) as viewer:
            assert (await first(viewer, "processes", bool))[0]["title"] == "worker 1"
            assert (await first(viewer, "history")) == {
                "process": 7,
                "points": [[1.0, 0.1, 0.5, 2.0, 100]],
            }
        with feed.watching(7) as viewer:
            assert (await first(viewer, "findings"))["findings"] == [{"pid": 7, "rule": "loop-blocked"}]
            said = await first(viewer, "state")
            assert said["process"] == 7
            assert said["missing"] == []
            assert said["state"]["threads"] == 1
        await until(lambda: not feed.asks)

    run(main())


def test_nobody_is_asked_while_nobody_looks(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        feed = feed_of(process)
        assert not feed.asks
        before = asyncio.all_tasks()
        with feed.watching(ALL) as viewer:
            await first(viewer, "state")
        await until(lambda: not feed.asks)
        # No task is left that could ask, and no channel to be asked.
        await until(lambda: asyncio.all_tasks() == before)
        assert process.closed
        asked = len(process.asked)
        feed.directory.look()
        await feed.directory.settle()
        assert len(process.asked) == asked + 1  # who it is, of which nothing was kept
        await feed.directory.close()

    run(main())


def test_all_viewers_share_one_poll(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        feed = feed_of(process, viewers=10)
        with feed.watching(7) as one, feed.watching(7) as other, feed.watching(ALL) as whole:
            states = [await first(each, "state") for each in (one, other, whole)]
            assert states[0]["process"] == states[1]["process"] == 7
            asked = process.times("state")
            # As many answers as there were questions: each of them made one event, which all viewers get.
            said = await first(one, "state", lambda data: data["state"]["memory"] > asked)
            assert said["state"]["memory"] == process.times("state")
        await until(lambda: not feed.asks)

    run(main())


def test_a_slow_viewer_misses_states_and_nothing_queues(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        feed = feed_of(process)
        with feed.watching(7) as slow:
            await until(lambda: process.times("state") > 5)
            events = all_due(slow)
            # One of each kind, the newest.
            kinds = [kind for kind, _ in events]
            assert sorted(set(kinds)) == sorted(kinds)
            assert dict(events)["state"]["state"]["memory"] >= 5
            assert slow.due() is None
        await until(lambda: not feed.asks)

    run(main())


def test_what_changes_all_the_time_leaves_room_for_the_rest(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        feed = feed_of(process)
        with feed.watching(7) as viewer:
            kinds: list[str] = []
            while len(kinds) < 12:
                # By the time that this one has taken an event, all have changed.
                process.mark += 1
                process.findings = [{"rule": str(process.mark)}]
                asked = process.times("findings")
                await until(lambda asked=asked: process.times("findings") > asked)  # type: ignore[misc]
                event = viewer.due()
                assert event is not None
                kinds.append(read(event)[0])
            assert kinds.count("findings") > 2
            assert kinds.count("state") > 2
        await until(lambda: not feed.asks)

    run(main())


def test_findings_are_asked_for_when_they_have_changed(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        feed = feed_of(process)
        with feed.watching(7) as viewer:
            assert (await first(viewer, "findings"))["findings"] == []
            await until(lambda: process.times("state") > 4)
            assert process.times("findings") == 1
            process.findings, process.mark = [{"rule": "deadlock"}], 1
            said = await first(viewer, "findings", lambda data: data["findings"])
            assert [each["rule"] for each in said["findings"]] == ["deadlock"]
        await until(lambda: not feed.asks)

    run(main())


def test_a_process_that_hangs_holds_up_nobody_else(run: Run) -> None:
    async def main() -> None:
        hung, well = FakeProcess(7), FakeProcess(8)
        feed = feed_of(hung, well)
        with feed.watching(ALL) as viewer:
            await first(viewer, "state", lambda data: data["state"]["process"]["pids"] == [7, 8])
            hung.hangs = True
            asked = well.times("state")
            await until(lambda: well.times("state") > asked + 3)
            assert hung.times("state") <= asked + 3
        # Nor does it hold up the end.
        await until(lambda: not feed.asks)

    run(main())


def test_who_does_not_answer_is_said_to_and_so_is_that_it_does_again(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        feed = feed_of(process)
        with feed.watching(7) as viewer:
            known = (await first(viewer, "state"))["time"]
            process.gone = True
            said = await first(viewer, "trouble")
            # So that a state from before, which may be sent after it, is not taken for its end.
            assert said.pop("since") > known
            assert said == {"process": 7, "code": "gone", "message": "process 7 has ended"}
            asked = process.times("state")
            await until(lambda: process.times("state") > asked + 2)
            # Once is enough.
            assert "trouble" not in dict(all_due(viewer))
            process.gone = False
            await first(viewer, "state", lambda data: data["state"]["memory"] > asked)
        await until(lambda: not feed.asks)

    run(main())


def test_trouble_of_one_among_all(run: Run) -> None:
    async def main() -> None:
        ill, well = FakeProcess(7), FakeProcess(8)
        feed = feed_of(ill, well)
        with feed.watching(ALL) as viewer:
            await first(viewer, "state", lambda data: data["state"]["process"]["pids"] == [7, 8])
            ill.gone = True
            assert (await first(viewer, "trouble"))["process"] == 7
            said = await first(viewer, "state", lambda data: data["missing"])
            assert said["missing"] == ["process 7 has ended"]
            ill.gone = False
            await first(viewer, "state", lambda data: not data["missing"])
        await until(lambda: not feed.asks)

    run(main())


def test_workers_that_replace_others_come_by_themselves(run: Run) -> None:
    async def main() -> None:
        machine = Machine(FakeProcess(7, group=1), FakeProcess(8, group=1), family={1})
        feed = Feed(machine.directory, interval=0.005)
        with feed.watching(ALL) as viewer:
            await first(viewer, "state", lambda data: data["state"]["process"]["pids"] == [7, 8])
            del machine.processes[7]
            machine.processes[9] = FakeProcess(9, group=1)
            said = await first(viewer, "processes", lambda data: len(data) == 3)
            assert {each["pid"]: each["alive"] for each in said} == {7: False, 8: True, 9: True}
            await first(viewer, "state", lambda data: data["state"]["process"]["pids"] == [8, 9])
        await until(lambda: not feed.asks)

    run(main())


def test_what_is_not_known_is_said(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        process.answers["history"] = ControlError("unknown-command", "there is none")
        feed = feed_of(process)
        with feed.watching(7) as viewer:
            # One of an older release remembers nothing.
            assert (await first(viewer, "history"))["points"] == []
        await until(lambda: not feed.asks)

    run(main())


def test_not_more_viewers_than_stated(run: Run) -> None:
    async def main() -> None:
        feed = feed_of(FakeProcess(7), viewers=2)
        with feed.watching(7), feed.watching(ALL):
            with pytest.raises(TooMany, match="2 look already"):
                feed.check()
            with pytest.raises(TooMany), feed.watching(7):
                raise AssertionError("one too many looks")
            assert feed.viewers == 2
        feed.check()
        await until(lambda: not feed.asks)

    run(main())


def test_of_many_processes_each_tells_less(run: Run) -> None:
    async def main() -> None:
        processes = [FakeProcess(each) for each in range(1, 31)]
        feed = feed_of(*processes)
        assert feed.entries() == ENTRIES
        with feed.watching(ALL) as viewer:
            await first(viewer, "state", lambda data: len(data["state"]["process"]["pids"]) == 30)
            limits = {arguments["limit"] for command, arguments in processes[-1].asked if command == "state"}
            assert min(limits) == FEWEST
        await until(lambda: not feed.asks)

    run(main())


def test_who_looks_again_at_once_gets_everything(run: Run) -> None:
    async def main() -> None:
        feed = feed_of(FakeProcess(7))
        for _ in range(3):
            # The end of the one before is not over yet.
            with feed.watching(ALL) as viewer:
                assert (await first(viewer, "processes", bool))[0]["pid"] == 7
                await first(viewer, "findings")
                await first(viewer, "state")
        await until(lambda: not feed.asks)

    run(main())


def test_of_who_is_silent_it_is_said_once_what_is_seen_from_outside(run: Run) -> None:
    async def main() -> None:
        process, looked = FakeProcess(7), []

        def outside(pid: int) -> str:
            looked.append(pid)
            return "Seen from outside."

        feed = feed_of(process)
        feed.outside = outside
        with feed.watching(7) as viewer:
            await first(viewer, "state")
            process.silent = True
            said = await first(viewer, "trouble", lambda data: "Seen" in data["message"])
            del said["since"]
            assert said == {"process": 7, "code": "silent", "message": "no answer. Seen from outside."}
            asked = process.times("state")
            await until(lambda: process.times("state") > asked + 2)
            assert looked == [7]
            asked = process.times("state")
            process.silent = False
            await first(viewer, "state", lambda data: data["state"]["memory"] > asked)
            process.silent = True
            await until(lambda: looked == [7, 7])
        await until(lambda: not feed.asks)

    run(main())


def test_points_of_a_history_come_once(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        process.points = [[1.0, 0.1, 0.5, 2.0, 100], [2.0, 0.2, 0.5, 2.0, 100]]
        feed = feed_of(process)
        with feed.watching(7) as viewer, feed.watching(7) as slow:
            whole = await first(viewer, "history")
            assert [each[0] for each in whole["points"]] == [1.0, 2.0]
            for second in (3.0, 4.0):
                process.points.append([second, 0.1, 0.5, 2.0, 100])
                said = await first(viewer, "history", lambda data: data["points"][0][0] > 2.0)
                assert [each[0] for each in said["points"]] == [second]
                del _got[viewer]["history"]
            asked = process.times("history")
            await until(lambda: process.times("history") > asked + 2)
            assert "history" not in dict(all_due(viewer))
            # Who takes long, or comes later, gets the whole at once.
            assert [each[0] for each in dict(all_due(slow))["history"]["points"]] == [1.0, 2.0, 3.0, 4.0]
            with feed.watching(7) as late:
                assert [each[0] for each in (await first(late, "history"))["points"]] == [1.0, 2.0, 3.0, 4.0]
            # All look at what was asked once.
            sinces = [arguments["since"] for command, arguments in process.asked if command == "history"]
            assert sinces[0] == 0.0
            assert sinces[-1] == 4.0
            assert abs(len(sinces) - process.times("state")) <= 1
        await until(lambda: not feed.asks)

    run(main())


def test_the_history_of_all_has_the_worst_of_each_second(run: Run) -> None:
    async def main() -> None:
        now = 20.0
        one, other = FakeProcess(7), FakeProcess(8)
        one.points = [[10.1, 0.5, 0.5, 2.0, 100], [18.1, 0.0, 0.5, 2.0, 100]]
        other.points = [[10.9, 0.7, 0.7, 3.0, 100]]
        feed = feed_of(one, other, wall=lambda: now)
        with feed.watching(ALL) as viewer:
            said = await first(viewer, "history", lambda data: data["points"][0][3] == 5.0)
            # Of the last seconds, not all may have told yet.
            assert said["points"] == [[10.0, 0.7, 0.6, 5.0, 200]]
            now = 22.0
            said = await first(viewer, "history", lambda data: data["points"][0][0] == 18.0)
            assert said["points"] == [[18.0, 0.0, 0.5, 2.0, 100]]
            # One that has hung tells later of how it was, and that counts.
            other.points.append([18.2, 1.5, 1.0, 0.0, 100])
            said = await first(viewer, "history", lambda data: data["points"][0][1] == 1.5)
            assert said["points"] == [[18.0, 1.5, 0.75, 2.0, 200]]
            with feed.watching(ALL) as late:
                assert [each[0] for each in (await first(late, "history"))["points"]] == [10.0, 18.0]
        await until(lambda: not feed.asks)

    run(main())


def test_a_history_is_bounded() -> None:
    latest = _Latest()
    latest.add(7, [])
    for second in range(SECONDS + 5):
        latest.add(7, [[float(second), 0.0, 0.0, 0.0, 0]])
    event = Viewer(7, (latest,)).due()
    assert event is not None
    _, data = read(event)
    assert [each[0] for each in data["points"]] == [float(each) for each in range(5, SECONDS + 5)]


def test_processes_are_known_right_after_the_last_viewer_has_left(run: Run) -> None:
    async def main() -> None:
        process = FakeProcess(7)
        feed = feed_of(process)
        for which in (7, ALL):
            await feed.seen()
            assert feed.directory.find(7) is not None
            with feed.watching(which) as viewer:  # type: ignore[arg-type]
                await first(viewer, "state")
            # It is still being let go of.
            assert feed.asks
            await feed.seen()
            assert feed.directory.find(7) is not None
            await until(lambda: not feed.asks)
            assert feed.directory.find(7) is not None
            await feed.directory.close()

    run(main())
