"""IOLoop over an asyncio loop: the public names of `tornado.platform.asyncio` that are loops.

`AsyncIOLoop` makes the asyncio loop it runs on and owns it; `AsyncIOMainLoop` is a view of one that exists.
Where the asyncio loop cannot watch descriptors (the proactor loop of Windows), a thread does it for it.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import signal
import warnings
from collections.abc import Callable
from concurrent import futures
from types import FrameType
from typing import Any, ClassVar, TypeVar

from eyewall.base import probe
from eyewall.loop.belongings import close_belongings
from eyewall.loop.blocking import BlockingWatch
from eyewall.loop.concurrent import Future
from eyewall.loop.ioloop import IOLoop, Selectable
from eyewall.loop.policy import current_loop, new_policy_loop, set_current_loop
from eyewall.loop.selector import AddThreadSelectorEventLoop
from eyewall.loop.witness import Witness
from eyewall.loop.yielded import convert_yielded

T = TypeVar("T")

#: Seconds that `run_sync` gives a cancelled operation to clean up before it stops waiting for it.
CANCEL_GRACE = 1.0


class BaseAsyncIOLoop(IOLoop):
    """What is the same whether or not the asyncio loop is our own."""

    #: The loop that everything runs on, and the one that watches descriptors; mostly the same.
    asyncio_loop: asyncio.AbstractEventLoop
    selector_loop: Any
    #: For each descriptor: what it was registered as, and the function to call.
    handlers: dict[int, tuple[int | Selectable, Callable[..., None]]]
    #: The descriptors that are watched for either kind of event.
    readers: set[int]
    writers: set[int]
    #: The loop is closed, or being closed.
    closing: bool
    #: Who looks whether the loop is blocked, if anybody does.
    _watch_for_blocks: BlockingWatch | None
    #: Seconds after which each new loop counts as blocked, see `enable_stack_logging`.
    _stack_threshold: ClassVar[float | None] = None
    #: Within `start`: whether `stop` was called since. None elsewhere.
    _stop_called: bool | None

    def initialize(  # type: ignore[override]
        self, asyncio_loop: asyncio.AbstractEventLoop, **kwargs: Any
    ) -> None:
        """Raises RuntimeError where another IOLoop is a view of the same asyncio loop."""
        views = IOLoop._ioloop_for_asyncio
        # Loops that were closed behind our back would be kept forever.
        for loop in tuple(views):
            if loop.is_closed():
                views.pop(loop, None)
        other = views.setdefault(asyncio_loop, self)
        if other is not self:
            raise RuntimeError(f"IOLoop {other} already associated with asyncio loop {asyncio_loop}")
        self.asyncio_loop = asyncio_loop
        self.selector_loop = asyncio_loop
        self.handlers = {}
        self.readers = set()
        self.writers = set()
        self.closing = False
        self._stop_called = None
        self._watch_for_blocks = None
        if not _watches_descriptors(asyncio_loop):
            self.selector_loop = AddThreadSelectorEventLoop(asyncio_loop)  # type: ignore[abstract]
        super().initialize(**kwargs)
        if BaseAsyncIOLoop._stack_threshold is not None:
            self.set_blocking_log_threshold(BaseAsyncIOLoop._stack_threshold)

    def start(self) -> None:
        if self.asyncio_loop.is_running():
            raise RuntimeError("This event loop is already running")
        self._stop_called = False
        try:
            self.asyncio_loop.run_forever()
        finally:
            self._stop_called = None

    def stop(self) -> None:
        if self._stop_called:
            # uvloop ends one run for each call, so a second one would end a later run.
            return
        if self._stop_called is not None:
            self._stop_called = True
        self.asyncio_loop.stop()

    def close(self, all_fds: bool = False) -> None:
        if self.closing:
            return
        self.closing = True
        self._end_watch()
        for descriptor, (registered, _) in tuple(self.handlers.items()):
            self.remove_handler(descriptor)
            if all_fds:
                self.close_fd(registered)
        if all_fds:
            close_belongings(self.asyncio_loop)
        # Not after closing: the loop is the key, and must not come to mean a new one meanwhile.
        IOLoop._ioloop_for_asyncio.pop(self.asyncio_loop, None)
        if self.selector_loop is not self.asyncio_loop:
            self.selector_loop.close()
        self.asyncio_loop.close()

    def run_sync(self, func: Callable[[], Any], timeout: float | None = None) -> Any:
        loop = self.asyncio_loop
        if timeout is None:
            return loop.run_until_complete(_call(func))
        task = loop.create_task(_call(func))
        # As run_until_complete does it: if the task does not end, an exception says so.
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = task.cancel()
            if expired:
                loop.call_later(CANCEL_GRACE, give_up)

        def give_up() -> None:
            if not task.done():
                loop.stop()

        with Witness(timeout) as witness:
            task.add_done_callback(witness.note_end)
            handle = loop.call_later(timeout, expire)
            try:
                result = loop.run_until_complete(task)
            except (asyncio.CancelledError, RuntimeError):
                # The end of the operation by our own doing, or by somebody else's.
                if not expired or (task.done() and not task.cancelled()):
                    raise
            else:
                if not expired and not witness.was_late():
                    return result
            finally:
                handle.cancel()
            raise TimeoutError(f"Operation timed out after {timeout} seconds{witness.blame()}")

    # -- blocking ---------------------------------------------------------------------------------------

    def set_blocking_signal_threshold(
        self, seconds: float | None, action: Callable[[int, FrameType | None], Any] | int | None
    ) -> None:
        self._end_watch()
        if seconds is None or action == signal.SIG_IGN:
            return
        number = getattr(signal, "SIGALRM", 0)

        def report(_: float, frame: FrameType) -> None:
            if callable(action):
                action(number, frame)
                return
            self.log_stack(number, frame)
            signal.raise_signal(number or signal.SIGTERM)

        self._watch_for_blocks = BlockingWatch(self.asyncio_loop, seconds, report)
        self._watch_for_blocks.start()

    def _end_watch(self) -> None:
        watch, self._watch_for_blocks = self._watch_for_blocks, None
        if watch is not None:
            watch.stop()

    # -- input and output -------------------------------------------------------------------------------

    def add_handler(self, fd: int | Selectable, handler: Callable[..., None], events: int) -> None:
        descriptor, registered = self.split_fd(fd)
        if descriptor in self.handlers:
            raise ValueError(f"fd {descriptor} added twice")
        self.handlers[descriptor] = (registered, handler)
        try:
            self._watch(descriptor, events)
        except BaseException:
            self.remove_handler(descriptor)
            raise

    def update_handler(self, fd: int | Selectable, events: int) -> None:
        descriptor, _ = self.split_fd(fd)
        if descriptor not in self.handlers:
            raise OSError(errno.ENOENT, f"fd {descriptor} has no handler to update")
        self._watch(descriptor, events)

    def remove_handler(self, fd: int | Selectable) -> None:
        descriptor, _ = self.split_fd(fd)
        if descriptor < 0:
            # A file object that was closed too early does not know its descriptor any more.
            descriptor = next((number for number, entry in self.handlers.items() if entry[0] is fd), -1)
        if self.handlers.pop(descriptor, None) is not None:
            self._watch(descriptor, IOLoop.NONE)

    def _watch(self, descriptor: int, events: int) -> None:
        """Makes the loop wait for `events` on `descriptor`, no more and no less."""
        for event, watched, add, remove in (
            (IOLoop.READ, self.readers, self.selector_loop.add_reader, self.selector_loop.remove_reader),
            (IOLoop.WRITE, self.writers, self.selector_loop.add_writer, self.selector_loop.remove_writer),
        ):
            if not events & event:
                if descriptor in watched:
                    watched.discard(descriptor)
                    remove(descriptor)
            elif descriptor not in watched:
                add(descriptor, self._on_event, descriptor, event)
                watched.add(descriptor)

    def _on_event(self, descriptor: int, event: int) -> None:
        entry = self.handlers.get(descriptor)
        # A handler that ran before this one, in the same turn, may have removed it.
        if entry is not None:
            entry[1](entry[0], event)

    # -- time -------------------------------------------------------------------------------------------

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
        call = functools.partial(self._run_callback, callback, *args, **kwargs)
        return self.asyncio_loop.call_later(max(0.0, delay), call)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
        # The two clocks tick differently: only a difference can be carried over.
        return self.call_later(when - self.time(), callback, *args, **kwargs)

    def remove_timeout(self, timeout: object) -> None:
        timeout.cancel()  # type: ignore[attr-defined]

    # -- callbacks --------------------------------------------------------------------------------------

    def add_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        fire = probe.callback_scheduled.fire
        if fire is not None:
            fire(callback)
        call = functools.partial(self._run_callback, callback, *args, **kwargs)
        if asyncio._get_running_loop() is self.asyncio_loop:
            schedule = self.asyncio_loop.call_soon
        else:
            schedule = self.asyncio_loop.call_soon_threadsafe
        try:
            schedule(call)
        except RuntimeError:
            # The loop may be closed by its own thread at any time, up to here.
            if not (self.closing or self.asyncio_loop.is_closed()):
                raise

    def add_callback_from_signal(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        warnings.warn("add_callback_from_signal is deprecated", DeprecationWarning, stacklevel=2)
        call = functools.partial(self._run_callback, callback, *args, **kwargs)
        self.asyncio_loop.call_soon_threadsafe(call)

    # -- executors --------------------------------------------------------------------------------------

    def run_in_executor(
        self, executor: futures.Executor | None, func: Callable[..., T], *args: Any
    ) -> Future[T]:
        return self.asyncio_loop.run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: futures.Executor) -> None:
        self.asyncio_loop.set_default_executor(executor)

    def _become_current(self) -> None:
        set_current_loop(self.asyncio_loop)


class AsyncIOMainLoop(BaseAsyncIOLoop):
    """A view of an asyncio loop that exists: the given one, or this thread's current one."""

    def initialize(  # type: ignore[override]
        self, **kwargs: Any
    ) -> None:
        loop = kwargs.pop("asyncio_loop", None)
        super().initialize(loop if loop is not None else current_loop(), **kwargs)

    def make_current(self) -> None:
        """Nothing to do: what is current is the asyncio loop."""

    def _become_current(self) -> None:
        pass


