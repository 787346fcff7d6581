"""A folder for sockets that is a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eyewall.doctor.collector import Collector
from eyewall.doctor.control.commands import Patient
from eyewall.doctor.control.server import ControlServer


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the environment says is this user's directory for sockets."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def collector() -> Collector:
    """The findings of a process."""
    return Collector()


@pytest.fixture
def server(collector: Collector) -> Iterator[ControlServer]:
    """The socket of this process, which has no loop."""
    server = ControlServer(Patient(collector, list))
    server.open()
    yield server
    server.close()
