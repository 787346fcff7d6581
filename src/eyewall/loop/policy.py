"""Which event loop a program runs on.

uvloop's where it is installed, asyncio's own otherwise or where the environment says EYEWALL_LOOP=asyncio. A
policy that the program has set itself is respected.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio import AbstractEventLoop, events
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")

KINDS = ("uvloop", "asyncio")


def loop_kind() -> str:
    """Returns what new loops are: 'uvloop' or 'asyncio'.

    Raises ValueError when EYEWALL_LOOP is something else, ImportError when it says uvloop and that is
    missing.
    """
    wanted = os.environ.get("EYEWALL_LOOP") or None
    if wanted is not None and wanted not in KINDS:
        raise ValueError(f"EYEWALL_LOOP is {wanted!r}; it must be one of {', '.join(KINDS)}")
    if wanted == "asyncio":
        return wanted
    try:
        import uvloop  # noqa: F401 - where it is not installed, asyncio's loop serves
    except ImportError:
        if wanted is not None:
            raise
        return "asyncio"
    return "uvloop"


def new_event_loop() -> AbstractEventLoop:
    """Makes a new loop of the best kind there is; it is not made current. Raises as `loop_kind` does."""
    loop: AbstractEventLoop
    if loop_kind() == "asyncio":
        loop = _asyncio_loop()
    else:
        import uvloop  # loaded by loop_kind already

        loop = uvloop.new_event_loop()
    if _prepare is not None:
        _prepare(loop)
    return loop


#: What every new loop is given, by a layer above.
_prepare: Callable[[AbstractEventLoop], object] | None = None


def prepare_with(prepare: Callable[[AbstractEventLoop], object]) -> None:
    """Has every loop that `new_event_loop` makes from now on passed to `prepare`, which gives it what it needs."""
    global _prepare
    _prepare = prepare


def new_policy_loop() -> AbstractEventLoop:
    """Makes a new loop as the program's own policy does, if it has set one; otherwise as `new_event_loop`."""
    policy = get_policy()
    if type(policy) is default_policy_type():
        return new_event_loop()
    loop: AbstractEventLoop = policy.new_event_loop()
    return loop


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """Runs `main` in a new loop and returns its result, as `asyncio.run` does.

    `debug`: asyncio's debug mode, by default as the environment says.
    """
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


@overload
def current_loop() -> AbstractEventLoop: ...


@overload
def current_loop(create: bool) -> AbstractEventLoop | None: ...


def current_loop(create: bool = True) -> AbstractEventLoop | None:
    """Returns this thread's loop: the running one, or else the one that was set as current.

    Where there is none, makes one with `new_policy_loop` and sets it as current, in any thread; or, if
    `create` is false, returns None. Never warns: whether an implicit loop is a good idea is the caller's
    business.
    """
    running = events._get_running_loop()
    if running is not None:
        return running
    policy = get_policy()
    found: AbstractEventLoop | None
    try:
        # Asking the stock policy itself may warn, and make a loop of its own kind.
        found = policy._local._loop
    except AttributeError:
        try:
            found = policy.get_event_loop()
        except RuntimeError:
            found = None
    if found is None and create:
        found = new_policy_loop()
        policy.set_event_loop(found)
    return found


def set_current_loop(loop: AbstractEventLoop | None) -> None:
    """What `asyncio.set_event_loop` does, without warning of policies."""
    get_policy().set_event_loop(loop)


def get_policy() -> Any:
    """What `asyncio.get_event_loop_policy` does, without warning that policies will go."""
    if sys.version_info >= (3, 14):
        return events._get_event_loop_policy()
    return events.get_event_loop_policy()


def install_policy() -> None:
    """Makes the loops of `asyncio.run` and its like what `new_event_loop` makes, in a program with no policy yet.

    One that the program sets afterwards counts. Does nothing once Python has no policies any more.
    """
    if type(get_policy()) is not default_policy_type():
        return
    base: Any = default_policy_type()

    class EyewallEventLoopPolicy(base):  # type: ignore[misc]
        """asyncio's own policy, but for the loops it makes."""

        def new_event_loop(self) -> AbstractEventLoop:
            return new_event_loop()

    # A class of its own each time would be in the way of nobody; there is one process to install it in.
    _set_policy(EyewallEventLoopPolicy())


def _set_policy(policy: Any) -> None:
    if sys.version_info >= (3, 14):
        # The public function warns that policies will go.
        events._set_event_loop_policy(policy)
    else:
        events.set_event_loop_policy(policy)


def default_policy_type() -> type:
    """The class of the policy of a program that has set none."""
    if sys.version_info >= (3, 14):
        # By the name under which it does not warn.
        home = sys.modules["asyncio.windows_events" if sys.platform == "win32" else "asyncio.unix_events"]
        kind: type = home._DefaultEventLoopPolicy
        return kind
    return asyncio.DefaultEventLoopPolicy


def _asyncio_loop() -> AbstractEventLoop:
    """A loop of asyncio's own, whatever the policy."""
    loop: AbstractEventLoop = default_policy_type()().new_event_loop()
    return loop
