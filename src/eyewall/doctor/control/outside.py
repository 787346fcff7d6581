"""What can be seen of a process that does not answer, or has no doctor: the stacks of its threads, through py-spy."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig

#: Seconds that py-spy has.
PATIENCE = 30.0
#: Frames that are named in a sentence.
FRAMES = 5

_THREAD = re.compile(r'Thread \S+ \((?P<state>[^)]*)\)(?:: "(?P<name>.*)")?')


def spy() -> str | None:
    """Returns the path of py-spy: of this environment, or else of the path; None where there is none."""
    return shutil.which("py-spy", path=sysconfig.get_path("scripts")) or shutil.which("py-spy")


def is_stopped(pid: int) -> bool:
    """Whether a process was stopped, by a signal or a debugger; False where that can't be seen."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False


def stacks_from_outside(pid: int) -> tuple[bool, str]:
    """Returns whether the stacks of a process could be had, and them; or why not, and what to do about it."""
    program = spy()
    if program is None:
        return False, "From outside nothing can be seen without py-spy: pip install 'eyewall[profile]'"
    # It stops what it looks at, and lets it run again; one that stands still needs no more than to be read.
    still = ["--nonblocking"] if is_stopped(pid) else []
    try:
        done = subprocess.run(  # noqa: S603 - what was found above
            [program, "dump", "--pid", str(pid), *still],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"py-spy did not come back within {PATIENCE:g} s"
    if done.returncode:
        why = done.stderr.strip().partition("\n")[0] or f"it ended with {done.returncode}"
        return False, f"py-spy can't see it: {why}"
    return True, done.stdout


def sentence_of(pid: int) -> str:
    """Returns in a sentence or two what can be seen of a process that does not answer."""
    stopped = "It was stopped, by a signal or a debugger. " if is_stopped(pid) else ""
    seen, text = stacks_from_outside(pid)
    return stopped + (in_words(text) if seen else f"{text}.")


def in_words(dump: str) -> str:
    """Returns what py-spy has dumped, as a sentence about the thread that keeps the interpreter, or the first one."""
    threads: list[tuple[str, str, list[str]]] = []
    for line in dump.splitlines():
        match = _THREAD.fullmatch(line.strip())
        if match is not None:
            threads.append((match["state"], match["name"] or "without a name", []))
        elif threads and line.startswith("    ") and not line.startswith("     "):
            threads[-1][2].append(line.strip())
    keeping = [each for each in threads if "gil" in each[0]]
    named = next((each for each in [*keeping, *threads] if each[2]), None)
    if named is None:
        return "From outside, no thread of Python is seen in it."
    what = "keeps the interpreter" if named in keeping else f"is {named[0].partition('+')[0]}"
    return f"Seen from outside, its thread {named[1]} {what}: " + ", called by ".join(named[2][:FRAMES]) + "."
