"""What can be seen of a process from outside, without a doctor in it: the stacks of its threads, through py-spy."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig

#: Seconds that py-spy has.
PATIENCE = 30.0


def spy() -> str | None:
    """Returns the path of py-spy: of this environment, or else of the path; None where there is none."""
    return shutil.which("py-spy", path=sysconfig.get_path("scripts")) or shutil.which("py-spy")


def stacks_from_outside(pid: int) -> tuple[bool, str]:
    """Returns whether the stacks of a process could be had, and them; or why not, and what to do about it."""
    program = spy()
    if program is None:
        return False, "From outside nothing can be seen without py-spy: pip install 'eyewall[profile]'"
    try:
        done = subprocess.run(  # noqa: S603 - what was found above
            [program, "dump", "--pid", str(pid)],
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
