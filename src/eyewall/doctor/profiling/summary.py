"""What a profile says, in numbers that can be read: for each handler, coroutine or function, CPU against waiting.

A stack belongs to the outermost function of the application that an event loop or a thread has called: the handler
of a request, the coroutine of a task, a callback, a job. Below that, its time is where the innermost function of the
application stands.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from eyewall.doctor.definitions import Definitions
from eyewall.doctor.places import Place, is_own
from eyewall.doctor.profiling.recording import Frame, Recording, Stack

#: What runs callbacks, coroutines and jobs, by the end of the file's name; and what is said where it has none to run.
_LOOP, _POOL, _THREAD = "(the event loop)", "(threads of executors)", "(other threads)"
_DRIVERS: dict[str, tuple[str, frozenset[str]]] = {
    "asyncio/runners.py": (_LOOP, frozenset({"run", "Runner.run"})),
    "asyncio/base_events.py": (_LOOP, frozenset({"run_until_complete", "run_forever", "_run_once"})),
    "asyncio/events.py": (_LOOP, frozenset({"_run"})),
    "uvloop/__init__.py": (_LOOP, frozenset({"run", "wrapper"})),
    "tornado/platform/asyncio.py": (_LOOP, frozenset({"start"})),
    "eyewall/cli/worker.py": (_LOOP, frozenset({"run"})),
    "concurrent/futures/thread.py": (_POOL, frozenset({"_worker", "run"})),
    "threading.py": (_THREAD, frozenset({"_bootstrap", "_bootstrap_inner", "run"})),
}
_LIBRARY, _DOCTOR = "(libraries)", "(the doctor)"
_DOCTORS_FILES = "eyewall/doctor/"
#: What files of Python code end with; frames of others are native, or of no file.
_SOURCES = (".py", ".pyx")
#: The process may run on another Python than the one that tells of it.
_STANDARD = re.compile(r"/lib(?:64)?/python3\.[0-9]+t?/")


@dataclass(frozen=True)
class Row:
    """One line of a table: what it is about, and the CPU and wall-clock time in it.

    `kind` and `place` are empty where it is no code of the application's. Times are shares of what was recorded: more
    than 1 where several things went on at once, and None where that clock was not recorded.
    """

    name: str
    kind: str
    place: str
    cpu: float | None
    wall: float | None

    @property
    def waiting(self) -> float | None:
        """The share that was not on a CPU."""
        return None if self.wall is None else max(0.0, self.wall - (self.cpu or 0.0))


@dataclass(frozen=True)
class Summary:
    """`entries`: by handler, coroutine, function. `places`: by line of the application. Each adds up to the whole."""

    entries: list[Row]
    places: list[Row]


def summarize(
    cpu: Recording | None, wall: Recording | None, definitions: Definitions | None = None
) -> Summary:
    """Returns what the recordings say, the longest first, and the application's before all else."""
    known = definitions or Definitions()
    entries: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    places: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for recording in (cpu, wall):
        if recording is None:
            continue
        for stack, seconds in recording.stacks.items():
            share = seconds / recording.seconds
            for table, key in ((entries, _entry(stack, known)), (places, _place(stack))):
                table[key][recording.clock] = table[key].get(recording.clock, 0.0) + share
    return Summary(_rows(entries, cpu, wall), _rows(places, cpu, wall))


def _rows(
    table: Mapping[tuple[str, str, str], Mapping[str, float]], cpu: Recording | None, wall: Recording | None
) -> list[Row]:
    rows = [
        Row(
            *key,
            None if cpu is None else shares.get("cpu", 0.0),
            None if wall is None else shares.get("wall", 0.0),
        )
        for key, shares in table.items()
    ]
    return sorted(
        rows, key=lambda row: (not row.place, -max(row.cpu or 0.0, row.wall or 0.0), row.name, row.place)
    )


def own_frames(stack: Stack) -> list[Frame]:
    """Returns the frames of the application, below what has called it last."""
    begin, _ = _driver(stack)
    return [frame for frame in stack[begin:] if is_application(frame)]


def is_application(frame: Frame) -> bool:
    """Whether a frame is the application's, and of Python."""
    if not frame.file.endswith(_SOURCES) or _STANDARD.search(frame.file.replace(os.sep, "/")):
        return False
    return is_own(Place(frame.file, frame.line, frame.function))


def _driver(stack: Stack) -> tuple[int, str]:
    """Returns where the stack begins of what a loop or thread has called, and what that is."""
    for number in range(len(stack) - 1, -1, -1):
        frame = stack[number]
        parts = frame.file.replace(os.sep, "/").rsplit("/", 3)
        for length in (3, 2, 1):
            found = _DRIVERS.get("/".join(parts[-length:]))
            if found is None or is_application(frame):
                continue
            if frame.function in found[1] or frame.function.rpartition(".")[2] in found[1]:
                return number + 1, found[0]
    return 0, _LIBRARY


def _entry(stack: Stack, definitions: Definitions) -> tuple[str, str, str]:
    own = own_frames(stack)
    if not own:
        return _other(stack), "", ""
    first = own[0]
    defined = definitions.at(first.file, first.line)
    if defined is None:
        return first.function, "function", first.file
    kind = "coroutine" if defined.is_async else "function"
    return defined.name, kind, f"{first.file}:{defined.first}"


def _place(stack: Stack) -> tuple[str, str, str]:
    own = own_frames(stack)
    if not own:
        return _other(stack), "", ""
    last = own[-1]
    inner = "" if stack[-1] == last else f", in {stack[-1].function}"
    return last.function + inner, "", f"{last.file}:{last.line}" if last.line else last.file


def _other(stack: Stack) -> str:
    """Returns what a stack is about that has no frame of the application."""
    begin, driver = _driver(stack)
    if any(_DOCTORS_FILES in frame.file.replace(os.sep, "/") for frame in stack[begin:]):
        return _DOCTOR
    return driver


# -- as text ------------------------------------------------------------------------------------------------

#: Rows of each table.
ROWS = 20
#: A share that is not shown.
SMALLEST = 0.0005


def summary_text(summary: Summary, rows: int = ROWS) -> str:
    """Returns the summary for people."""
    code = [row for row in summary.entries if row.place]
    busy = sum(row.cpu or 0.0 for row in code)
    waited = sum(row.waiting or 0.0 for row in code)
    text: list[str] = []
    if busy + waited > 0.0:
        share = busy / (busy + waited)
        text += [
            f"The application's code: {share:.0%} on a CPU, {1 - share:.0%} waiting (I/O, locks, sleep).",
            "",
        ]
    text += _table("handler, coroutine or function", summary.entries, rows)
    text.append("")
    text += _table("line", summary.places, rows)
    text += ["", "Shares of the time that was recorded: more than 100 % where several went on at once."]
    return "\n".join(text) + "\n"


def _table(title: str, table: list[Row], rows: int) -> list[str]:
    lines = [f"{'on CPU':>8} {'waiting':>8}  {title}"]
    told = [row for row in table if max(row.cpu or 0.0, row.waiting or 0.0) >= SMALLEST]
    for row in told[:rows]:
        about = f"{row.kind} {row.name}".lstrip() + (row.place and f", {row.place}")
        lines.append(f"{_share(row.cpu):>8} {_share(row.waiting):>8}  {about}")
    if len(told) > rows:
        rest = told[rows:]
        cpu = sum(row.cpu or 0.0 for row in rest)
        waiting = sum(row.waiting or 0.0 for row in rest)
        lines.append(f"{_share(cpu):>8} {_share(waiting):>8}  ({len(rest)} more)")
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %"
