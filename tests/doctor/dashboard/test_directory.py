"""Which processes are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eyewall.doctor.dashboard.directory import AT_ONCE, KEPT, Directory, program_name

from ...waiting import turns, until
from .fakes import FakeProcess, Machine

pytestmark = pytest.mark.one_build

Run = Callable[[Any], Any]


async def seen(directory: Directory) -> dict[int, bool]:
    """Looks, and returns who is listed, and whether it lives."""
    directory.look()
    await directory.settle()
    return {each.pid: each.alive for each in directory.listed()}


def test_all_or_a_family(run: Run) -> None:
    async def main() -> None:
        def processes() -> list[FakeProcess]:
            return [
                FakeProcess(7, group=1),
                FakeProcess(8, group=1),
                FakeProcess(9, group=2),
                FakeProcess(10),
            ]

        assert list(await seen(Machine(*processes()).directory)) == [7, 8, 9, 10]
        assert list(await seen(Machine(*processes(), family={1}).directory)) == [7, 8]
        assert list(await seen(Machine(*processes(), family={10}).directory)) == [10]
        assert list(await seen(Machine(*processes(), family={11}).directory)) == []

    run(main())


def test_strangers_are_asked_once(run: Run) -> None:
    async def main() -> None:
        stranger = FakeProcess(9, group=2)
        machine = Machine(FakeProcess(7), stranger, family={7})
        for _ in range(3):
            await seen(machine.directory)
        assert stranger.times("process") == 1
        # Another one with its number is asked.
        del machine.processes[9]
        await seen(machine.directory)
        machine.processes[9] = FakeProcess(9, group=7)
        assert list(await seen(machine.directory)) == [7, 9]

    run(main())


def test_who_has_gone_is_listed_for_a_while(run: Run) -> None:
    async def main() -> None:
        machine = Machine(FakeProcess(7), FakeProcess(8))
        changes: list[int] = []
        machine.directory.changed = lambda: changes.append(1)
        await seen(machine.directory)
        assert len(changes) == 2
        del machine.processes[7]
        assert await seen(machine.directory) == {7: False, 8: True}
        assert machine.directory.alive() == [8]
        assert len(changes) == 3
        machine.now = KEPT
        assert await seen(machine.directory) == {7: False, 8: True}
        machine.now = KEPT + 1
        assert await seen(machine.directory) == {8: True}
        assert len(changes) == 4

    run(main())


def test_who_comes_back_is_asked_anew(run: Run) -> None:
    async def main() -> None:
        machine = Machine(FakeProcess(7, title="old"))
        await seen(machine.directory)
        del machine.processes[7]
        await seen(machine.directory)
        machine.processes[7] = FakeProcess(7, title="new")
        assert await seen(machine.directory) == {7: True}
        assert machine.directory.listed()[0].title == "new"

    run(main())


def test_one_that_hangs_keeps_nobody_waiting_and_is_not_asked_twice(run: Run) -> None:
    async def main() -> None:
        hung = FakeProcess(7)
        hung.hangs = True
        machine = Machine(hung, FakeProcess(8))
        for _ in range(3):
            machine.directory.look()
            await turns()
        assert machine.directory.alive() == [8]
        assert hung.times("process") == 1
        await machine.directory.close()
        assert hung.closed

    run(main())


def test_not_all_are_asked_at_once(run: Run) -> None:
    async def main() -> None:
        processes = [FakeProcess(each) for each in range(1, AT_ONCE + 10)]
        for each in processes:
            each.hangs = True
        machine = Machine(*processes)
        machine.directory.look()
        await turns()
        assert sum(each.times("process") for each in processes) == AT_ONCE
        await machine.directory.close()

    run(main())


def test_the_own_process_needs_no_socket(run: Run) -> None:
    async def main() -> None:
        own = FakeProcess(5, title="me")
        directory = Directory({5}, own=own, present=list)
        assert await seen(directory) == {5: True}
        assert directory.source(5) is own
        # It is asked in this process, by threads that others use.
        assert not own.closed

    run(main())


def test_one_that_is_shown_even_though_it_says_nothing(run: Run) -> None:
    async def main() -> None:
        from eyewall.doctor.control.protocol import ControlError

        class Silent(FakeProcess):
            async def ask(self, command: str, arguments: Any, patience: float) -> Any:
                self.asked.append((command, arguments))
                raise ControlError("busy", "hangs")

        asked, other = Silent(7), Silent(8)
        machine = Machine(asked, other, family={7})
        await until_listed(machine.directory)
        # It was named, and what is wrong with it is what somebody wants to see.
        assert [(each.pid, each.title) for each in machine.directory.listed()] == [(7, "process 7")]
        await seen(machine.directory)
        assert other.times("process") == 2

    async def until_listed(directory: Directory) -> None:
        directory.look()
        await until(directory.listed)
        await directory.settle()

    run(main())


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (["/app/.venv/bin/eyewall", "run", "--processes", "4", "shop:app"], "shop:app"),
        (
            ["/lib/eyewall/__main__.py", "run", "shop.main:make_app()", "--bind", "127.0.0.1:80"],
            "shop.main:make_app()",
        ),
        (["/lib/eyewall/__main__.py", "run", "--bind", "localhost:8000", "src/site.py"], "site.py"),
        (["/lib/eyewall/__main__.py", "demo", "--port", "0"], "eyewall demo"),
        (["/usr/bin/uvicorn", "shop:app"], "shop:app"),
        (["/usr/bin/eyewall"], "eyewall"),
        (["/usr/bin/celery", "-A", "shop"], "celery"),
        (["/srv/server.py", "--port", "8000"], "server.py"),
        (["server.py"], "server.py"),
        (["-c"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_names_of_programs(program: list[str], name: str) -> None:
    assert program_name(program) == name
