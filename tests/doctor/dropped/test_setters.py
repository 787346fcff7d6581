"""Where exceptions were set that nobody has raised."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from eyewall.doctor.dropped import setters
from eyewall.doctor.places import Place

from ..patient import watched
from .applications import only_module

ONE = """
    class Client:
        def __init__(self, future):
            self.future = future

        def lost(self):
            self.future.set_exception(ConnectionResetError("lost"))

    def ends(client, error):
        client.lost()
"""
TWO = (
    ONE
    + """
    class OtherError(Exception):
        pass

    def fails(future):
        future.get_loop().call_soon(future.set_exception, OtherError("other"))

    def drops(pending):
        def now(error):
            pending.pop().set_exception(error)
        return now
"""
)


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Makes a module that is all of the application."""

    def make(text: str) -> ModuleType:
        return only_module(tmp_path / "shop.py", text, monkeypatch)

    setters._all.cache_clear()
    yield make
    setters._all.cache_clear()


def line_of(module: ModuleType, text: str) -> int:
    lines = Path(str(module.__file__)).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_only_one_that_sets(run: Callable[..., None], application: Callable[[str], ModuleType]) -> None:
    module = application(ONE)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        with watched() as patient:
            module.Client(loop.create_future()).lost()
            gc.collect()
            [finding] = patient.look()
            assert finding.rule == "future-exception-unread"
            place = Place(str(module.__file__), line_of(module, "set_exception"), "Client.lost")
            assert finding.place == place

    run(main())


def test_the_one_that_makes_such_an_exception(application: Callable[[str], ModuleType]) -> None:
    module = application(TWO)
    found = setters.setters_of(module.OtherError())
    assert found.place == Place(str(module.__file__), line_of(module, "call_soon("), "fails")
    found = setters.setters_of(ConnectionResetError())
    assert found.place is not None
    assert found.place.function == "Client.lost"


def test_of_several_the_one_that_is_at_work(application: Callable[[str], ModuleType]) -> None:
    module = application(TWO)
    found = []

    class Dropped:
        def set_exception(self, error: BaseException) -> None:
            found.append(setters.setters_of(error))

    module.drops([Dropped()])(ValueError())
    assert found[0].place is not None
    assert found[0].place.function == "drops.<locals>.now"
    # Nobody is at work, and nothing says which it was.
    found.append(setters.setters_of(ValueError()))
    assert found[1].place is None
    assert [each.function for each in found[1].candidates] == ["Client.lost", "fails", "drops.<locals>.now"]
