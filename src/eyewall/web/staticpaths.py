"""Where a static file is, and whether it may be served. Everything that touches the disk here blocks.

The rule: what is served lies, after every symbolic link is followed, in the root or in a directory that the
application has allowed instead. It is checked before anything is said about whether a file exists, so that no
answer depends on what lies outside.
"""

from __future__ import annotations

import errno
import io
import ntpath
import os
import stat
from collections.abc import Sequence

from eyewall.base.loggers import gen_log
from eyewall.web.errors import HTTPError

#: Directories that links may lead to: one, several, or None for the root itself.
Allowed = str | Sequence[str] | None

_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
#: A file that is not there, or can't be: too long a name, links in a circle.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
#: Opening a pipe or a device must not wait for its other end; a link is not followed, since none is left.
_OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
)
_OPEN_FLAGS |= getattr(os, "O_BINARY", 0)


class NeedsSlash(Exception):
    """The path is a directory's and has to end with a slash, so that links on its page lead to the right
    places."""


def lies_in(path: str, directory: str) -> bool:
    """Tells whether the absolute `path` is `directory` or below it, by their names alone."""
    ending = directory if directory.endswith(os.path.sep) else directory + os.path.sep
    return (path + os.path.sep).startswith(ending)


def names_stream(path: str) -> bool:
    """Tells whether Windows would take `path` for an alternate data stream: a colon behind the drive."""
    return ":" in ntpath.splitdrive(path)[1]


def outside(shown: str) -> HTTPError:
    """The answer for what may not be served, whether it exists or not."""
    return HTTPError(403, "%s is not in root static directory", shown)


def no_file(shown: str) -> HTTPError:
    """The answer for what exists but is no regular file."""
    return HTTPError(403, "%s is not a file", shown)


def absolute(root: str, path: str) -> str:
    """Returns the absolute path that `path`, from a URL, means below `root`.

    Raises HTTPError (403) where that is outside of it, by its name alone.
    """
    found = os.path.abspath(os.path.join(root, path))
    if not lies_in(found, os.path.abspath(root)):
        raise outside(path)
    if os.name == "nt" and names_stream(found):
        raise no_file(path)
    return found


def _resolved(path: str, directories: Sequence[str], shown: str) -> str:
    """Follows links. Raises HTTPError: 403 where they leave `directories`, 404 for what can't be a path."""
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError) as error:
        # Too deep, or a null byte.
        raise HTTPError(404) from error
    if not any(lies_in(real, os.path.realpath(directory)) for directory in directories):
        raise outside(shown)
    return real


def locate(
    root: str, path: str, shown: str, allowed: Allowed, default_filename: str | None, slash: bool
) -> str:
    """Returns the file to serve for the absolute `path`: resolved, and within bounds.

    `shown` is the path as log lines name it. A directory stands for its `default_filename`, if there is one;
    then `slash` tells whether the URL ends with a slash. Raises HTTPError (403 or 404), and NeedsSlash.
    """
    root = os.path.abspath(root)
    if not lies_in(path, root):
        raise outside(shown)
    if os.name == "nt" and names_stream(path):
        raise no_file(shown)
    directories = [root] if allowed is None else [allowed] if isinstance(allowed, str) else list(allowed)
    real = _resolved(path, directories, shown)
    mode = _mode(real)
    if stat.S_ISDIR(mode) and default_filename is not None:
        if not slash:
            raise NeedsSlash
        real = _resolved(os.path.join(real, default_filename), directories, shown)
        mode = _mode(real)
    if not stat.S_ISREG(mode):
        raise no_file(shown)
    return real


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode
    except OSError as error:
        raise _refusal(error) from error
    except ValueError as error:
        # A null byte, where a link in a circle has kept `realpath` from seeing it.
        raise HTTPError(404) from error


def check_regular(path: str, shown: str) -> None:
    """Raises HTTPError (403 or 404) unless `path`, links followed, is a regular file."""
    if not stat.S_ISREG(_mode(path)):
        raise no_file(shown)


def open_regular(path: str, shown: str) -> tuple[io.FileIO, os.stat_result]:
    """Opens a resolved path. Returns the file, to be closed by the caller, and what it is.

    Raises HTTPError: 404 and 403 for what is absent, unreadable or no regular file, 503 without descriptors.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except OSError as error:
        raise _refusal(error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise no_file(shown)
        return io.FileIO(descriptor, "rb"), status
    except BaseException:
        os.close(descriptor)
        raise


def _refusal(error: OSError) -> HTTPError:
    """The answer for a path that can't be looked at or opened."""
    if error.errno in _ABSENT:
        return HTTPError(404)
    if error.errno in _OUT_OF_DESCRIPTORS:
        return HTTPError(503, "Static file not opened: %s", error.strerror)
    gen_log.warning("Could not open static file %r: %s", error.filename, error.strerror)
    return HTTPError(403)
