"""Watching descriptors for a loop that cannot: a second thread with a selector in it.

The asyncio loop of Windows has no `add_reader`. `SelectorThread` has, and calls what is registered in the
thread of that loop; `AddThreadSelectorEventLoop` is the two together under the interface of a loop.

The two threads take turns. The loop's thread hands over what is to be watched; the selector's thread waits
for events, hands them back, and then waits itself until they have been dealt with, because readiness that
nobody has used yet would be reported again at once. A change in what is watched wakes it up through a socket.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import select
import selectors
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

Ready = list[tuple[int, int]]


class HasFileno(Protocol):
    def fileno(self) -> int: ...


Descriptor = int | HasFileno

#: Those not closed yet, for the exit of the interpreter.
_selector_loops: set[SelectorThread] = set()


def _atexit_callback() -> None:
    """Ends the threads of selectors whose loops were never closed; they would keep the interpreter."""
    for thread in tuple(_selector_loops):
        thread.close()


atexit.register(_atexit_callback)


def _number(fd: Descriptor) -> int:
    return fd if isinstance(fd, int) else fd.fileno()


class SelectorThread:
    """The `add_reader` family of methods for `real_loop`, by a thread.

    It belongs to the loop's thread like the loop itself. The thread starts when the loop first runs, and ends
    with `close`, with the loop's shutdown of asynchronous generators (as `asyncio.run` does it), or at the
    exit of the interpreter.
    """

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop
        # Callbacks run in the context that this was made in, not in the thread's empty one.
        self._context = contextvars.copy_context()
        self._readers: dict[int, Callable[[], Any]] = {}
        self._writers: dict[int, Callable[[], Any]] = {}
        self._closed = False
        #: What is to be watched next; None while the selector's thread has its turn. Guarded by the
        #: condition.
        self._watch: dict[int, int] | None = None
        self._turn = threading.Condition()
        self._thread: threading.Thread | None = None
        self._thread_manager_task: asyncio.Task[None] | None = None
        self._manager = self._manage()
        self._waker_r, self._waker_w = socket.socketpair()
        self._waker_r.setblocking(False)
        self._waker_w.setblocking(False)
        self._readers[self._waker_r.fileno()] = self._drain
        _selector_loops.add(self)
        real_loop.call_soon(self._begin)

    # -- for the loop -----------------------------------------------------------------------------------

    def add_reader(self, fd: Descriptor, callback: Callable[..., None], *args: Any) -> None:
        """Calls `callback` when `fd` can be read, until it is removed; replaces an earlier callback."""
        self._readers[_number(fd)] = lambda: callback(*args)
        self._wake()

    def add_writer(self, fd: Descriptor, callback: Callable[..., None], *args: Any) -> None:
        """Calls `callback` when `fd` can be written, until it is removed; replaces an earlier callback."""
        self._writers[_number(fd)] = lambda: callback(*args)
        self._wake()

    def remove_reader(self, fd: Descriptor) -> bool:
        """Returns whether there was a callback to remove."""
        return self._remove(self._readers, fd)

    def remove_writer(self, fd: Descriptor) -> bool:
        """Returns whether there was a callback to remove."""
        return self._remove(self._writers, fd)

    def close(self) -> None:
        """Ends the thread and waits for that. May be called again."""
        if self._closed:
            return
        with self._turn:
            self._closed = True
            self._turn.notify()
        self._wake()
        if self._thread is not None:
            self._thread.join()
        _selector_loops.discard(self)
        self._readers.clear()
        self._writers.clear()
        self._waker_r.close()
        self._waker_w.close()
        task = self._thread_manager_task
        if task is not None and not task.done():
            # It was made but never ran, and never will: neither it nor its coroutine is lost by mistake.
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coro = task.get_coro()
            if coro is not None:
                coro.close()
        self._thread_manager_task = None

    def _remove(self, callbacks: dict[int, Callable[[], Any]], fd: Descriptor) -> bool:
        if callbacks.pop(_number(fd), None) is None:
            return False
        self._wake()
        return True

    def _begin(self) -> None:
        if not self._closed:
            self._thread_manager_task = self._real_loop.create_task(self._start_manager())

    async def _start_manager(self) -> None:
        # uvloop runs what is ready once more when it was stopped: a loop that ends at once would still get a thread.
        await asyncio.sleep(0)
        if not self._closed:
            await anext(self._manager)

    async def _manage(self) -> AsyncGenerator[None, None]:
        # A generator because the loop knows its generators, and closes them when it is shut down in order.
        self._thread = threading.Thread(name="eyewall-selector", daemon=True, target=self._run)
        self._thread.start()
        self._hand_over()
        try:
            yield
        finally:
            self.close()  # eyewall: ignore[EW207] - it was woken, and has nothing left to do

    def _hand_over(self) -> None:
        """Gives the turn to the selector's thread."""
        watch = dict.fromkeys(self._readers, selectors.EVENT_READ)
        for number in self._writers:
            watch[number] = watch.get(number, 0) | selectors.EVENT_WRITE
        with self._turn:
            self._watch = watch
            self._turn.notify()

    def _dispatch(self, ready: Ready) -> None:
        """Takes the turn back: calls what is registered for what is ready."""
        try:
            for number, events in ready:
                # Looked up one by one: each callback may remove what would have been the next.
                for kind, callbacks in (
                    (selectors.EVENT_READ, self._readers),
                    (selectors.EVENT_WRITE, self._writers),
                ):
                    callback = callbacks.get(number) if events & kind else None
                    if callback is not None:
                        self._call(callback)
        finally:
            if not self._closed:
                self._hand_over()

    def _call(self, callback: Callable[[], Any]) -> None:
        try:
            callback()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - as a loop does with any callback
            self._real_loop.call_exception_handler(
                {"message": f"Exception in callback {callback!r}", "exception": error}
            )

    def _drain(self) -> None:
        try:
            while self._waker_r.recv(1024):
                pass
        except BlockingIOError:
            pass

    # -- for both ---------------------------------------------------------------------------------------

    def _wake(self) -> None:
        try:
            self._waker_w.send(b"w")
        except BlockingIOError:
            # So many calls wait to be noticed that one more makes no difference.
            pass

    # -- for the selector's thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._watch is not None or self._closed)
                watch, self._watch = self._watch, None
            # Without the turn there is nothing to watch, which is how closing ends it.
            if watch is None:
                return
            ready = _select(watch)
            try:
                self._real_loop.call_soon_threadsafe(self._dispatch, ready, context=self._context)
            except RuntimeError:
                # The loop was closed, and not through us: nobody is there to be told.
                return


