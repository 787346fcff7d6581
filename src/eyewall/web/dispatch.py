"""From a request to its handler: the sink that runs one `RequestHandler`.

A request whose `prepare` and verb are plain functions is served without a task: `end` runs them, in a context of
their own, and the response is written before it returns. Where one of them returns an awaitable, the rest runs as a
task, whose first step runs at once; one that never suspends does not cost a trip through the loop.

A class with `stream_request_body` begins when the head has come, and `data` passes the content on as it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from eyewall.base import probe
from eyewall.base.clock import unix_time
from eyewall.base.loggers import app_log
from eyewall.guard import registry
from eyewall.guard.deadlines.deadline import Deadline
from eyewall.guard.deadlines.deadline import _current as _deadlines
from eyewall.http.errors import RemoteProtocolError
from eyewall.http.exchange import Exchange
from eyewall.loop.eager import start_task
from eyewall.net.errors import StreamClosedError
from eyewall.web.accounting import SUSPENDED, Account, Steps, account_for
from eyewall.web.arguments import ArgumentsMixin
from eyewall.web.errors import HTTPError
from eyewall.web.execution import complete, complete_prepare, complete_rates, stream
from eyewall.web.matchers import unquoted

if TYPE_CHECKING:
    from eyewall.guard.deadlines.alarms import Alarm
    from eyewall.guard.errors import DeadlineExceeded
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.http.request import HTTPServerRequest

_get_loop = asyncio.get_running_loop
_request_begin = probe.request_begin
_plain_decoding = ArgumentsMixin.decode_argument
_VERBS = {
    "GET": "get",
    "HEAD": "head",
    "POST": "post",
    "DELETE": "delete",
    "PATCH": "patch",
    "PUT": "put",
    "OPTIONS": "options",
}
#: Tasks of requests that are being served: a loop refers to its tasks weakly.
_running: dict[asyncio.Task[None], Dispatch] = {}
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
#: `web.overtime`, once some application or handler has set a deadline: where none does, no request pays for it.
_overtime: Any = None
#: `web.ratelimiting.check_rates`, once a request has come to which a rate limit applies.
_check_rates: Any = None
#: Somebody wants to know where the time of requests goes.
_counting = False
#: Gives what measures the steps of a request a record, while somebody looks at single requests.
_recorder: Callable[[Dispatch, Steps], object] | None = None


def keep_time() -> None:
    """Has every request looked at from now on for the deadline that it may have."""
    global _overtime
    from eyewall.web import overtime

    _overtime = overtime


def _load_rates() -> None:
    global _check_rates
    from eyewall.web.ratelimiting import check_rates

    _check_rates = check_rates


def keep_accounts(wanted: bool = True) -> None:
    """Counts every request from now on, see `web.accounting`; or none any more."""
    global _counting
    _counting = wanted


def counts() -> bool:
    """Whether requests are counted."""
    return _counting


def keep_records(recorder: Callable[[Dispatch, Steps], object] | None) -> None:
    """Has `recorder` called with each request whose steps are measured from now on, and with what measures them; None
    for nobody. It must not raise."""
    global _recorder
    _recorder = recorder


def running() -> list[asyncio.Task[None]]:
    """Returns the tasks of requests, also of those that go on after their response is finished."""
    return list(_running)


def dispatches() -> dict[asyncio.Task[None], Dispatch]:
    """Returns the same tasks, with the requests that they are of."""
    return dict(_running)


def _forget(task: asyncio.Task[None]) -> None:
    _running.pop(task, None)


class Dispatch:
    """Serves one request with a handler of `handler_class`; `kwargs` are for its `initialize`.

    `path_args`, `path_kwargs`: what the route matched. `handler`: once there is one. `left`: the client has left.
    `deadline`, `alarm`, `overdue`, `abandoned`, `in_time`: see `web.overtime`.
    `route`: what the index has found, where it was asked. `rate_limits`: those of the application and of the route.
    """

    __slots__ = (
        "__weakref__",
        "abandoned",
        "alarm",
        "application",
        "body_done",
        "context",
        "deadline",
        "exchange",
        "handler",
        "handler_class",
        "in_time",
        "kwargs",
        "left",
        "overdue",
        "path_args",
        "path_kwargs",
        "pieces",
        "rate_limits",
        "ready",
        "request",
        "route",
        "streaming",
        "task",
    )

    def __init__(
        self,
        application: Any,
        request: HTTPServerRequest,
        handler_class: Any,
        kwargs: dict[str, Any] | None,
        path_args: Sequence[Any] | None,
        path_kwargs: dict[str, Any] | None,
    ) -> None:
        self.application = application
        self.request = request
        self.handler_class = handler_class
        self.kwargs = kwargs
        self.path_args = path_args
        self.path_kwargs = path_kwargs
        self.exchange: Exchange | None = None
        self.left = False
        self.abandoned = False
        self.in_time = False
        self.deadline: Deadline | None = None
        self.alarm: Alarm | None = None
        self.overdue: DeadlineExceeded | None = None
        self.route: Any = None
        self.rate_limits: tuple[RateLimit, ...] | None = None
        self.handler: Any = None  # a RequestHandler; compiled, its base `Reply`
        self.pieces: list[bytes] | None = None
        self.context: Context | None = None
        self.task: asyncio.Task[None] | None = None
        self.ready: asyncio.Future[None] | None = None
        self.body_done: asyncio.Future[None] | None = None
        self.streaming: bool = handler_class._stream_request_body

    # -- what the connection calls ----------------------------------------------------------------------

    @property
    def whole(self) -> bool:
        """Whether content is kept until all of it has come."""
        return not self.streaming

    def begin(self) -> None:
        """The head has come: a streaming handler starts now."""
        if _request_begin.fire is not None:
            # For those who listen: when it ends, the exchange knows of no route any more.
            self.request._route = self.label
            _request_begin.fire(self.request)
        if self.streaming:
            loop = _get_loop()
            self.body_done = loop.create_future()
            self.context = copy_context()
            if self.context.run(self._make):
                self.handler._body_done = self.body_done
                self.ready = loop.create_future()
                self._start(stream(self))
            elif _counting:
                self._count()

    def data(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        if not self.streaming:
            pieces = self.pieces
            if pieces is None:
                self.pieces = [chunk]
            else:
                pieces.append(chunk)
            return None
        ready = self.ready
        if ready is not None and not ready.done():
            return self._data_later(chunk, ready)
        return self._pass_on(chunk)

    async def _data_later(self, chunk: bytes, ready: asyncio.Future[None]) -> None:
        await asyncio.shield(ready)
        wait = self._pass_on(chunk)
        if wait is not None:
            await wait

    def _pass_on(self, chunk: bytes) -> Awaitable[None] | None:
        handler = self.handler
        context = self.context
        if handler is None or context is None or handler._finished or self.left:
            return None
        try:
            wait = context.run(handler.data_received, chunk)
        except RemoteProtocolError:
            raise
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - becomes the response
            self.fail(error)
            return None
        if wait is None:
            return None
        # A copy, because the task of the request may be running in the context itself when this one goes on.
        task = start_task(self._wait_for_content(wait), _get_loop(), context.copy())
        if task.done():
            if not task.cancelled():
                task.result()
            return None
        # Like the verb, what the handler has begun with a piece goes on when the client leaves.
        _running[task] = self
        task.add_done_callback(_forget)
        return asyncio.shield(task)

    async def _wait_for_content(self, wait: Awaitable[None]) -> None:
        try:
            await wait
        except RemoteProtocolError:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - becomes the response
            self.fail(error)

    def end(self) -> None:
        """The request is complete."""
        if self.streaming:
            if self.body_done is not None and not self.body_done.done():
                self.body_done.set_result(None)
            return
        pieces = self.pieces
        if pieces is not None:
            self.pieces = None
            self.request.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            if _counting:
                self.request._ready_time = unix_time()
        context = copy_context()
        rest = context.run(self._run)
        if rest is not None:
            self.context = context
            self._start(rest)
            return
        if self.deadline is not None:
            self._check_time()
        if _counting and not self._likened() and self._count():
            # It is finished later, by somebody else: nobody knows what it does until then.
            self.handler._steps = SUSPENDED

    def closed(self) -> None:
        """The client left before the response was finished."""
        self.left = True
        if self.body_done is not None and not self.body_done.done():
            self.body_done.set_exception(StreamClosedError())
            self.body_done.exception()
        handler = self.handler
        exchange = self.exchange
        if self.task is not None and exchange is not None:
            # It takes its place for as long as it goes on.
            exchange.kept = True
            registry.requests.add(self)
        if handler is not None:
            try:
                (copy_context() if self.context is None else self.context.copy()).run(
                    handler.on_connection_close
                )
            finally:
                if self.task is None:
                    self._end_tasks()

    # -- the request ------------------------------------------------------------------------------------

    def _start(self, rest: Any) -> None:
        steps: Steps | None = None
        if _counting:
            self._count()
            steps = self._steps_of(rest)
        coro = rest if steps is None else steps
        exchange = self.exchange
        if exchange is not None:
            # What stands ready: asking asyncio for the loop costs a system call on 3.11, and its name for a task more
            # than the rest of the constructor. The path says more, anyhow.
            loop = exchange.carrier.loop
            task = start_task(coro, loop, self.context, exchange.head.path)
        else:
            loop = _get_loop()
            task = start_task(coro, loop, self.context)
        if not task.done():
            self.task = task
            if _counting and self.handler is not None:
                self.handler._steps = SUSPENDED if steps is None else steps
            _running[task] = self
            if self.deadline is not None:
                _overtime.watch(self, loop)
        elif self.deadline is not None:
            self._check_time()

    def _steps_of(self, rest: Any) -> Steps | None:
        """Returns `rest` with its steps measured, None for a request that is not measured."""
        handler = self.handler
        account: Account | None = None
        if handler is not None:
            account = handler._account
        if account is None or account.budget <= 0:
            return None
        account.budget -= 1
        steps = Steps(rest)
        if _recorder is not None:
            _recorder(self, steps)
        return steps

    @property
    def label(self) -> str:
        """The pattern of its route, for whoever lists requests."""
        return self.route.label if self.route is not None else ""

    @property
    def handling(self) -> Any:
        """The handler, once there is one."""
        return self.handler

    def cancel(self) -> bool:
        """Cancels the handler; False where it runs no task that could be."""
        task = self.task
        return task is not None and task.cancel()

    def _live_entry(self) -> registry.Entry:
        """One whose client has left, and whose handler goes on."""
        exchange = self.exchange
        request = self.request
        now = exchange.carrier.wheel.now if exchange is not None else 0.0
        age = now - exchange.began if exchange is not None else 0.0
        return registry.Entry(
            kind="request",
            subject=self.handler,
            peer=request.remote_ip or "",
            route=self.label,
            label=f"{request.method} {request.uri} (the client has left)",
            age=age,
            idle=age,
            bytes_in=len(request.body),
            bytes_out=0,
            end=lambda _: self.cancel(),
        )

    def over(self) -> None:
        """The task of the request ends."""
        task = self.task
        if task is not None:
            self.task = None
            _running.pop(task, None)
            if self.deadline is not None:
                _overtime.release(self)
                self._check_time()
            exchange = self.exchange
            if exchange is not None and exchange.kept:
                exchange.give_back()
                registry.requests.discard(self)
            if self.left:
                self._end_tasks()

    def _end_tasks(self) -> None:
        """Ends what the handler has spawned: its client has left, and it is through. A WebSocket goes on, and a
        response ends them itself."""
        handler = self.handler
        if handler is not None and handler._tasks is not None and not handler._finished:
            handler._tasks.end()

    def describe(self) -> str:
        """What the request is, for whoever waits for its end: its handler, its age, its client."""
        request = self.request
        kind, name = self.handler_class._kind, self.handler_class.__qualname__
        age = request.request_time()
        return f"{kind}: {request.method} {request.path} ({name}), {age:.1f} s, from {request.remote_ip}"

    def _make(self) -> bool:
        """Makes the handler. One that can't be made has no say in the answer."""
        kwargs = self.kwargs
        try:
            if kwargs:
                handler = self.handler_class(self.application, self.request, **kwargs)
            else:
                handler = self.handler_class(self.application, self.request)
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - logged; the request must end anyhow
            app_log.error(
                "Uncaught exception in the constructor of %s", self.handler_class.__name__, exc_info=True
            )
            self.application.refuse(self.request, 500)
            return False
        self.handler = handler
        transforms = self.application.transforms
        if transforms:
            try:
                handler._transforms = [transform(self.request) for transform in transforms]
            except Exception as error:  # noqa: BLE001 - becomes the response
                self.fail(error)
                return False
        return True

    def _likened(self) -> bool:
        """Counts the request, if it is finished, and as the last one of its route; see `Account.likens`."""
        # Nothing by way of variables, here and below, of which compiled code counts the references.
        return (
            self.route is not None
            and self.route.account is not None
            and self.handler is not None
            and self.handler._finished
            and self.request._ready_time == 0.0
            and (self.exchange is None or self.exchange.queued == 0.0)
            and self.route.account.likens(self.request.method, self.handler._status_code)
        )

    def _count(self) -> bool:
        """Counts the request, if its handler has finished; opens an account for one that goes on, and returns that it
        does."""
        if self.handler is None:
            return False
        if self.route is not None and self.route.account is not None:
            return self._enter(self.route.account)
        return self._enter(account_for(self.route, self.handler_class))

    def _enter(self, account: Account) -> bool:
        """Enters the request into its account, or the account into its handler; returns whether that goes on."""
        queued = self.exchange.queued if self.exchange is not None else 0.0
        if not self.handler._finished:
            self.handler._account = account
            self.handler._counted = self.request
            self.handler._queued = queued
            return True
        account.note(
            self.request.method,
            self.handler._status_code,
            unix_time(),
            self.request._start_time,
            self.request._ready_time,
            queued,
            None,
        )
        return False

    def _run(self) -> Any:
        """Runs what needs no task. Returns a coroutine for the rest, or None when the response is finished."""
        if not self._make():
            return None
        handler = self.handler
        try:
            if self.rate_limits is not None:
                waiting = self.check_rates()
                if waiting is not None:
                    return complete_rates(self, waiting)
            self.check()
            result = handler.prepare()
            if result is not None:
                return complete_prepare(self, result)
            if handler._finished:
                return None
            result = self.call_verb()
            if result is not None:
                return complete(self, result)
            if handler._auto_finish and not handler._finished:
                handler.finish()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - becomes the response
            self.fail(error)
        return None

    def completed(self) -> None:
        """The verb is through, and has waited: the response is finished, unless the handler does that itself."""
        if self.overdue is not None:
            _overtime.returned(self)
        handler = self.handler
        if handler._auto_finish and not handler._finished:
            handler.finish()

    def check_rates(self) -> Awaitable[None] | None:
        """Takes what the request costs of its rate limits; see `web.ratelimiting`."""
        if _check_rates is None:
            _load_rates()
        waiting: Awaitable[None] | None = _check_rates(self.handler, self.rate_limits)
        return waiting

    def check(self) -> None:
        """Refuses what no handler should see."""
        method = self.request.method
        handler = self.handler
        if method not in handler.SUPPORTED_METHODS:
            raise HTTPError(405)
        if _overtime is not None:
            self._begin_time()
        if self.path_args is not None:
            handler.path_args = [self._decoded(value, None) for value in self.path_args]
        if self.path_kwargs is not None:
            handler.path_kwargs = {
                name: self._decoded(value, name) for name, value in self.path_kwargs.items()
            }
        if method not in _SAFE:
            settings = self.application.settings
            if settings.get("cross_origin_protection"):
                handler._refuse_cross_origin()
            if settings.get("xsrf_cookies"):
                handler.check_xsrf_cookie()

    def _begin_time(self) -> None:
        """Sets the deadline of the request, for everything below."""
        timing = self.application.timing
        loop = _get_loop() if self.exchange is None else self.exchange.carrier.loop
        deadline = timing.deadline_for(self.handler_class, self.request, loop)
        if deadline is not None:
            self.deadline = deadline
            _deadlines.set(deadline)

    def _check_time(self) -> None:
        """Says so where nothing has interrupted a handler that was late."""
        deadline = self.deadline
        if deadline is not None and deadline.clock() > deadline.at:
            _overtime.tell_late(self)

    def call_verb(self) -> Any:
        """Calls the handler's method for the request's."""
        method = self.request.method
        verb = getattr(self.handler, _VERBS.get(method) or method.lower())
        if self.path_kwargs:
            return verb(*self.handler.path_args, **self.handler.path_kwargs)
        if self.path_args:
            return verb(*self.handler.path_args)
        return verb()

    def _decoded(self, value: Any, name: str | None) -> Any:
        """Returns a group of the route as the verb gets it; one that took no part is None."""
        if value is None:
            return None
        if (
            type(value) is str
            and "%" not in value
            and value.isascii()
            and self.handler_class.decode_argument is _plain_decoding
        ):
            return value
        raw = value if type(value) is bytes else unquoted(value)
        return self.handler.decode_argument(raw, name=name)

    def fail(self, error: BaseException) -> None:
        """Gives the handler what it raised."""
        handler = self.handler
        if self.abandoned:
            _overtime.tell_abandoned(self, error)
            return
        try:
            if isinstance(error, StreamClosedError) and self.left:
                # What the handler waited for can't happen any more: that is no error of anybody's.
                if not handler._finished:
                    handler._abandon()
            else:
                handler._handle_request_exception(error)
        except Exception:  # noqa: BLE001 - logged; the request must end whatever an application does
            app_log.error("Exception in exception handler", exc_info=True)
            self.application.refuse(self.request, 500)

    # -- Tornado's HTTPMessageDelegate ------------------------------------------------------------------

    def headers_received(self, start_line: Any, headers: Any) -> None:
        """The head has come; it is the request's."""
        connection = self.request.connection
        if self.exchange is None and type(connection) is Exchange:
            self.exchange = connection
        self.begin()

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Content has come."""
        return self.data(chunk)

    def finish(self) -> None:
        """The request is complete."""
        self.end()

    def on_connection_close(self) -> None:
        """The client left before the response was finished."""
        self.closed()
