"""What takes long in a test says something of the machine: only tests of blocked loops look for it."""

from __future__ import annotations

import pytest

from eyewall.doctor.stalls import turn


@pytest.fixture(autouse=True)
def _patient_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "THRESHOLD", 1e6)
    monkeypatch.setattr(turn, "STARVED", 1e6)
