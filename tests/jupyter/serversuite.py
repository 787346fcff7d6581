"""Jupyter Server's own tests under both Tornados, in one environment, with the same options; and what differs.

    python -m tests.jupyter.serversuite [MODULE...]

`make jupyter` makes the environment and unpacks the source distribution that carries the tests. Each of its modules
is run in a process of its own, so that what one leaves behind is not found in another. A test that passed under
Tornado and not under Eyewall is run again, alone, on both sides: these tests have short limits of time, and start
kernels. It counts as a difference if it still passes under Tornado and never under Eyewall. The exit code is 1 then.

Options and warning filters are those of Jupyter Server's pyproject.toml, but for these, on both sides:

- Tornado 6.6 deprecates a way to make an HTTPServerRequest by which some forty of the tests make theirs. With that
  warning an error they would fail on both sides, and say nothing.
- A few tests leave a coroutine `nudge` of a kernel's connection behind when they close the loop, which complains when
  it is collected. The real Tornado never lets go of it, and never hears it.
- A test that takes too long is failed by a signal, not by the end of the process, which would take others along.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from .environment import SOURCES, command, variables
from .outcomes import PASSED, Difference, Outcomes, count, read

FILTERS = (
    "ignore:The method, uri, and version arguments to HTTPServerRequest:DeprecationWarning",
    "ignore:The start_line argument to HTTPServerRequest:DeprecationWarning",
    "ignore:Exception ignored in. <coroutine object ZMQChannelsWebsocketConnection.nudge"
    ":pytest.PytestUnraisableExceptionWarning",
)
#: Seconds for one module. What takes longer has hung, and its tests are missing.
PATIENCE = 900
#: How often a test that differs is run again.
AGAIN = 3

_speak = threading.Lock()


def say(text: str) -> None:
    with _speak:
        print(text, flush=True)


def modules(sources: Path) -> list[str]:
    """The modules with tests, as pytest is told them."""
    return sorted(str(file.relative_to(sources)) for file in sources.glob("tests/**/test_*.py"))


def run(side: str, folder: Path, *tests: str) -> Outcomes:
    """Runs tests in a process of their own; what they wrote stays in `folder`."""
    options = tomllib.loads((SOURCES / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
    filters = [*options["filterwarnings"], *FILTERS]
    folder.mkdir(parents=True)
    home = folder / "home"
    home.mkdir()
    log = folder / "outcomes.jsonl"
    arguments = (
        "-p", "no:cacheprovider",
        "--color=no",
        f"--basetemp={folder / 'tmp'}",
        f"--report-log={log}",
        "-o", "timeout_method=signal",
        "-o", "filterwarnings=" + "\n".join(filters),
    )  # fmt: skip
    with (folder / "output.txt").open("wb") as output:
        try:
            subprocess.run(
                command(side, "pytest", *arguments, *tests),
                cwd=SOURCES,
                env=variables(home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            say(f"{side}: {' '.join(tests)} has not ended after {PATIENCE} s")
    return read(log.read_text("utf-8").splitlines()) if log.exists() else {}


def run_all(side: str, names: Sequence[str], folder: Path, outcomes: Outcomes) -> None:
    """Runs modules one by one."""
    began = time.monotonic()
    for name in names:
        outcomes.update(run(side, folder / name.replace("/", "."), name))
    say(f"{side}: {count(outcomes)}, in {time.monotonic() - began:.0f} s")


def again(name: str, folder: Path) -> bool:
    """Runs a test alone, on both sides, until it passes under Eyewall; returns whether that is a difference."""
    passed = False
    for attempt in range(AGAIN):
        ours = run("eyewall", folder / f"eyewall-{attempt}", name).get(name)
        theirs = run("tornado", folder / f"tornado-{attempt}", name).get(name)
        say(f"  alone: {theirs} under Tornado, {ours} under Eyewall")
        if ours == PASSED:
            return False
        passed = passed or theirs == PASSED
    return passed


def main(chosen: Sequence[str]) -> int:
    if not SOURCES.is_dir():
        sys.exit(f"{SOURCES} is missing: `make jupyter` makes it")
    names = list(chosen) or modules(SOURCES)
    folder = Path(tempfile.mkdtemp(prefix="jupyter-suite-"))
    say(f"{len(names)} modules of {SOURCES.resolve().name}; what they say goes to {folder}")
    tornado: Outcomes = {}
    eyewall: Outcomes = {}
    # Some tests use ports by number. The two begin at opposite ends, so that they do not meet at the same test.
    other = threading.Thread(target=run_all, args=("tornado", names[::-1], folder / "tornado", tornado))
    other.start()
    run_all("eyewall", names, folder / "eyewall", eyewall)
    other.join()

    found = Difference.between(tornado, eyewall)
    for name, (theirs, ours) in found.gained.items():
        say(f"{theirs} under Tornado, {ours} under Eyewall: {name}")
    lost = []
    for number, (name, (theirs, ours)) in enumerate(found.lost.items()):
        say(f"{theirs} under Tornado, {ours} under Eyewall: {name}")
        if again(name, folder / f"again-{number}"):
            lost.append(name)
    for name in lost:
        say(f"DIFFERS: {name}")
    good = sum(outcome == PASSED for outcome in tornado.values())
    say(f"{good} pass under Tornado, {len(lost)} of them not under Eyewall")
    return 1 if lost or not tornado else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