class AsyncIOLoop(BaseAsyncIOLoop):
    """A loop of its own, over a new asyncio loop unless one is given; closing it closes that, too."""

    #: This loop is what it set the thread's current asyncio loop to.
    is_current: bool
    #: What the thread's current asyncio loop was before.
    old_asyncio: asyncio.AbstractEventLoop | None

    def initialize(  # type: ignore[override]
        self, **kwargs: Any
    ) -> None:
        self.is_current = False
        self.old_asyncio = None
        given = kwargs.pop("asyncio_loop", None)
        loop = given if given is not None else new_policy_loop()
        try:
            super().initialize(loop, **kwargs)
        except BaseException:
            if given is None:
                loop.close()
            raise

    def close(self, all_fds: bool = False) -> None:
        if self.is_current and current_loop(create=False) is self.asyncio_loop:
            former = self.old_asyncio
            set_current_loop(former if former is not None and not former.is_closed() else None)
        self._left_current()
        super().close(all_fds=all_fds)

    def _become_current(self) -> None:
        if not self.is_current:
            self.old_asyncio = current_loop(create=False)
            self.is_current = True
        set_current_loop(self.asyncio_loop)

    def _left_current(self) -> None:
        self.is_current = False
        self.old_asyncio = None


IOLoop._own_kind = AsyncIOLoop
IOLoop._view_kind = AsyncIOMainLoop
IOLoop._common_kind = BaseAsyncIOLoop


