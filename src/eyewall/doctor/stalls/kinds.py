"""What a thread does that keeps a loop waiting, from its stack and from what the kernel says of it.

A stack says what the program wanted, the kernel what has come of it. Where both speak, the stack of a library that is
known wins: that SQLite sleeps is of less use to somebody than that it is SQLite. Otherwise the system call decides,
which no library can hide.
"""

from __future__ import annotations

import enum
import signal
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from eyewall.doctor.finding import Subject
from eyewall.doctor.places import Place, is_own
from eyewall.doctor.stalls import kernel
from eyewall.doctor.stalls.kernel import SystemCall
from eyewall.doctor.stalls.stack import Spot, Stack

#: The share of its time in which a thread that computes uses a CPU.
COMPUTES = 0.5


class Kind(enum.Enum):
    """A kind of blocking; its value is the rule of the finding."""

    WAITING = "loop-blocked-waiting"
    IO = "loop-blocked-io"
    COMPUTING = "loop-blocked-computing"
    NATIVE = "loop-blocked-native"
    GARBAGE = "loop-blocked-gc"
    LOGGING = "loop-blocked-logging"
    SIGNAL = "loop-blocked-signal"
    STARVED = "loop-starved"
    THREAD = "loop-blocked-thread"
    #: Somebody debugs the program, the doctor itself is at work, or others have the CPUs: no fault of the program.
    EXCUSED = "excused"


class Doing(NamedTuple):
    """A kind, and what it is in particular, for people: "it sleeps" or "it waits for descriptor 7 (…)"."""

    kind: Kind
    what: str


class Sample(NamedTuple):
    """What was seen in one look, `at` a time: a stack, how many seconds it stands for, what was done and for whom."""

    at: float
    doing: Doing
    stack: Stack
    weight: float
    subject: Subject | None = None
    #: Whether the stack is that of right after this time, in which nobody could look.
    after: bool = False

    @property
    def place(self) -> Place | None:
        """The place of use."""
        return self.stack.place


_DEBUGGERS = ("bdb", "pdb", "pydevd", "_pydevd_bundle", "_pydev_bundle", "debugpy", "ipdb", "pudb", "code")
_LOGGING = {"logging": ("callHandlers", "Handler."), "loguru._handler": ("Handler.",)}
_CHILDREN = ("subprocess",)
_FUTURES = ("Future.result", "Future.exception", "wait", "_AsCompletedFuture", "Executor.map")
_THREADS = {
    "threading": "it waits for another thread",
    "queue": "it waits for a queue that another thread fills",
    "multiprocessing.pool": "it waits for another process",
    "multiprocessing.connection": "it waits for another process",
}
#: Waits for the new thread to run, which is the machine's affair.
_STARTING = ("threading", "Thread.start")
#: Beneath every callback, where it is not known how much is. uvloop has no frames of its own.
_RUNNING = (("asyncio.runners", "Runner.run"), ("asyncio.events", "Handle._run"))
_NAMES = ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getnameinfo", "getfqdn")


def kind_of(
    stack: Stack,
    *,
    share: float,
    held: bool = False,
    call: SystemCall | None = None,
    expression: str = "",
    module: str = "",
) -> Doing:
    """Returns what a thread does.

    `share`: of the time since the last look, that in which it used a CPU. `held`: whether it kept the interpreter all
    that time. `module`: that of the function which `expression` calls.
    """
    spots = stack.spots
    # What a library evaluates within says nothing to somebody who does not know it.
    shown = expression if stack.culprit == len(spots) - 1 else ""
    if any(spot.module.partition(".")[0] in _DEBUGGERS for spot in spots):
        return Doing(Kind.EXCUSED, "a debugger has stopped it")
    if _is_examined(spots):
        return Doing(Kind.EXCUSED, "the doctor looks at the program")
    if any((spot.module, spot.place.function) == _STARTING for spot in spots) and share < COMPUTES:
        return Doing(Kind.EXCUSED, "a thread that it has started has not got a CPU yet")
    handled = next((spot.handles for spot in spots if spot.handles), 0)
    if handled:
        return Doing(Kind.SIGNAL, f"the handler of {_signal(handled)} runs")
    if any(_logs(spot) for spot in spots):
        return Doing(Kind.LOGGING, f"a logging handler writes{_to(call)}")
    if held and spots and spots[-1].module == "selectors":
        # It was about to go on, and could not.
        return Doing(Kind.THREAD, "another thread keeps the interpreter")
    if held:
        return Doing(Kind.NATIVE, f"a call of C keeps the interpreter{_in(shown)}")
    if module.partition(".")[0] in ("sqlite3", "_sqlite3"):
        return Doing(Kind.IO, f"it waits for SQLite{_in(shown)}")
    if share >= COMPUTES:
        return Doing(Kind.COMPUTING, "it computes")
    return _waiting(spots, call, expression, shown)


