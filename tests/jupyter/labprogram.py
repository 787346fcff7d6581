"""JupyterLab as a program of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil

from tests.cli.program import until

from .environment import command, variables

TOKEN = "a-token-for-tests"
#: What a user has set: terminals that screen readers can read, and tests, too; no questions, nothing from the net.
_SETTINGS: dict[str, dict[str, Any]] = {
    "terminal-extension/plugin": {"screenReaderMode": True},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
#: Lines of the log that mean trouble.
_TROUBLE = ("[E ", "[C ", "Traceback", "Uncaught exception", "was never awaited")


class Lab:
    """A running JupyterLab whose files are in `folder / "root"`."""

    def __init__(self, side: str, folder: Path) -> None:
        self.root = folder / "root"
        home = folder / "home"
        for each in (self.root, home):
            each.mkdir()
        for plugin, settings in _SETTINGS.items():
            file = (
                home / ".jupyter" / "lab" / "user-settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
            )
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(settings))
        self._log = (folder / "log").open("w+b")
        arguments = (
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            "--port=0",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.root}",
        )
        self.process = subprocess.Popen(
            command(side, "jupyterlab", *arguments),
            cwd=self.root,
            env=variables(home),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._runtime = home / ".local" / "share" / "jupyter" / "runtime"
        try:
            found: dict[str, Any] = until(self._found, "JupyterLab serves")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.log()}") from None
        self.url: str = found["url"].rstrip("/")

    def _found(self) -> dict[str, Any] | None:
        """What it writes down for others once it serves."""
        assert self.process.poll() is None, self.log()
        files = list(self._runtime.glob(f"jpserver-{self.process.pid}.json"))
        try:
            found: dict[str, Any] | None = json.loads(files[0].read_text()) if files else None
        except json.JSONDecodeError:
            # It is being written.
            return None
        return found

    def is_connected(self, name: str) -> bool:
        """Tells whether a notebook's kernel has nothing to do, and a browser is connected to it."""
        request = Request(f"{self.url}/api/sessions", headers={"Authorization": f"token {TOKEN}"})
        with urlopen(request, timeout=25) as response:
            kernels = [each["kernel"] for each in json.load(response) if each["path"] == name]
        return any(each["execution_state"] == "idle" and each["connections"] for each in kernels)

    def loaded(self, part: str) -> bool:
        """Tells whether it has loaded a compiled module whose path contains `part`."""
        return any(part in each.path for each in psutil.Process(self.process.pid).memory_maps())

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text("utf-8", "replace")

    def trouble(self) -> list[str]:
        """Returns the lines of its log that tell of an error."""
        return [line for line in self.log().splitlines() if any(sign in line for sign in _TROUBLE)]

    def stop(self) -> int:
        """Ends it as a service manager does; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(25)

    def kill(self) -> None:
        """Ends the whole session, also what the program has left behind."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(25)
        self._log.close()
