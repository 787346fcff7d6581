"""Where the sockets are: one for each process, in a folder that only its user can enter.

    $XDG_RUNTIME_DIR/eyewall/PID.sock       where there is such a directory, which service managers and logins make
    /tmp/eyewall-UID/PID.sock               otherwise

`/tmp` is everybody's. Whoever is first there may have made a folder of that name, or a symbolic link; so the folder is
opened without following links, and what counts is what was opened: it must be a folder, and ours. Everything is then
done relative to the open folder, which also spares us the short limit on the length of a socket's path.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from eyewall.base.errors import EyewallError

_NAME = re.compile(r"([1-9][0-9]{0,9})\.sock")
_SHARED = "/tmp"  # noqa: S108 - see above
_FILES = "/proc/self/fd"


class UnsafePlace(EyewallError, OSError):
    """The folder for sockets belongs to somebody else, or is something else; the text says which."""


def name_of(pid: int) -> str:
    """Returns the name of the socket of process `pid`, within its folder."""
    return f"{pid}.sock"


def folders(user: int) -> list[str]:
    """Returns where the sockets of a user's processes may be, the likeliest first."""
    found = []
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if user == os.geteuid() and os.path.isabs(runtime):
        found.append(os.path.join(runtime, "eyewall"))
    found.append(f"/run/user/{user}/eyewall")
    found.append(f"{_SHARED}/eyewall-{user}")
    return list(dict.fromkeys(found))


def own_folder() -> str:
    """Returns where the sockets of this user's processes are made."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and os.access(runtime, os.W_OK | os.X_OK):
        return os.path.join(runtime, "eyewall")
    return f"{_SHARED}/eyewall-{os.geteuid()}"


@contextmanager
def opened(folder: str, user: int, *, make: bool = False) -> Iterator[int]:
    """Opens a folder of `user`'s; with `make`, it is made where it is not there. Yields its descriptor.

    Raises UnsafePlace where it is not a folder of that user's alone, OSError where it can't be opened or made.
    """
    if make:
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            # Made by an earlier process, or by somebody else: that shows below.
            pass
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise UnsafePlace(error.errno, "it is a link, or no folder", folder) from None
        raise
    try:
        status = os.fstat(descriptor)
        if status.st_uid != user:
            raise UnsafePlace(errno.EPERM, f"it belongs to user {status.st_uid}, not to {user}", folder)
        if stat.S_IMODE(status.st_mode) & 0o077:
            if not make:
                raise UnsafePlace(errno.EPERM, "others can enter it", folder)
            os.fchmod(descriptor, 0o700)
        yield descriptor
    finally:
        os.close(descriptor)


def listen(folder: int, path: str, pid: int, backlog: int) -> socket.socket:
    """Returns a listening socket for process `pid` in the open folder `folder`, whose path is `path`.

    What a process with the same number has left behind is replaced. Raises OSError.
    """
    partial = f"{pid}.{os.urandom(4).hex()}.new"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(_within(folder, path, partial))
        try:
            os.chmod(partial, 0o600, dir_fd=folder)
            listening.listen(backlog)
            # Whoever finds it can connect.
            os.rename(partial, name_of(pid), src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(partial, dir_fd=folder)
            raise
    except BaseException:
        listening.close()
        raise
    return listening


def connect(folder: int, path: str, pid: int, timeout: float) -> socket.socket:
    """Returns a connection to the socket of process `pid`. Raises OSError where there is none, or nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(_within(folder, path, name_of(pid)))
    except BaseException:
        connection.close()
        raise
    return connection


def present(folder: int) -> list[int]:
    """Returns the processes that have a socket in the open folder; some may have ended."""
    return sorted(int(match[1]) for name in os.listdir(folder) if (match := _NAME.fullmatch(name)))


def remove(folder: int, pid: int, inode: int | None = None) -> None:
    """Removes the socket of process `pid` from the open folder, if it is still the one with this `inode`."""
    name = name_of(pid)
    try:
        if inode is None or os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino == inode:
            os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        # Somebody has cleaned up before.
        return


def sweep(folder: int) -> None:
    """Removes what processes that ended without a chance to clean up have left behind."""
    for pid in present(folder):
        if not is_alive(pid):
            remove(folder, pid)


def is_alive(pid: int) -> bool:
    """Whether there is a process `pid`."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Somebody else's.
        return True
    return True


def inode_of(folder: int, pid: int) -> int:
    """Returns what tells the socket of process `pid` from another of the same name. Raises OSError."""
    return os.stat(name_of(pid), dir_fd=folder, follow_symlinks=False).st_ino


def _within(folder: int, path: str, name: str) -> str:
    # Where there is no /proc, the path has to be short.
    return f"{_FILES}/{folder}/{name}" if os.path.isdir(_FILES) else os.path.join(path, name)
