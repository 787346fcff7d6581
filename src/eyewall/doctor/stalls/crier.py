"""A handler in C that writes a line and a stack while no thread can run Python. Compiled only: see `crier.pxd`.

The signal comes once a second as long as the interpreter is kept. The first time says nothing: a process that was
stopped finds one signal when it goes on, however long that was, and then its threads run. From the second on, whenever
the count is a power of two, what `faulthandler` dumps into a pipe is read there, a line put before it, and both written
to a descriptor in one go, if that is still the file it was. Nothing else is done but what a handler of signals may do.
"""

from __future__ import annotations

from collections.abc import Callable


def _absent(*_: int) -> int:
    return 0


#: Puts the handler for a signal over that of faulthandler: `cry_at(signal, descriptor, reading, writing)`, the last two
#: being the ends of the pipe that faulthandler dumps into. Returns whether it is there: never if this is not compiled.
cry_at: Callable[[int, int, int, int], int] = _absent
#: Python runs: what comes next is another hold.
calm: Callable[[], int] = _absent