def _select(watch: dict[int, int]) -> Ready:
    """Waits until something in `watch` (events by descriptor) is ready. A dead descriptor counts as ready."""
    kind = selectors.PollSelector if hasattr(selectors, "PollSelector") else selectors.SelectSelector
    with kind() as selector:
        for number, events in watch.items():
            selector.register(number, events)
        try:
            found = selector.select()
        except OSError:
            # Only `select` fails as a whole; it does not say because of which.
            return [(number, events) for number, events in watch.items() if _is_dead(number)]
    return [(key.fd, events) for key, events in found]


def _is_dead(number: int) -> bool:
    try:
        select.select([number], [], [], 0)
    except (OSError, ValueError):
        return True
    return False


class AddThreadSelectorEventLoop(asyncio.AbstractEventLoop):
    """A loop with the `add_reader` family of methods, made of one without it.

    Everything but these methods and `close` is what it is in the loop that was given, also what the
    subclasses of AbstractEventLoop do not have.
    """

    #: What is not passed on.
    MY_ATTRIBUTES = {
        "_real_loop",
        "_selector",
        "add_reader",
        "add_writer",
        "close",
        "remove_reader",
        "remove_writer",
    }

    def __getattribute__(self, name: str) -> Any:
        own = object.__getattribute__
        # Not through `self`: this very method would be asked for each name again.
        return (
            own(self, name) if name in own(self, "MY_ATTRIBUTES") else getattr(own(self, "_real_loop"), name)
        )

    def __init__(self, real_loop: asyncio.AbstractEventLoop) -> None:
        self._real_loop = real_loop
        self._selector = SelectorThread(real_loop)

    def close(self) -> None:
        """Closes the loop, and ends the thread. May be called again."""
        self._selector.close()
        self._real_loop.close()

    def add_reader(  # type: ignore[override]
        self, fd: Descriptor, callback: Callable[..., None], *args: Any
    ) -> None:
        """See `SelectorThread`, as for the other three."""
        return self._selector.add_reader(fd, callback, *args)

    def add_writer(  # type: ignore[override]
        self, fd: Descriptor, callback: Callable[..., None], *args: Any
    ) -> None:
        return self._selector.add_writer(fd, callback, *args)

    def remove_reader(self, fd: Descriptor) -> bool:
        return self._selector.remove_reader(fd)

    def remove_writer(self, fd: Descriptor) -> bool:
        return self._selector.remove_writer(fd)