def _waiting(spots: tuple[Spot, ...], call: SystemCall | None, expression: str, shown: str) -> Doing:
    name = "" if call is None else call.name
    if any(spot.module in _CHILDREN for spot in spots) or name in kernel.CHILDREN:
        return Doing(Kind.WAITING, f"it waits for a child process{_in(shown)}")
    for spot in spots:
        if spot.module == "concurrent.futures._base" and spot.place.function.startswith(_FUTURES):
            return Doing(Kind.WAITING, "it waits for the result of a future, in the loop's own thread")
    for spot in reversed(spots):
        if spot.module in _THREADS:
            return Doing(Kind.WAITING, _THREADS[spot.module])
    resolves = any(each in expression for each in _NAMES) or any(
        spot.module == "socket" and spot.place.function in _NAMES for spot in spots
    )
    descriptor = None if call is None else call.descriptor
    if resolves or (descriptor is not None and kernel.is_name_service(descriptor)):
        return Doing(Kind.IO, f"it looks up a name in the network{_in(shown)}")
    if name in kernel.SLEEPS:
        return Doing(Kind.WAITING, f"it sleeps{_in(shown)}")
    if name in kernel.LOCKS:
        return Doing(Kind.WAITING, f"it waits for a lock or another thread{_in(shown)}")
    if call is not None:
        return Doing(Kind.IO, f"it waits for input or output: {name}{_to(call)}{_in(shown)}")
    return Doing(Kind.WAITING, f"it waits{_in(shown)}")


def _is_examined(spots: tuple[Spot, ...]) -> bool:
    """Whether the doctor is at work in a callback of its own.

    In one of the application, it has been called in passing: by a collection of garbage, by whoever puts a callback
    in. There a thread that computes lets others look more often than elsewhere, so that much of a block may look so.
    """
    runs = (index for index, spot in enumerate(spots) if (spot.module, spot.place.function) in _RUNNING)
    spots = spots[max(runs, default=-1) + 1 :]
    return any(_examines(spot) for spot in spots) and not any(is_own(spot.place) for spot in spots)


def _examines(spot: Spot) -> bool:
    # What stands in for the loop's functions is there while the program runs.
    return spot.module.startswith("eyewall.doctor.") and not spot.module.startswith("eyewall.doctor.stalls.")


def _logs(spot: Spot) -> bool:
    functions = _LOGGING.get(spot.module)
    return functions is not None and any(each in spot.place.function for each in functions)


def _to(call: SystemCall | None) -> str:
    if call is None or call.descriptor is None:
        return ""
    return f" on {kernel.describe(call.descriptor)}"


def _in(expression: str) -> str:
    return f" ({expression})" if expression else ""


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def vote(samples: list[Sample]) -> Sample | None:
    """Returns the sample that stands for most of the time: of the kind with most, the place with most, and there what
    was done most of the time."""
    samples = _most(samples, [each.doing.kind for each in samples])
    samples = _most(samples, [each.place for each in samples])
    samples = _most(samples, [each.doing.what for each in samples])
    return max(samples, key=lambda each: each.weight, default=None)


def _most(samples: list[Sample], keys: Sequence[Hashable]) -> list[Sample]:
    """Returns the samples of the key that stands for most of the time."""
    weights: dict[Hashable, float] = {}
    for each, key in zip(samples, keys, strict=True):
        weights[key] = weights.get(key, 0.0) + each.weight
    best = max(weights, key=weights.__getitem__, default=None)
    return [each for each, key in zip(samples, keys, strict=True) if key == best]
