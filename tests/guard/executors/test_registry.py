"""Executors by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eyewall.guard.executors import registry
from eyewall.guard.executors.processes import ProcessExecutor
from eyewall.guard.executors.registry import UnknownExecutor, configure, executor, override
from eyewall.guard.executors.threads import ThreadExecutor
from eyewall.guard.profile import NATIVE, TORNADO, activate


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("_settings", "_overrides", "_executors"):
        monkeypatch.setattr(registry, name, {})
    yield
    for each in registry._executors.values():
        each.shutdown()


def test_the_same_one_each_time() -> None:
    database = executor("database")
    assert executor("database") is database
    assert isinstance(database, ThreadExecutor)
    assert database.name == "database"
    assert isinstance(executor("cpu"), ProcessExecutor)


def test_another_one_after_the_end_of_the_first() -> None:
    first = executor("database")
    first.shutdown()
    assert executor("database") is not first


def test_it_is_what_was_configured() -> None:
    configure("reports", medium="processes", workers=3, queue=7, full="drop_oldest")
    made = executor("reports")
    assert isinstance(made, ProcessExecutor)
    assert made.state().items() >= {"workers": 3, "queue": 7, "full": "drop_oldest"}.items()


def test_what_is_configured_too_late_is_an_error() -> None:
    executor("database")
    with pytest.raises(RuntimeError, match="'database' is in use: configure it before"):
        configure("database", workers=9)
    executor("database").shutdown()
    configure("database", workers=9)
    assert executor("database").state()["workers"] == 9


def test_names_that_nobody_knows() -> None:
    configure("reports")
    with pytest.raises(
        UnknownExecutor, match="no executor 'report', only cpu, database, dns, files, reports"
    ):
        executor("report")
    with pytest.raises(ValueError, match="threads, processes, dask, not on 'fibres'"):
        configure("reports", medium="fibres")
    with pytest.raises(ValueError, match="not on 'fibres'"):
        override({"reports": {"medium": "fibres"}})


def test_who_runs_the_program_has_the_last_word() -> None:
    configure("reports", workers=3, queue=7)
    override({"reports": {"workers": 5}, "extra": {"queue": 1}, "database": {"medium": "processes"}})
    assert executor("reports").state().items() >= {"workers": 5, "queue": 7}.items()
    assert executor("extra").state()["queue"] == 1
    assert isinstance(executor("database"), ProcessExecutor)
    configure("later", workers=1)
    override({"later": {"medium": "processes", "workers": 2}})
    assert executor("later").state().items() >= {"workers": 2, "medium": "processes"}.items()


def test_eyewalls_own_have_the_limits_of_the_profile() -> None:
    activate(NATIVE.replace(dns_threads=2, dns_queue=3, file_threads=4, file_queue=5))
    assert executor("dns").state().items() >= {"workers": 2, "queue": 3}.items()
    assert executor("files").state().items() >= {"workers": 4, "queue": 5}.items()
    for name in ("dns", "files"):
        executor(name).shutdown()
    activate(TORNADO)
    assert executor("files").state().items() >= {"workers": 8, "queue": None}.items()