def enable_stack_logging(seconds: float | None = 1.0) -> None:
    """Logs the stack of whatever blocks a loop for more than `seconds`, on all loops of the process that an `IOLoop`
    stands for, present and future. None ends it.
    """
    BaseAsyncIOLoop._stack_threshold = seconds
    for loop in tuple(IOLoop._ioloop_for_asyncio.values()):
        loop.set_blocking_log_threshold(seconds)


async def _call(func: Callable[[], Any]) -> Any:
    result = func()
    if result is None:
        return None
    if asyncio.iscoroutine(result):
        # It needs no second task.
        return await result
    future = convert_yielded(result)
    if isinstance(future, futures.Future):
        future = asyncio.wrap_future(future)
    return await future


def _watches_descriptors(loop: asyncio.AbstractEventLoop) -> bool:
    return getattr(type(loop), "add_reader", None) is not asyncio.AbstractEventLoop.add_reader


def to_tornado_future(asyncio_future: Future[T]) -> Future[T]:
    """Returns its argument: Tornado's futures are asyncio's."""
    return asyncio_future


def to_asyncio_future(tornado_future: Any) -> Future[Any]:
    """Returns a future for any yieldable, as `convert_yielded` does."""
    future: Future[Any] = convert_yielded(tornado_future)
    return future
