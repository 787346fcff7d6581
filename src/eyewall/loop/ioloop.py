"""The event loop of Tornado programs: an asyncio loop under the names that Tornado gave it.

`IOLoop` is the interface, and what of it can be said without knowing the loop beneath. The rest is in
`eyewall.loop.aioloop`, whose classes are what `IOLoop()` and `IOLoop.current()` make.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
import traceback
import warnings
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, SupportsFloat, TypeVar, overload

from eyewall.base import probe
from eyewall.base.configurable import Configurable
from eyewall.base.loggers import app_log, gen_log
from eyewall.base.objects import import_object
from eyewall.loop.concurrent import Future, is_future
from eyewall.loop.policy import current_loop, set_current_loop
from eyewall.loop.yielded import BadYieldError, convert_yielded

if TYPE_CHECKING:
    import datetime

T = TypeVar("T")


def _number(deadline: object) -> float:
    # Whatever says that it is a number: numpy's and fractions, too, but no text.
    if not isinstance(deadline, (float, int)) and not isinstance(deadline, SupportsFloat):
        raise TypeError(f"Unsupported deadline {deadline!r}")
    return float(deadline)


class Selectable(Protocol):
    """What a handler may be registered for, besides a plain descriptor."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class IOLoop(Configurable):
    """An event loop for I/O, callbacks and timeouts.

    It is a view of an asyncio loop (`asyncio_loop`) and shares it with everything else that runs there. The
    usual program gets it with `IOLoop.current()`, or runs on `asyncio.run` and has no need for it at all.

    `IOLoop()` makes a loop of its own and sets it as this thread's current one, unless `make_current` is
    false; `IOLoop(asyncio_loop=loop)` is a view of a given one.

    Everything but `add_callback` and `add_callback_from_signal` is to be called in the thread of the loop.
    """

    #: The events that handlers wait for; they combine with `|`.
    NONE = 0
    READ = 0x001
    WRITE = 0x004
    ERROR = 0x018

    #: The view of each asyncio loop that has one.
    _ioloop_for_asyncio: ClassVar[dict[asyncio.AbstractEventLoop, IOLoop]] = {}

    #: What `IOLoop()` and `IOLoop.current()` instantiate, and what both derive from. `eyewall.loop.aioloop`,
    #: which stands above this module, fills them in.
    _own_kind: ClassVar[type[IOLoop]]
    _view_kind: ClassVar[type[IOLoop]]
    _common_kind: ClassVar[type[IOLoop]]

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Chooses the class that `IOLoop()` makes: `impl`, or its dotted name; it must be one over asyncio
        (else RuntimeError).

        None is the default class. `kwargs` are for its `initialize`.
        """
        chosen = import_object(impl) if isinstance(impl, str) else impl
        if isinstance(chosen, type) and not issubclass(chosen, IOLoop._common_kind):
            raise RuntimeError("only AsyncIOLoop is allowed when asyncio is available")
        super().configure(chosen, **kwargs)

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return IOLoop

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return IOLoop._own_kind

    def initialize(self, make_current: bool = True) -> None:
        if make_current:
            self._become_current()

    # -- which loop -------------------------------------------------------------------------------------

    @staticmethod
    def instance() -> IOLoop:
        """The same as `current`, from the time when a process had one main loop."""
        return IOLoop.current()

    def install(self) -> None:
        """The same as `make_current`. Deprecated."""
        warnings.warn(
            "make_current is deprecated; start the event loop first", DeprecationWarning, stacklevel=2
        )
        self._become_current()

    @staticmethod
    def clear_instance() -> None:
        """The same as `clear_current`. Deprecated."""
        warnings.warn("clear_current is deprecated", DeprecationWarning, stacklevel=2)
        IOLoop._clear_current()

    @overload
    @staticmethod
    def current() -> IOLoop: ...

    @overload
    @staticmethod
    def current(instance: bool = True) -> IOLoop | None: ...

    @staticmethod
    def current(instance: bool = True) -> IOLoop | None:
        """Returns the loop of this thread: the one that runs, or else the one that was made current.

        Where there is none it makes one and sets it as current, or with `instance` false returns None. (To
        call this while no loop runs is deprecated.)
        """
        loop = current_loop(create=instance)
        if loop is None:
            return None
        view = IOLoop._ioloop_for_asyncio.get(loop)
        if view is None and instance:
            view = IOLoop._view_kind(asyncio_loop=loop, make_current=False)
        return view

    def make_current(self) -> None:
        """Makes this the loop of the current thread, whether or not it runs. Deprecated."""
        warnings.warn(
            "make_current is deprecated; start the event loop first", DeprecationWarning, stacklevel=2
        )
        self._become_current()

    def _become_current(self) -> None:
        raise NotImplementedError

    @staticmethod
    def clear_current() -> None:
        """Leaves the current thread without a loop. Deprecated."""
        warnings.warn("clear_current is deprecated", DeprecationWarning, stacklevel=2)
        IOLoop._clear_current()

    @staticmethod
    def _clear_current() -> None:
        former = IOLoop.current(instance=False)
        set_current_loop(None)
        if former is not None:
            former._left_current()

    def _left_current(self) -> None:
        """Told that it is not the current loop any more."""

    # -- running ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Runs the loop until `stop` is called. Raises RuntimeError when it runs already."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends `start` after the current turn; of a loop that does not run, the next start."""
        raise NotImplementedError

    def run_sync(self, func: Callable[[], Any], timeout: float | None = None) -> Any:
        """Calls `func` on the loop, runs the loop until what it returned is there, and returns that.

        `func` takes no arguments and returns a yieldable, most often a coroutine, or None. Its exceptions are
        raised here. RuntimeError is raised when the loop is stopped before.

        After `timeout` seconds the operation is cancelled and TimeoutError raised, which says where the loop
        was blocked if it was. It is raised, too, where a blocked loop kept the operation from ending in time.
        """
        raise NotImplementedError

    def set_blocking_log_threshold(self, seconds: float | None) -> None:
        """Logs the stack of whatever blocks the loop for more than `seconds`; None ends that.

        A thread looks; nothing is logged while the loop waits for events. `enable_stack_logging` does this for all
        loops of a program.
        """
        self.set_blocking_signal_threshold(seconds, self.log_stack)

    def set_blocking_signal_threshold(
        self, seconds: float | None, action: Callable[[int, FrameType | None], Any] | int | None
    ) -> None:
        """Calls `action` when the loop is blocked for more than `seconds`; None for `seconds` ends that.

        `action` takes the arguments of a handler of SIGALRM, the number of that signal and the frame that blocks,
        but it is called in a thread of its own: no signal interrupts the program. Without one (None, or
        `signal.SIG_DFL`) the stack is logged and the process ended by SIGALRM. `signal.SIG_IGN` does nothing.
        """
        raise NotImplementedError

    def log_stack(self, signal: int, frame: FrameType | None) -> None:
        """Logs the stack that ends in `frame` as the one that blocks the loop; an `action`, which has no use
        for `signal`.
        """
        if frame is not None:
            gen_log.warning(
                "IOLoop blocked at %s:%d in %s\n%s",
                frame.f_code.co_filename,
                frame.f_lineno,
                frame.f_code.co_name,
                "".join(traceback.format_stack(frame)).rstrip(),
            )

    def close(self, all_fds: bool = False) -> None:
        """Frees what the loop uses. It must be stopped, which means `start` has returned.

        With `all_fds`, every descriptor and file object that has a handler is closed, too.
        """
        raise NotImplementedError

    # -- input and output -------------------------------------------------------------------------------

    def add_handler(self, fd: int | Selectable, handler: Callable[..., None], events: int) -> None:
        """Calls `handler(fd, events)` whenever one of `events` is there, until the handler is removed.

        `fd` is a descriptor, or an object with `fileno` and `close`, which the handler then gets as it is.
        Raises ValueError for one that has a handler already. Remove the handler before closing the file.
        """
        raise NotImplementedError

    def update_handler(self, fd: int | Selectable, events: int) -> None:
        """Changes the events that the handler of `fd` waits for. Raises OSError if it has none."""
        raise NotImplementedError

    def remove_handler(self, fd: int | Selectable) -> None:
        """Stops waiting for events on `fd`. Without a handler for it, nothing happens."""
        raise NotImplementedError

    def split_fd(self, fd: int | Selectable) -> tuple[int, int | Selectable]:
        """Returns the descriptor of `fd`, and `fd`."""
        return (fd if isinstance(fd, int) else fd.fileno()), fd

    def close_fd(self, fd: int | Selectable) -> None:
        """Closes `fd`, whether it is a descriptor or an object. One that is closed already is no error."""
        close = functools.partial(os.close, fd) if isinstance(fd, int) else fd.close
        with suppress(OSError):
            close()

    # -- time -------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Returns the time that deadlines refer to, in seconds: `time.time()`."""
        return time.time()

    def add_timeout(
        self, deadline: float | datetime.timedelta, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> object:
        """Calls `callback` at `deadline`, which is a time of this loop's clock or a timedelta from now.

        Returns a handle for `remove_timeout`. Raises TypeError for another kind of deadline.
        """
        if not isinstance(deadline, (float, int)):
            # Most programs never load it.
            import datetime

            if isinstance(deadline, datetime.timedelta):
                return self.call_later(deadline.total_seconds(), callback, *args, **kwargs)
        return self.call_at(_number(deadline), callback, *args, **kwargs)

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
        """Calls `callback` in `delay` seconds. Returns a handle for `remove_timeout`."""
        return self.call_at(self.time() + delay, callback, *args, **kwargs)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
        """Calls `callback` when this loop's clock says `when`. Returns a handle for `remove_timeout`."""
        raise NotImplementedError

    def remove_timeout(self, timeout: object) -> None:
        """Cancels a timeout, by its handle. One that has been called, or cancelled, is no error."""
        raise NotImplementedError

    # -- callbacks --------------------------------------------------------------------------------------

    def add_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Calls `callback` on the next turn of the loop.

        May be called from any thread. If the callback returns a yieldable, that is waited for. What either
        raises is logged. A closed loop drops the callback.
        """
        raise NotImplementedError

    def add_callback_from_signal(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """What `add_callback` does with `callback`, callable from a signal handler. Deprecated."""
        raise NotImplementedError

    def spawn_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """The same as `add_callback`: calls `callback` on the next turn of the loop."""
        self.add_callback(callback, *args, **kwargs)

    def add_future(self, future: Any, callback: Callable[[Any], Any]) -> None:
        """Calls `callback` with `future`, a future of either kind, on the loop when the future is done.

        What the callback raises is logged.
        """
        if isinstance(future, Future):
            future.add_done_callback(functools.partial(self._run_with_future, callback))
        elif is_future(future):
            future.add_done_callback(functools.partial(self.add_callback, callback))
        else:
            raise AssertionError(f"add_future takes futures, not {future!r}")

    def _run_with_future(self, callback: Callable[[Any], Any], future: Any) -> None:
        self._run_callback(callback, future)

    def _run_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Calls `callback` where nobody above would take care of its exceptions."""
        try:
            result = callback(*args, **kwargs)
            if result is not None:
                self._take_care_of(callback, result)
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - logged, whatever it is: the loop goes on
            self._log_callback_error(callback, error)

    def _take_care_of(self, callback: Callable[..., Any], result: Any) -> None:
        """Sees to it that what a callback returned runs, and that its exception is logged."""
        try:
            future = convert_yielded(result)
        except BadYieldError:
            # A callback may return anything; only what can be waited for is of interest.
            return
        if future.done():
            self._look_at(callback, future)
        elif isinstance(future, futures.Future):
            future.add_done_callback(functools.partial(self.add_callback, self._look_at, callback))
        else:
            future.add_done_callback(functools.partial(self._look_at, callback))

    def _look_at(self, callback: Callable[..., Any], future: Any) -> None:
        try:
            future.result()
        except (asyncio.CancelledError, futures.CancelledError):
            pass
        except Exception as error:  # noqa: BLE001 - as in _run_callback
            self._log_callback_error(callback, error)

    def _log_callback_error(self, callback: Callable[..., Any], error: BaseException) -> None:
        app_log.error("Exception in callback %r", callback, exc_info=error)
        fire = probe.callback_error.fire
        if fire is not None:
            fire(callback, error)

    # -- executors --------------------------------------------------------------------------------------

    def run_in_executor(
        self, executor: futures.Executor | None, func: Callable[..., T], *args: Any
    ) -> Future[T]:
        """Calls the blocking `func` on `executor`, by default the loop's, and returns a future for its
        result.
        """
        raise NotImplementedError

    def set_default_executor(self, executor: futures.Executor) -> None:
        """Sets what `run_in_executor` uses when it is given None: `executor`."""
        raise NotImplementedError
