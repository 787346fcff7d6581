"""Notices changes of files, for reloading in development: a process of its own, as it needs threads."""

from __future__ import annotations

import os
import signal
import socket

from eyewall.base.loggers import gen_log
from eyewall.cli.exits import ExitCode
from eyewall.cli.settings import Settings
from eyewall.cli.target import parse

#: Milliseconds between two looks whether the supervisor is still there.
_LOOK = 1000
#: File names in one message.
_MOST_NAMES = 3


def watch(settings: Settings, line: socket.socket, supervisor: int) -> int:
    """Says on `line` which files have changed, a line for each batch, until the supervisor is gone.

    `supervisor`: its process id. Returns the exit code.
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
    for changes in watchfiles.watch(
        *folders, watch_filter=only, rust_timeout=_LOOK, yield_on_timeout=True, raise_interrupt=False
    ):
        if os.getppid() != supervisor:
            break
        names = sorted({os.path.relpath(path) for _, path in changes})
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


class _Suffixes:
    """Lets files with certain endings through, outside of folders that hold no sources."""

    _AWAY = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})

    def __init__(self, suffixes: tuple[str, ...]) -> None:
        self._suffixes = suffixes

    def __call__(self, change: object, path: str) -> bool:
        folders = os.path.relpath(path).split(os.sep)[:-1]
        if any(name in self._AWAY or (name.startswith(".") and name not in (".", "..")) for name in folders):
            return False
        return path.endswith(self._suffixes)
