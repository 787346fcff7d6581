"""Probe slots: the places where somebody may watch what Eyewall does.

A `Slot` is a named moment. Lower layers fire it, the doctor (or anyone) attaches listeners. Nothing below
knows who listens. The price of a slot without listeners is one attribute lookup:

    fire = request_begin.fire
    if fire is not None:
        fire(request)

A listener runs synchronously, in the thread and context of whoever fires. It must be quick and must not
raise; one that raises is detached and logged, once, and the others still run: watching never harms what is
watched.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, ParamSpec

from eyewall.base.loggers import app_log

P = ParamSpec("P")


class Moment:
    """What of a slot those look at who fire it: compiled code finds `fire` without a search."""

    __slots__ = ("fire",)


class Slot(Moment, Generic[P]):
    """A moment, `name`, that listeners attach to.

    `fire` is None while nobody listens, otherwise the function that calls the listeners in the order in which
    they were attached. It is an attribute and not a method so that the check needs no call.
    """

    __slots__ = ("__weakref__", "_listeners", "_lock", "name")

    fire: Callable[P, None] | None

    def __init__(self, name: str) -> None:
        self.name = name
        self.fire = None
        # A tuple, replaced as a whole: a listener may attach or detach, also from another thread, during a
        # call.
        self._listeners: tuple[Callable[P, object], ...] = ()
        self._lock = Lock()

    def attach(self, listener: Callable[P, object]) -> Callable[[], None]:
        """Calls `listener` from now on. Returns the function that detaches it.

        Raises ValueError when it is attached already.
        """
        with self._lock:
            if listener in self._listeners:
                raise ValueError(f"{listener!r} listens to {self.name} already")
            self._listeners = (*self._listeners, listener)
            self.fire = self._fire
        return lambda: self.detach(listener)

    def detach(self, listener: Callable[P, object]) -> None:
        """Stops calling `listener`; one that is not attached (any more) is no error."""
        with self._lock:
            self._listeners = tuple(other for other in self._listeners if other != listener)
            if not self._listeners:
                self.fire = None

    @property
    def listeners(self) -> tuple[Callable[P, object], ...]:
        """Who listens, in the order of the calls."""
        return self._listeners

    def _fire(self, *args: P.args, **kwargs: P.kwargs) -> None:
        for listener in self._listeners:
            try:
                listener(*args, **kwargs)
            except Exception:  # noqa: BLE001 - whatever a listener raises, the request it watched must go on
                self.detach(listener)
                app_log.error("Listener %r of %s failed and was detached", listener, self.name, exc_info=True)

    def __repr__(self) -> str:
        return f"<Slot {self.name}: {len(self._listeners)} listening>"


# What is passed is documented here, once; the types are the loosest ones because the classes live in higher
# layers.

#: (connection): a client connected and was admitted.
connection_open: Slot[[object]] = Slot("connection_open")
#: (connection, error): a connection is closed; `error` is None for an orderly end.
connection_close: Slot[[object, BaseException | None]] = Slot("connection_close")

#: (request): the head of a request is complete, its handler is about to be chosen.
request_begin: Slot[[object]] = Slot("request_begin")
#: (request, status, seconds): the response is written; `seconds` since the head was complete. The status is
#: 0 where the client left before there was one.
request_end: Slot[[object, int, float]] = Slot("request_end")

#: (served, status): an ASGI or WSGI application has ended a request, an `http.applications.Served`.
application_end: Slot[[object, int]] = Slot("application_end")

#: (options, future): a client is about to make a request; `options` are `client.options.RequestOptions`, `future` is
#: for the response.
fetch_begin: Slot[[object, object]] = Slot("fetch_begin")

#: (connection): a WebSocket handshake succeeded, on the server's side.
websocket_open: Slot[[object]] = Slot("websocket_open")
#: (connection, code): a WebSocket ended; `code` is None where no close frame was received.
websocket_close: Slot[[object, int | None]] = Slot("websocket_close")

#: (limit, subject): a named limit refused something: a connection, a request, a message.
limit_reached: Slot[[str, object]] = Slot("limit_reached")

#: (item, event, details): something happened to a part of the guard (`guard.inventory.Item`): a breaker opened, an
#: executor was full. `event` is a name, `details` a mapping.
guard_event: Slot[[object, str, object]] = Slot("guard_event")

#: (drain): a process begins to end (`guard.drain.Drain`): it is not ready for anything new.
drain_begin: Slot[[object]] = Slot("drain_begin")
#: (task, place): a task went on after it was cancelled; `place` says where it was: file, line, function.
cancellation_swallowed: Slot[[object, str]] = Slot("cancellation_swallowed")

#: (loop, seconds, callback): one callback kept the loop busy for so long.
loop_blocked: Slot[[object, float, object]] = Slot("loop_blocked")
#: (callback): a callback was handed to `IOLoop.add_callback`; whoever did so is on the stack.
callback_scheduled: Slot[[object]] = Slot("callback_scheduled")
#: (callback, error): a callback of the loop raised and nobody above it cared.
callback_error: Slot[[object, BaseException]] = Slot("callback_error")
#: (task, error): a task or coroutine that nobody awaits ended with an exception.
task_error: Slot[[object, BaseException]] = Slot("task_error")

#: Every declared slot by its name.
SLOTS: dict[str, Slot[...]] = {
    slot.name: slot
    for slot in (
        connection_open,
        connection_close,
        request_begin,
        request_end,
        application_end,
        fetch_begin,
        websocket_open,
        websocket_close,
        limit_reached,
        guard_event,
        drain_begin,
        cancellation_swallowed,
        loop_blocked,
        callback_scheduled,
        callback_error,
        task_error,
    )
}
