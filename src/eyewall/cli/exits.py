"""What `eyewall` ends with: one number for each kind of end, and the error that carries it.

Numbers above 128 are 128 plus the number of the signal that ended it at once.
"""

from __future__ import annotations

import enum

from eyewall.base.errors import EyewallError


class ExitCode(enum.IntEnum):
    """The exit codes of `eyewall run`; the comments are the documentation."""

    #: Everything that was begun was finished.
    DONE = 0
    #: Something nobody foresaw; there is a traceback.
    FAILED = 1
    #: The command line or the environment says something that can't be meant.
    USAGE = 2
    #: The application can't be loaded, or is nothing that can be served.
    TARGET = 3
    #: An address can't be listened on.
    ADDRESS = 4
    #: The certificate, the key or the authorities can't be used.
    TLS = 5
    #: Work was cut off when the time for finishing it was over.
    CUT = 6
    #: Processes kept ending just after they were started.
    WORKERS = 7


#: With these it is no use to start the same process again.
HOPELESS = frozenset({ExitCode.USAGE, ExitCode.TARGET, ExitCode.ADDRESS, ExitCode.TLS})


class StartError(EyewallError):
    """The server can't be started; the message says why and what can be done, `code` is the exit code."""

    def __init__(self, code: ExitCode, message: str) -> None:
        self.code = code
        super().__init__(message)


def describe(status: int) -> str:
    """Returns what a status of `os.waitpid` says, in words."""
    # Names of signals are in a module that starts an enumeration of its own; errors are rare.
    import os
    import signal

    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return f"was killed by {name}" + (" and left a core" if os.WCOREDUMP(status) else "")
    return f"ended with exit code {os.waitstatus_to_exitcode(status)}"
