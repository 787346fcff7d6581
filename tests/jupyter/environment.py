"""The environment that `make jupyter` makes: JupyterLab from PyPI, the real Tornado, and Eyewall from this checkout.

JUPYTER_VENV names another folder for it than `.venv-jupyter`.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = Path(os.environ.get("JUPYTER_VENV") or ROOT / ".venv-jupyter").absolute()
#: Where Jupyter Server's source distribution is unpacked, with its tests.
SOURCES = VENV / "sources"

#: What stands before `-m MODULE`, by the Tornado that the module gets.
SIDES = {"eyewall": ("-m", "eyewall.tornado"), "tornado": ()}


def command(side: str, module: str, *arguments: str) -> list[str]:
    """Returns the command that runs `module` on `side`."""
    return [str(VENV / "bin" / "python"), *SIDES[side], "-m", module, *arguments]


def variables(home: Path) -> dict[str, str]:
    """Returns the variables of a program in that environment: nothing of this one's paths, and a home of its own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("EYEWALL_", "PYTHON", "JUPYTER", "XDG_", "PYTEST_"))
    }
    return {
        **inherited,
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(VENV),
        "PYTHONUNBUFFERED": "1",
    }
