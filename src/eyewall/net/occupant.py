"""Who listens on a port: for the message that it is taken.

Linux says so in `/proc`, for processes of the same user; elsewhere nobody is named.
"""

from __future__ import annotations

import os
from pathlib import Path

_LISTENING = "0A"
#: Looking is bounded: a message is not worth more.
_MOST_PROCESSES = 5000
_MOST_DESCRIPTORS = 5000


def occupant_of(port: int, proc: str = "/proc") -> str:
    """Returns `name (pid 123)` of a process that listens on TCP `port`, or "" where that can't be seen."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port, Path(proc))}
    if not wanted:
        return ""
    try:
        processes = [entry for entry in os.listdir(proc) if entry.isdigit()]
    except OSError:
        return ""
    for process in processes[:_MOST_PROCESSES]:
        folder = Path(proc, process)
        try:
            descriptors = os.listdir(folder / "fd")
            for descriptor in descriptors[:_MOST_DESCRIPTORS]:
                if os.readlink(folder / "fd" / descriptor) in wanted:
                    return f"{(folder / 'comm').read_text().strip()} (pid {process})"
        except OSError:
            # It is another user's, or has ended.
            continue
    return ""


def _inodes(port: int, proc: Path) -> set[str]:
    """Returns the inodes of the sockets that listen on `port` (proc_net_tcp(5))."""
    found = set()
    ending = f":{port:04X}"
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / name).read_text().splitlines()
        except OSError:
            continue
        for line in lines[1:]:
            columns = line.split()
            if len(columns) > 9 and columns[1].endswith(ending) and columns[3] == _LISTENING:
                found.add(columns[9])
    return found
