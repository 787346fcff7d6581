"""A plugin of pytest that fails tests which block the loop, drop something, or leave something behind.

    pytest --eyewall-doctor                           all tests; or `eyewall_doctor = true` in the configuration
    @pytest.mark.eyewall_doctor                       this test; with False not this one; threshold=1.0 for it
    @pytest.mark.allow_findings("task-leaked")        these may be found in it; without rules, all

It is loaded by every pytest in whose environment Eyewall is installed. So while nobody turns it on, it imports nothing
and does nothing.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from eyewall.doctor.examining.examination import Examination
    from eyewall.doctor.finding import Finding

_OPTION = "eyewall_doctor"
_MARKERS = (
    "eyewall_doctor(on=True, *, threshold=None): fails this test where it blocks the loop (for `threshold` seconds), "
    "drops or leaks something.",
    "allow_findings(*rules): findings of the doctor that do not fail this test; without rules, all.",
)
#: Fixtures of these modules open and begin nothing for a test.
_HARMLESS = ("_pytest.", "pytest_asyncio.", "anyio.pytest_plugin", "xdist.", "pytest_timeout")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("eyewall", "Eyewall's doctor")
    group.addoption(
        "--eyewall-doctor",
        action="store_true",
        default=False,
        help="Fail tests that block the loop, drop coroutines, lose exceptions, or leak tasks, connections, files.",
    )
    group.addoption(
        "--eyewall-doctor-threshold",
        type=float,
        default=None,
        metavar="SECONDS",
        help="How long a loop may be blocked (0.25).",
    )
    parser.addini(_OPTION, "Turns Eyewall's doctor on for all tests.", type="bool", default=False)
    parser.addini("eyewall_doctor_threshold", "Seconds that a loop may be blocked.", default="")
    parser.addini("eyewall_doctor_allow", "Rules of findings that fail no test.", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Makes the markers known."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


class _Patient:
    """A test under examination, and what may be found in it."""

    def __init__(self, examination: Examination, allowed: frozenset[str] | None) -> None:
        self.examination = examination
        self.allowed = allowed
        self.failed = False

    def findings(self, *, final: bool) -> list[Finding]:
        found = self.examination.findings(final=final)
        if self.allowed is None:
            return []
        return [each for each in found if each.rule not in self.allowed]


_patients: dict[str, _Patient] = {}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """Examines a test from before its set-up until after its clean-up."""
    threshold = _threshold(item)
    if threshold is None:
        return (yield)
    from eyewall.doctor.examining.examination import Examination

    patient = _patients[item.nodeid] = _Patient(Examination(threshold), _allowed(item))
    patient.examination.start()
    try:
        return (yield)
    finally:
        del _patients[item.nodeid]
        patient.examination.stop()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """What a fixture of several tests opens is not this one's."""
    # One test at a time is examined, and this is for that one.
    patient = next(iter(_patients.values()), None) if request.scope != "function" else None
    if patient is None:
        return (yield)
    with patient.examination.somebody_elses():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fails a test for what is certain when it has run: all of it, where no fixture of it may clean up."""
    patient = _patients.get(item.nodeid)
    if patient is None:
        return (yield)
    try:
        result = yield
    except BaseException:
        patient.failed = True
        _judge(patient, item, "call")
        raise
    _judge(patient, item, "call")
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fails a test for what it has left behind."""
    result = yield
    patient = _patients.get(item.nodeid)
    if patient is not None:
        _judge(patient, item, "teardown")
    return result


def _judge(patient: _Patient, item: pytest.Item, when: str) -> None:
    final = when == "teardown" or (patient.examination.is_over and not _has_fixtures(item))
    found = patient.findings(final=final)
    if not found:
        return
    text = "\n\n".join(_pruned(each).text() for each in found)
    if patient.failed:
        # It has failed by itself, and that says more.
        item.add_report_section(when, "eyewall doctor", text)
        return
    patient.failed = True
    count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    pytest.fail(f"The doctor has {count} in {item.name}:\n\n{text}", pytrace=False)


def _pruned(finding: Finding) -> Finding:
    """Returns a finding without what runs the test: stacks begin with the first place of the program."""
    from dataclasses import replace

    from eyewall.doctor.examining.stacks import begun

    stacks = {name: begun(places) for name, places in finding.evidence.stacks.items()}
    return replace(finding, evidence=replace(finding.evidence, stacks=stacks))


def _threshold(item: pytest.Item) -> float | None:
    """Returns how long the loop may be blocked in a test, None where it is not examined."""
    config = item.config
    marker = item.get_closest_marker(_OPTION)
    if marker is None:
        on = bool(config.getoption(_OPTION) or config.getini(_OPTION))
    else:
        on = bool(marker.args[0]) if marker.args else True
    if not on:
        return None
    stated = marker.kwargs.get("threshold") if marker is not None else None
    if stated is None:
        stated = config.getoption("eyewall_doctor_threshold")
    if stated is None:
        stated = config.getini("eyewall_doctor_threshold") or None
    if stated is None:
        from eyewall.doctor.examining.stalls import THRESHOLD

        return THRESHOLD
    try:
        threshold = float(stated)
    except ValueError:
        threshold = 0.0
    if not threshold > 0.0:
        raise pytest.UsageError(f"the doctor's threshold must be a number of seconds above 0, not {stated!r}")
    return threshold


def _allowed(item: pytest.Item) -> frozenset[str] | None:
    """Returns the rules that may be found in a test; None for all."""
    rules = list(item.config.getini("eyewall_doctor_allow"))
    for marker in item.iter_markers("allow_findings"):
        if not marker.args:
            return None
        rules += marker.args
    return frozenset(rules)


def _has_fixtures(item: pytest.Item) -> bool:
    """Whether a test has fixtures, of its own or others', that may clean up after it."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = {} if info is None else info.name2fixturedefs
    return any(
        not str(getattr(each.func, "__module__", "")).startswith(_HARMLESS)
        for name in definitions
        for each in definitions[name]
    )
