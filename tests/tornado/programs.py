"""Running programs in interpreters of their own, under the alias or not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

ALIAS = ("-m", "eyewall.tornado")


def python(
    *arguments: str | Path,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    options: Sequence[str] = (),
    check: bool = True,
    timeout: float = 50,
) -> subprocess.CompletedProcess[str]:
    """Runs this interpreter with warnings as errors. With `check`, its end must be a good one."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *options, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=timeout,
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def aliased(source: str, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Runs `source` under the alias and returns what it printed."""
    return python(*ALIAS, "-c", textwrap.dedent(source), *arguments, cwd=cwd, env=env).stdout


def write(folder: Path, **files: str) -> Path:
    """Writes modules into `folder`; `__` in a name stands for a folder."""
    for name, text in files.items():
        file = folder / (
            name.replace("__", "/", 1).replace("MAIN", "__main__").replace("FACE", "__init__") + ".py"
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return folder
