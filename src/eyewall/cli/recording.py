"""Recording where the time of another process goes: from outside with py-spy, or inside by its doctor.

Half of the time is recorded by the CPU's clock and the other half by the one on the wall: neither tool has both at
once.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eyewall.base.errors import EyewallError
from eyewall.doctor.control.outside import spy
from eyewall.doctor.definitions import Definitions
from eyewall.doctor.profiling.callgraph import Called, stacks_of
from eyewall.doctor.profiling.recording import Frame, Recording, from_folded

#: Seconds that py-spy has beyond those that it records, and the process to answer.
PATIENCE = 60.0
#: Bytes of a recording that are read.
LIMIT = 256 * 1024 * 1024
#: Samples of a CPU or wall clock, each second.
RATE = 100


class NotRecorded(EyewallError):
    """A process can't be recorded that way; the message says why, and what to do."""


@dataclass(frozen=True)
class Recorded:
    """Both recordings, and how they were made, for people. `notes`: what they do not show."""

    cpu: Recording
    wall: Recording
    way: str
    notes: tuple[str, ...] = ()


def from_outside(pid: int, seconds: int, rate: int, native: bool) -> Recorded:
    """Records for `seconds`, two or more, with `rate` samples in each. Raises NotRecorded."""
    program = spy()
    if program is None:
        raise NotRecorded("py-spy is not installed: pip install 'eyewall[profile]'")
    notes = [
        "Seen from outside, a coroutine that is suspended is nowhere: what one waits for shows only --from inside."
    ]
    half = (seconds + 1) // 2
    with tempfile.TemporaryDirectory(prefix="eyewall-profile-") as folder:
        record = _Spy(program, pid, rate, Path(folder, "folded"))
        if native:
            try:
                cpu = record("cpu", half, ["--native"])
            except NotRecorded as error:
                notes.append(f"Without native frames: {error}.")
                native = False
        if not native:
            cpu = record("cpu", half, [])
        wall = record("wall", max(1, seconds - half), ["--idle"])
    return Recorded(cpu, wall, f"from outside (py-spy), {rate} samples a second", tuple(notes))


@dataclass(frozen=True)
class _Spy:
    program: str
    pid: int
    rate: int
    file: Path

    def __call__(self, clock: str, seconds: int, options: list[str]) -> Recording:
        command = [self.program, "record", "--pid", str(self.pid), "--duration", str(seconds)]
        command += ["--rate", str(self.rate), "--format", "raw", "--full-filenames", "--threads"]
        command += ["--output", str(self.file), *options]
        self.file.unlink(missing_ok=True)
        try:
            # An interrupt or an end of the time limit ends py-spy as well, and it lets the process go.
            done = subprocess.run(  # noqa: S603 - what was found above
                command, capture_output=True, text=True, timeout=seconds + PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotRecorded(f"py-spy did not come back within {seconds + PATIENCE:g} s") from None
        if done.returncode:
            raise NotRecorded(
                f"py-spy can't see it: {_why(done.stderr) or f'it ended with {done.returncode}'}"
            )
        try:
            if self.file.stat().st_size > LIMIT:
                raise NotRecorded(f"more than {LIMIT} bytes were recorded; record for fewer seconds")
            with self.file.open(encoding="utf-8", errors="replace") as lines:
                return from_folded(lines, clock, seconds, self.rate)
        except FileNotFoundError:
            # It writes nothing where nothing has run.
            return Recording(clock, seconds, {})
        except ValueError as error:
            raise NotRecorded(f"what py-spy has written makes no sense: {error}") from None


def _why(said: str) -> str:
    """Returns the message of py-spy's error, and the innermost reason for it."""
    lines = [line.strip() for line in said.partition("Stack backtrace:")[0].splitlines() if line.strip()]
    errors = [line.partition("Error: ")[2] for line in lines if line.startswith("Error: ")]
    reason = f" ({lines[-1].partition(': ')[2] or lines[-1]})" if "Caused by:" in lines else ""
    return (errors[0] if errors else "".join(lines[:1])) + reason


def from_inside(
    call: Callable[..., Any], seconds: float, sleep: Callable[[float], None] = time.sleep
) -> Recorded:
    """Has the doctor of a process record for `seconds`; `call` asks it. Raises ControlError, or NoDoctor."""
    definitions = Definitions()
    recordings: dict[str, Recording] = {}
    notes = [
        "The process was slower meanwhile: each of its calls was counted. Shares are right, rates are not."
    ]
    for clock in ("cpu", "wall"):
        call("profile-start", clock=clock, seconds=seconds / 2)
        try:
            sleep(seconds / 2)
        except BaseException:
            # Not to be slow any longer than somebody wants to know.
            call("profile-stop")
            raise
        said = call("profile-stop")
        recordings[clock] = _counted(said, definitions)
        if said["left_out"]:
            notes.append(f"{said['left_out']} functions that took little {clock} time were left out.")
    return Recorded(recordings["cpu"], recordings["wall"], "from inside (yappi)", tuple(notes))


def _counted(said: Any, definitions: Definitions) -> Recording:
    functions = [
        Called(
            _frame(each, definitions),
            each["calls"],
            each["total"],
            dict(each["callees"]),
        )
        for each in said["functions"]
    ]

    def is_async(frame: Frame) -> bool:
        return definitions.is_async(frame.file, frame.line)

    return Recording(said["clock"], said["seconds"], stacks_of(functions, is_async))


def _frame(said: Any, definitions: Definitions) -> Frame:
    file, line = said["file"], said["line"]
    # A function in C has no line, and yappi knows no qualified names of all others.
    found = definitions.at(file, line) if line else None
    return Frame(said["function"] if found is None or found.first != line else found.name, file, line)
