"""What all tests share: which build of Eyewall they run against, and event loops of both kinds."""

from __future__ import annotations

import asyncio
import gc
import importlib.machinery
import importlib.util
import os
import tomllib
from collections.abc import Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from eyewall.guard.profile import NATIVE, activate
from eyewall.web.response import forget_defaults
from tests.tornado.exclusions import FILE, excluded

ROOT = Path(__file__).resolve().parent.parent
COMPILED_MODULES: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["eyewall-build"][
    "compiled"
]

# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("eyewall", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("eyewall")

LOOP_KINDS = ["asyncio"]
if importlib.util.find_spec("uvloop") is not None:
    LOOP_KINDS.append("uvloop")


def _package_folder() -> Path:
    """The folder that `import eyewall` takes the package from."""
    spec = importlib.util.find_spec("eyewall")
    if spec is None or not spec.submodule_search_locations:
        raise pytest.UsageError("eyewall cannot be imported: neither src nor a build is on the path")
    return Path(next(iter(spec.submodule_search_locations))).resolve().parent


def _build() -> str:
    """`compiled`, `pure`, or `mixed (...)` where only some modules are what they should be."""
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    compiled: list[str] = []
    pure: list[str] = []
    for name in COMPILED_MODULES:
        spec = importlib.util.find_spec(name)
        origin = spec.origin if spec is not None else None
        (compiled if origin is not None and origin.endswith(suffixes) else pure).append(name)
    if compiled and pure:
        return f"mixed (not compiled: {', '.join(pure)})"
    return "compiled" if compiled else "pure"


def pytest_configure(config: pytest.Config) -> None:
    # Tests that start an interpreter of their own must test the same build.
    folder = str(_package_folder())
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = folder + os.pathsep + inherited if inherited else folder


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # What is collected stays, and would be looked through again and again.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the tests that are marked as long, each in a process of its own, and ends with the late ones."""
    kinds: dict[str, list[pytest.Item]] = {"long": [], "late": [], "": []}
    for each in items:
        kind = next((kind for kind in kinds if kind and each.get_closest_marker(kind)), "")
        kinds[kind].append(each)
    long, left = kinds["long"], kinds[""] + kinds["late"]
    ordered: list[pytest.Item] = []
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    for worker in range(workers):
        # A share as `--dist worksteal` deals them out.
        share = (len(items) - len(ordered)) // (workers - worker)
        first = long[worker::workers]
        count = max(share - len(first), 0)
        ordered += first + left[:count]
        del left[:count]
    items[:] = ordered


def pytest_sessionstart(session: pytest.Session) -> None:
    build, folder = _build(), _package_folder()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        # Not by pytest_report_header, which says nothing where the output is short.
        reporter.write_line(f"eyewall: {build}, from {folder}; loops: {', '.join(LOOP_KINDS)}")
    expected = os.environ.get("EYEWALL_EXPECT_BUILD")
    if expected is None:
        return
    if expected not in ("compiled", "pure"):
        raise pytest.UsageError(f"EYEWALL_EXPECT_BUILD is {expected!r}; it must be 'compiled' or 'pure'")
    if build != expected:
        raise pytest.UsageError(f"EYEWALL_EXPECT_BUILD is {expected!r}, but eyewall from {folder} is {build}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which of Tornado's tests were not run, where Tornado's tests were."""
    suite = "tests/tornado/test_suite.py"
    if any(suite in getattr(each, "nodeid", "") for kind in terminalreporter.stats.values() for each in kind):
        names = excluded()
        terminalreporter.write_sep("-", f"{len(names)} of Tornado's own tests excluded ({FILE.name})")
        for name, reason in names.items():
            terminalreporter.write_line(f"{name}: {reason}")


def loop_factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Returns what makes a new event loop of `kind`, one of LOOP_KINDS."""
    if kind == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


@pytest.fixture(params=LOOP_KINDS)
def event_loop_kind(request: pytest.FixtureRequest) -> str:
    """Runs the test once for each kind of event loop."""
    kind: str = request.param
    return kind


@pytest.fixture
def run(event_loop_kind: str) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """A function that runs a coroutine in a new loop of each kind, as `asyncio.run` does, and returns its
    result.
    """

    def run_in_new_loop(coro: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=loop_factory(event_loop_kind)) as runner:
            return runner.run(coro)

    return run_in_new_loop


@pytest.fixture(autouse=True)
def _own_profile() -> Iterator[None]:
    """Each test begins with the native profile, whatever another one imported (`eyewall.tornado`) or activated."""
    activate(NATIVE)
    forget_defaults()
    yield
    activate(NATIVE)
