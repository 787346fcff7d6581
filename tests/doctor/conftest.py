"""What takes long in a test says something of the machine: only tests of blocked loops look for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from inspect import signature

import pytest

from eyewall.doctor import watch
from eyewall.doctor.stalls import turn
from eyewall.doctor.stalls.detector import Stalls

from .programs import Runs, programs

#: Sick and healthy programs that run at the same time.
AT_ONCE = 10


@pytest.fixture(scope="session", autouse=True)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Runs the programs whose tests were selected, from the first test of the doctor on."""
    selected = [
        item.callspec.params["path"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and "runs" in signature(item.function).parameters
    ]
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each has one of its own in there.
        folder = folder.parent
    runs = Runs(folder / "programs", [each for path in selected for each in programs(path)], AT_ONCE)
    yield runs
    runs.stop()


@pytest.fixture(autouse=True)
def _patient_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "THRESHOLD", 1e6)
    monkeypatch.setattr(turn, "STARVED", 1e6)
    # The options state their own.
    monkeypatch.setattr(watch, "Stalls", lambda blocked, starved, cries: Stalls(1e6, 1e6, cries))
