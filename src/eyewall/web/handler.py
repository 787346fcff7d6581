"""`RequestHandler`: one request, one instance.

This file has what applications override, and how a request ends when something was raised. How a response is
written is `web.reply`; what a handler can do besides (arguments, cookies, XSRF, users, templates, locales) stands in
the mixins, which cost nothing where they are not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from eyewall.base.escape import utf8, xhtml_escape
from eyewall.base.loggers import app_log, gen_log
from eyewall.guard.errors import DeadlineExceeded, Overloaded
from eyewall.guard.limits.stated import fit_for_route
from eyewall.guard.profile import active
from eyewall.guard.throttle import LogThrottle
from eyewall.http.errors import HTTPInputError, RemoteProtocolError
from eyewall.http.exchange import Exchange
from eyewall.http.headers import InvalidHeader
from eyewall.web.arguments import ArgumentsMixin
from eyewall.web.auth import AuthMixin
from eyewall.web.cookies import CookiesMixin
from eyewall.web.dispatch import keep_time
from eyewall.web.errors import Finish, HTTPError
from eyewall.web.localization import LocaleMixin
from eyewall.web.rendering import RenderingMixin
from eyewall.web.reply import Reply
from eyewall.web.timelimits import limits_of
from eyewall.web.xsrf import XsrfMixin

T = TypeVar("T")

#: Deadlines are passed by many requests at a time.
_late = LogThrottle(gen_log)
#: Refusals of the guard come many at a time.
_refusals = LogThrottle(gen_log)

#: The current description of an error, as `sys.exc_info` gives it.
ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

if TYPE_CHECKING:
    from eyewall.guard.lifecycle.tasks import AtEnd
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.guard.limits.requestlimit import RequestLimit
    from eyewall.http.request import HTTPServerRequest


class RequestHandler(Reply, ArgumentsMixin, CookiesMixin, XsrfMixin, AuthMixin, LocaleMixin, RenderingMixin):
    """Base of the classes that answer requests: subclasses define a method for each HTTP method they support.

    The order of calls is `initialize` (with the keyword arguments of the route), `prepare`, the method named like
    the request's, `on_finish`. `prepare` and the verbs may be coroutines. A verb that returns without `finish`
    finishes the response; `on_connection_close` is called instead where the client leaves before that.

    Attributes: `application`, `request`, `path_args` and `path_kwargs` (what the route's groups matched).
    """

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = (
        "GET",
        "HEAD",
        "POST",
        "DELETE",
        "PATCH",
        "PUT",
        "OPTIONS",
    )

    #: Bounds the requests that handlers of this class, and of those derived from it, have in flight, all together.
    #: That of a route comes first (`url(...).limited(...)`). None: no limit but the server's.
    request_limit: ClassVar[RequestLimit | None] = None
    #: How often requests may come to handlers of this class; as above.
    rate_limit: ClassVar[RateLimit | None] = None

    #: Set by the decorator `stream_request_body`.
    _stream_request_body: ClassVar[bool] = False

    #: Seconds that `prepare` and the verb have together, from when the request is complete (with
    #: `stream_request_body`: from when its head is). 0: as many as they need. None: what the application sets. To be
    #: stated in the body of the class; `eyewall.guard.timeout` decorates single verbs.
    REQUEST_TIMEOUT: ClassVar[float | None] = None

    #: What a request of this class is called where somebody waits for its end.
    _kind: ClassVar[str] = "request"

    #: What this class and its verbs state, by method; see `web.timelimits`.
    _time_limits: ClassVar[dict[str, float] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fit_for_route(vars(cls).get("request_limit"), cls.__name__)
        cls._time_limits = limits_of(cls)
        if cls._time_limits is not None and any(cls._time_limits.values()):
            keep_time()

    # -- what applications override ---------------------------------------------------------------------

    if TYPE_CHECKING:

        def __init__(self, application: Any, request: HTTPServerRequest, **kwargs: Any) -> None: ...

        #: Overrides name the keyword arguments of their routes, each its own.
        initialize: Callable[..., None]
    else:
        __init__ = Reply._begin

        def initialize(self) -> None:
            """Called with the keyword arguments of the route, which an override names."""

    def prepare(self) -> Awaitable[None] | None:
        """Called before the verb, whatever the method; may be a coroutine, and may finish the response."""
        return None

    def on_connection_close(self) -> None:
        """Called when the client left before the response was finished."""

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Takes a piece of the request's content, `chunk`, in a class with `stream_request_body`; may be a
        coroutine, and then the next piece waits for it.
        """
        raise NotImplementedError

    def _unimplemented_method(self, *args: Any, **kwargs: Any) -> Any:
        """Refuses a verb with 405. One that is no other than this is one that a class does not override, as
        programs find out (Jupyter Server, for one, by this name).
        """
        raise HTTPError(405)

    head = get = post = delete = patch = put = options = _unimplemented_method

    # -- the response --------------------------------------------------------------------------------------

    def _request_summary(self) -> str:
        request = self.request
        return f"{request.method} {request.uri} ({request.remote_ip})"

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Answers with a redirect to `url`, which may be relative.

        302, or 301 when `permanent`, or any other `status` from 300 to 399. Raises ValueError for another one,
        RuntimeError when the head is sent already.
        """
        if self._headers_written:
            raise RuntimeError("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not 300 <= status <= 399:
            raise ValueError(f"{status} is not the status of a redirect")
        self.set_status(status)
        self.set_header("Location", utf8(url))
        self.finish()

    def detach(self) -> Any:
        """Takes the connection over, for another protocol: the handler is finished, its response too.

        Returns the connection as an `IOStream`, whose first bytes are what came behind the request. Raises
        StreamClosedError where the client has left.
        """
        stream = self.request.connection.detach()
        self._finished = True
        return stream

    # -- tasks -------------------------------------------------------------------------------------------

    def spawn(
        self, coroutine: Coroutine[Any, Any, T], *, at_end: AtEnd = "cancel", name: str | None = None
    ) -> asyncio.Task[T]:
        """Starts `coroutine` as a task of this handler, which ends with its response; a WebSocket's with its
        connection.

        `at_end`: "cancel" cancels the task then, if it has not ended; "await" lets it go on, without the
        deadline of the request, and has the process wait for it when it drains. `name`: the task's. An
        exception in it is logged. Raises RuntimeError when the handler has ended, ValueError for another
        `at_end`.
        """
        tasks = self._tasks
        if tasks is None:
            # Most programs spawn none.
            from eyewall.guard.lifecycle.tasks import OwnedTasks

            tasks = self._tasks = OwnedTasks(f"{self._request_summary()} in {type(self).__qualname__}")
        return tasks.spawn(coroutine, at_end=at_end, name=name)

    # -- errors -----------------------------------------------------------------------------------------

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answers with an error, of the status `status_code`. `write_error` writes the page, with `kwargs`;
        `reason` replaces the phrase.

        Where part of a response was sent already, the connection breaks off, so that the client can't take that
        part for the whole; with the limit `complete_failed_responses` the response is ended as if it were.
        """
        if self._headers_written and not self._nothing_sent():
            gen_log.error("Cannot send error response after headers written")
            if not self._finished:
                self._give_up()
            return
        self._headers_written = False
        self.clear()
        self._in_error = True
        reason = kwargs.get("reason")
        if "exc_info" in kwargs:
            error = kwargs["exc_info"][1]
            if isinstance(error, HTTPError) and error.reason:
                reason = error.reason
            if isinstance(error, Overloaded):
                for name, value in error.fields().items():
                    self.set_header(name, value)
        self.set_status(status_code, reason=reason)
        try:
            self.write_error(status_code, **kwargs)
        except Exception:  # noqa: BLE001 - logged; the request must end whatever an application does
            app_log.error("Uncaught exception in write_error", exc_info=True)
        if not self._finished:
            self.finish()

    def _nothing_sent(self) -> bool:
        """Whether what was to be sent turned out to be impossible before a byte of it was."""
        connection = self.request.connection
        return type(connection) is Exchange and not connection.started

    def _give_up(self) -> None:
        """Ends a response that can't be completed."""
        profile = getattr(self.application, "profile", None) or active()
        connection = self.request.connection
        if profile.complete_failed_responses or type(connection) is not Exchange:
            try:
                self.finish()
            except Exception:  # noqa: BLE001 - logged; the request must end whatever an application does
                gen_log.error("Failed to flush partial response", exc_info=True)
        else:
            self._abandon()

    def _abandon(self) -> None:
        """Ends a response without its rest, and the connection with it, if the client has not done that."""
        self._write_buffer = []
        self._finished = True
        connection = self.request.connection
        if type(connection) is Exchange:
            connection.break_off()
        if self._body_done is not None and not self._body_done.done():
            self._body_done.set_result(None)
        self._count()
        try:
            self._log()
            self.on_finish()
        finally:
            if self._tasks is not None:
                self._tasks.end()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Writes the page of an error, whose status is `status_code`; `exc_info` in `kwargs` is what caused it.

        With the setting `serve_traceback`, as in debug mode, it says all that is known of the error: to browsers as a
        page, to who asks for JSON as that, to others as a traceback.
        """
        if self.settings.get("serve_traceback") and "exc_info" in kwargs:
            # Not loaded where nobody debugs.
            from eyewall.web.debugpage.answer import answer

            answer(self, status_code, kwargs["exc_info"])
        else:
            title = f"{status_code}: {xhtml_escape(self._reason)}"
            self.finish(f"<html><title>{title}</title><body>{title}</body></html>")

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Logs what a handler raised: an `HTTPError` with a message as a warning, others with their traceback.

        A refusal of the guard (`Overloaded`) is a line without a traceback, once a minute for each limit.

        `typ`, `value` and `tb` are what `sys.exc_info` returns.
        """
        if isinstance(value, HTTPError):
            if value.log_message:
                gen_log.warning(
                    "%d %s: " + value.log_message, value.status_code, self._request_summary(), *value.args
                )
        elif isinstance(value, DeadlineExceeded):
            _late.warning("%s: %s", self._request_summary(), value, key=(type(self), value.place))
        elif isinstance(value, Overloaded):
            _refusals.warning("%d %s: %s", value.status, self._request_summary(), value, key=value.limit)
        else:
            app_log.error(
                "Uncaught exception %s\n%r",
                self._request_summary(),
                self.request,
                exc_info=(typ, value, tb),  # type: ignore[arg-type]
            )

    def _handle_request_exception(self, error: BaseException) -> None:
        """Ends the request after `prepare` or the verb has raised: the one place where that happens."""
        if isinstance(error, Finish):
            if not self._finished:
                self.finish(*error.args)
            return
        status = 500
        refused = isinstance(error, HTTPInputError) and not isinstance(error, InvalidHeader)
        if isinstance(error, HTTPError):
            status = error.status_code
        elif isinstance(error, Overloaded):
            status = error.status
        elif refused:
            # What the client sent could not be understood when the handler asked for it.
            status = error.status if isinstance(error, RemoteProtocolError) else 400
            gen_log.warning("%d %s: %s", status, self._request_summary(), error)
        elif isinstance(error, (TypeError, AttributeError, RuntimeError)):
            # Most programs never load it.
            from eyewall.web.mistakes import explain

            explain(self, error)
        exc_info: ExcInfo = (type(error), error, error.__traceback__)
        if not refused:
            try:
                self.log_exception(*exc_info)
            except Exception:  # noqa: BLE001 - logged; the request must end whatever an application does
                app_log.error("Error in exception logger", exc_info=True)
        if self._finished:
            # The response is out; there is nothing that could still be said to the client.
            return
        if isinstance(error, DeadlineExceeded):
            status = error.status
            timing = getattr(self.application, "timing", None)
            if timing is not None:
                if timing.answer(self, error):
                    return
                status = timing.status
        self.send_error(status, exc_info=exc_info)

    def reverse_url(self, name: str, *args: Any) -> str:
        """Returns the path of the route `name`, its groups replaced by `args`."""
        url: str = self.application.reverse_url(name, *args)
        return url

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """Returns the URL of the static file `path`, below the setting `static_path`, with the version of its
        content.

        `include_host`: whether it begins with scheme and host, by default as the handler's attribute
        `include_host` says. Other keyword arguments are for `make_static_url` of the static handler's class.
        """
        self.require_setting("static_path", "static_url")
        get_url = self.settings["static_handler_class"].make_static_url
        if include_host is None:
            include_host = getattr(self, "include_host", False)
        base = f"{self.request.protocol}://{self.request.host}" if include_host else ""
        url: str = base + get_url(self.settings, path, **kwargs)
        return url
