"""Taking the results of several futures in the order in which they come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Self

from eyewall.loop.concurrent import Future, copy_outcome
from eyewall.loop.policy import current_loop
from eyewall.loop.yielded import add_loop_callback, convert_yielded, moment


class WaitIterator:
    """Yields the results of futures as they complete.

        iterator = WaitIterator(first, second)
        while not iterator.done():
            try:
                result = await iterator.next()
            except Exception as error:
                print(f"{error} from {iterator.current_future}")
            else:
                print(f"{result} from argument {iterator.current_index}")

    With `async for` it stops at the first exception; a second loop goes on behind it. Given keyword
    arguments, `current_index` is a keyword. Both kinds of arguments at once raise ValueError.
    """

    #: Where the latest result came from; None before the first and after the last.
    current_index: str | int | None
    current_future: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError("You must provide args or kwargs, not both")
        self.current_index = None
        self.current_future = None
        #: What is not complete yet, with the places it stands in.
        self._pending: dict[Any, list[str | int]] = {}
        #: What is complete and not taken yet, in the order of completion.
        self._complete: deque[tuple[str | int, Any]] = deque()
        #: What `next` returned and nothing was given to yet.
        self._waiters: deque[Future[Any]] = deque()
        named: Iterable[tuple[str | int, Any]] = kwargs.items() if kwargs else enumerate(args)
        for index, child in named:
            future = convert_yielded(child)
            if future.done():
                self._complete.append((index, future))
                continue
            places = self._pending.setdefault(future, [])
            places.append(index)
            if len(places) == 1:
                add_loop_callback(future, self._on_done, current_loop())

    def done(self) -> bool:
        """Whether there are no more results."""
        if self._pending or self._complete:
            return False
        self.current_index = self.current_future = None
        return True

    def next(self) -> Future[Any]:
        """Returns a future for the next result; it is none of those that were given.

        Raises RuntimeError when there are no more, for which nobody should wait.
        """
        left = len(self._complete) + sum(len(places) for places in self._pending.values())
        if left <= len(self._waiters):
            raise RuntimeError("there are no more results to wait for")
        waiter: Future[Any] = Future()
        self._waiters.append(waiter)
        self._give()
        return waiter

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Future[Any]:
        if self.done():
            raise StopAsyncIteration
        return self.next()

    def _on_done(self, future: Any) -> None:
        self._complete.extend((index, future) for index in self._pending.pop(future))
        self._give()

    def _give(self) -> None:
        while self._complete and self._waiters:
            waiter = self._waiters.popleft()
            # One that nobody waits for any more, having been cancelled, must not swallow a result.
            if not waiter.done():
                self.current_index, self.current_future = self._complete.popleft()
                if self.current_future is moment:
                    waiter.set_result(None)
                else:
                    copy_outcome(self.current_future, waiter)
