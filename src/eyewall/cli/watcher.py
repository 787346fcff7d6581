"""Notices changes of files, for reloading in development: a process of its own, as it needs threads."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence

from eyewall.base.loggers import gen_log
from eyewall.cli.exits import ExitCode
from eyewall.cli.settings import Settings
from eyewall.cli.target import parse

#: Milliseconds between two looks whether the supervisor is still there.
_LOOK = 1000
#: Seconds by which the times of files may be off.
_SLACK = 0.05
#: File names in one message.
_MOST_NAMES = 3


def watch(settings: Settings, line: socket.socket, supervisor: int, began: float) -> int:
    """Says on `line` which files have changed since `began`, a line for each batch, until the supervisor is gone.

    `supervisor`: its process id. `began`: Unix time in seconds, before any worker was started. Returns the exit code.
    """
    try:
        # An extra, and only for development.
        import watchfiles
    except ImportError:
        gen_log.error("--reload needs watchfiles, which is not installed: pip install 'eyewall[reload]'")
        return ExitCode.USAGE
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    folders = watched_folders(settings)
    only = _Suffixes(settings.reload_suffixes)
    # Until the system has begun to watch, nobody is told of what is saved: the times of the files say it.
    is_watching = False
    for changes in watchfiles.watch(
        *folders, watch_filter=only, rust_timeout=_LOOK, yield_on_timeout=True, raise_interrupt=False
    ):
        if os.getppid() != supervisor:
            break
        paths = {path for _, path in changes}
        if not is_watching:
            is_watching = True
            paths.update(_saved_since(began, folders, only))
        names = sorted({os.path.relpath(path) for path in paths})
        if not names:
            continue
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        line.sendall(os.fsencode(", ".join(names[:_MOST_NAMES]).replace("\n", "?") + more) + b"\n")
    return ExitCode.DONE


def watched_folders(settings: Settings) -> tuple[str, ...]:
    """Returns the folders that are asked for, or else the one that the application is in."""
    if settings.reload_dirs:
        return settings.reload_dirs
    file = parse(settings.target).path
    return (os.path.dirname(os.path.abspath(file)),) if file else (settings.app_dir,)


def _saved_since(began: float, folders: Sequence[str], only: _Suffixes) -> Iterator[str]:
    """Returns files that were written to since `began`."""
    now = time.time()
    for folder in folders:
        for place, inner, names in os.walk(folder):
            inner[:] = [name for name in inner if not only.leaves_out(name)]
            for path in (os.path.join(place, name) for name in names):
                try:
                    # One of the future is not written now: it comes from another machine.
                    is_new = began - _SLACK <= os.stat(path).st_mtime <= now + _SLACK
                except OSError:
                    continue
                if is_new and only(None, path):
                    yield path


class _Suffixes:
    """Lets files with certain endings through, outside of folders that hold no sources."""

    _AWAY = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})

    def __init__(self, suffixes: tuple[str, ...]) -> None:
        self._suffixes = suffixes

    def __call__(self, change: object, path: str) -> bool:
        folders = os.path.relpath(path).split(os.sep)[:-1]
        return path.endswith(self._suffixes) and not any(map(self.leaves_out, folders))

    def leaves_out(self, folder: str) -> bool:
        """Whether a folder of this name holds no sources."""
        return folder in self._AWAY or (folder.startswith(".") and folder not in (".", ".."))
