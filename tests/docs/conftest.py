"""The site, built once for all tests, however many processes run them; `make docs` has built it before."""

from __future__ import annotations

import faulthandler
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    done = os.environ.get("BUILT_DOCS")
    if done:
        return ROOT / done
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "site" / "html"
    folder.parent.mkdir(exist_ok=True)
    # Half a minute, on a machine that does nothing else.
    faulthandler.cancel_dump_traceback_later()
    with open(folder.parent / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        log = folder.parent / "log"
        if not log.exists():
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            ended = subprocess.run(
                [sys.executable, "-m", "docs.site", str(folder)],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
            )
            log.write_text(f"{ended.returncode}\n{ended.stdout}{ended.stderr}")
    status, _, output = log.read_text().partition("\n")
    # Also what is no warning of Sphinx's, and would be new.
    assert (status, output) == ("0", "")
    return folder
