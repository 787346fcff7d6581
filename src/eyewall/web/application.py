"""`Application`: settings, routes, and what a server serves.

A request that comes over one of our connections takes the short way, through an `Entry`: match, dispatch. The way
through `find_handler` and delegates, which Tornado documents, is taken where a subclass has changed a part of it, and
by routers that have an application among their targets.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from eyewall.base.lazy import lazy_attribute
from eyewall.guard.lifecycle.hooks import Lifecycle
from eyewall.guard.limits.stated import as_rate_limit, as_request_limit
from eyewall.guard.profile import Profile, active
from eyewall.http.delegates import DelegateApp
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.server import HTTPServer
from eyewall.http.startline import RequestStartLine, ResponseStartLine, responses
from eyewall.net.address import DEFAULT_BACKLOG
from eyewall.web.afterwork import handler_tasks as handler_tasks  # takes part in every drain
from eyewall.web.bounds import Bounds
from eyewall.web.dispatch import Dispatch, keep_time
from eyewall.web.entry import Entry
from eyewall.web.handlers import ErrorHandler
from eyewall.web.matchers import AnyMatches, DefaultHostMatches, HostMatches, unquoted
from eyewall.web.requestlog import RequestLog
from eyewall.web.routing import ApplicationRouter, ReversibleRouter, Rule, RuleLike
from eyewall.web.uimodules import load_ui

if TYPE_CHECKING:
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.guard.limits.requestlimit import RequestLimit
    from eyewall.http.interfaces import App
    from eyewall.web.handler import RequestHandler
    from eyewall.web.routeindex import Match
    from eyewall.web.timing import Timing
    from eyewall.web.transforms import OutputTransform


class Application(RequestLog, ReversibleRouter):
    """A collection of routes with settings.

    `handlers`: rules, or tuples `(pattern, handler[, kwargs[, name]])`. `default_host`: which host a request counts
    for that names an unknown one. `transforms`: classes that see every response. The keyword arguments are the
    `settings`; the documentation lists the ones that are known. `profile` among them replaces the active profile.

    Raises TypeError and ValueError for rules that are none, and for times that are none.
    """

    def __init__(
        self,
        handlers: Iterable[RuleLike] | None = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(settings)
        self.default_host = default_host
        self.profile: Profile = settings.get("profile") or active()
        # Most applications set no times.
        if ("request_timeout" in settings or settings.get("trust_request_timeout")) and self.timing.active:
            keep_time()
        #: The setting `request_limit`: bounds the requests in flight of each server of this application.
        self.request_limit: RequestLimit | None = as_request_limit(settings.get("request_limit"))
        rate_limit = as_rate_limit(settings.get("rate_limit"))
        #: The setting `rate_limit`, which holds for requests of all routes, and for those without one.
        self.rate_limits: tuple[RateLimit, ...] = () if rate_limit is None else (rate_limit,)
        #: Hooks for the start and the end of the process: `eyewall run` runs them, other programs enter it.
        self.lifecycle = Lifecycle()
        self.transforms: list[type[OutputTransform]] = list(transforms) if transforms is not None else []
        if transforms is None and (settings.get("compress_response") or settings.get("gzip")):
            # As all that few applications want, it is loaded by those that do.
            from eyewall.web.transforms import GZipContentEncoding

            self.transforms.append(GZipContentEncoding)
        self.ui_modules: dict[str, Any] = {}
        self.ui_methods: dict[str, Any] = {}
        self.ui_modules, self.ui_methods = load_ui(settings.get("ui_modules"), settings.get("ui_methods"))
        if settings.get("debug"):
            for name in ("autoreload", "serve_traceback"):
                settings.setdefault(name, True)
            for name in ("compiled_template_cache", "static_hash_cache"):
                settings.setdefault(name, False)
        rules = [*self._static_rules(settings), *(handlers or ())]
        self.wildcard_router = ApplicationRouter(self, rules)
        self.default_router = ApplicationRouter(self, [Rule(AnyMatches(), self.wildcard_router)])
        if settings.get("autoreload"):
            # Only programs in development need it.
            from eyewall.loop import autoreload

            autoreload.start()

    @lazy_attribute
    def timing(self) -> Timing:
        """The times of requests, where settings or handlers state some."""
        from eyewall.web.timing import Timing

        return Timing(self.settings, self.profile.stated_timeout)

    def _static_rules(self, settings: dict[str, Any]) -> list[RuleLike]:
        """The routes of the setting `static_path`."""
        if not settings.get("static_path"):
            return []
        # An application without static files does not pay for what serves them.
        from eyewall.web.static import StaticFileHandler

        handler = settings.setdefault("static_handler_class", StaticFileHandler)
        kwargs = {**settings.get("static_handler_args", {}), "path": settings["static_path"]}
        prefix = settings.setdefault("static_url_prefix", "/static/")
        return [
            (pattern, handler, kwargs)
            for pattern in (re.escape(prefix) + "(.*)", r"/(favicon\.ico)", r"/(robots\.txt)")
        ]

    # -- serving ----------------------------------------------------------------------------------------

    def listen(
        self,
        port: int,
        address: str | None = None,
        *,
        family: socket.AddressFamily = socket.AF_UNSPEC,
        backlog: int = DEFAULT_BACKLOG,
        flags: int | None = None,
        reuse_port: bool = False,
        **kwargs: Any,
    ) -> HTTPServer:
        """Starts a server for this application on `port` (0: any that is free) and returns it.

        `address`: an IP address or a host name, None for all interfaces. `backlog`: connections that may wait
        to be accepted, by default what the profile says. `family`, `flags` and `reuse_port` as with
        `bind_sockets`. The other keyword arguments are those of `HTTPServer`. The loop need not run yet. Raises
        OSError where the address can't be had.
        """
        kwargs.setdefault("profile", self.profile)
        server = HTTPServer(self, **kwargs)
        server.listen(port, address, family=family, backlog=backlog, flags=flags, reuse_port=reuse_port)
        return server

    def entry(self) -> App:
        """Returns what a server serves: this application's `Entry`, or where a subclass begins requests or finds
        handlers itself, the documented way through delegates. The setting `request_ids` gives requests their ids, and
        `health` puts health endpoints before all that."""
        app: App
        kind = type(self)
        if (
            kind.find_handler is not Application.find_handler
            or kind.start_request is not Application.start_request
        ):
            app = DelegateApp(self)
        else:
            own = kind.get_handler_delegate is not Application.get_handler_delegate
            app = Entry(
                self,
                self.default_router,
                self.wildcard_router,
                self.profile.form_fields,
                self._unmatched,
                self._own_delegate if own else None,
            )
        if self.settings.get("request_ids"):
            from eyewall.http.requestids import IdentifyingApp

            app = IdentifyingApp(app, self.profile.request_id_bytes)
        health = self.settings.get("health")
        if health:
            # Most applications have none, and do not pay for what it takes.
            from eyewall.web.health import answering

            app = answering(app, health)
        return app

    def _own_delegate(self, request: HTTPServerRequest, match: Match) -> Any:
        """Asks a subclass for the delegate of a request."""
        args = [unquoted(value) for value in match.raw_args]
        kwargs = {name: unquoted(value) for name, value in match.raw_kwargs.items()}
        if match.route is not None:
            Bounds.noted(request, match.route)
        return self.get_handler_delegate(request, match.target, match.target_kwargs, args, kwargs)

    def _unmatched(self, request: HTTPServerRequest) -> Dispatch:
        """Returns who answers a request that no route matches."""
        handler = self.settings.get("default_handler_class")
        if handler is not None:
            return self._bounded(request, handler, self.settings.get("default_handler_args"), None, None)
        return self._bounded(request, ErrorHandler, {"status_code": 404}, None, None)

    def _bounded(
        self,
        request: HTTPServerRequest,
        target_class: Any,
        target_kwargs: dict[str, Any] | None,
        path_args: list[Any] | None,
        path_kwargs: dict[str, Any] | None,
    ) -> Dispatch:
        """Returns who serves a request within the limits of the application, the routes that led here, and the
        class."""
        bounds = Bounds.taken(request, target_class)
        if bounds.requests:
            # Most programs have no such limit on such a way.
            from eyewall.web.limiteddelegates import LimitedDispatch

            limited = LimitedDispatch(self, request, target_class, target_kwargs, path_args, path_kwargs)
            limited.limits = bounds.requests
            dispatch: Dispatch = limited
        else:
            dispatch = Dispatch(self, request, target_class, target_kwargs, path_args, path_kwargs)
        dispatch.route = bounds.route
        dispatch.rate_limits = (
            *self.rate_limits,
            *[rate for rate in bounds.rates if rate not in self.rate_limits],
        ) or None
        return dispatch

    def refuse(self, request: HTTPServerRequest, status: int) -> None:
        """Answers a request that has no handler, or whose handler can't, with `status` and no content."""
        exchange = request.connection
        reason = responses.get(status, "Unknown")
        if type(exchange) is Exchange:
            if exchange.started:
                if not exchange.over:
                    exchange.carrier.break_off()
            else:
                exchange.respond(status, reason, b"", b"", 0)
        else:
            exchange.write_headers(
                ResponseStartLine("", status, reason), HTTPHeaders({"Content-Length": "0"})
            )
            exchange.finish()

    # -- Tornado's interface ----------------------------------------------------------------------------

    def __call__(self, request: HTTPServerRequest) -> None:
        """Serves a whole request that was made elsewhere; it is answered on `request.connection`."""
        delegate = self.find_handler(request)
        line = RequestStartLine(request.method, request.uri, request.version)
        delegate.headers_received(line, request.headers)
        wait = delegate.data_received(request.body) if request.body else None
        if wait is None:
            delegate.finish()
        else:
            asyncio.ensure_future(wait).add_done_callback(lambda _: delegate.finish())

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Returns the delegate that serves `request`; there is always one."""
        delegate = self.default_router.find_handler(request)
        return delegate if delegate is not None else self._unmatched(request)

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[Any] | None = None,
        path_kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Returns an `HTTPMessageDelegate` that serves `request` with `target_class`.

        `target_kwargs` are for its `initialize`. `path_args` and `path_kwargs`: what the route matched,
        percent-decoded, as bytes.
        """
        return self._bounded(request, target_class, target_kwargs, path_args, path_kwargs)

    def add_handlers(self, host_pattern: str, host_handlers: list[RuleLike]) -> None:
        """Adds routes for the hosts that `host_pattern` matches, a regular expression; they come before those
        of the constructor.

        `host_handlers`: rules, as for the constructor.
        """
        rule = Rule(HostMatches(host_pattern), host_handlers)
        rules = self.default_router.rules
        rules.insert(len(rules) - 1, self.default_router.process_rule(rule))
        if self.default_host is not None:
            default = Rule(DefaultHostMatches(self, rule.matcher.host_pattern), rule.target)  # type: ignore[attr-defined]
            self.wildcard_router.rules.append(self.wildcard_router.process_rule(default))

    def add_transform(self, transform_class: type[OutputTransform]) -> None:
        """Has instances of `transform_class` see the responses from now on."""
        self.transforms.append(transform_class)

    def reverse_url(self, name: str, *args: Any) -> str:
        """Returns the path of the route `name` with `args` in the place of its groups.

        Raises KeyError when there is no route of that name.
        """
        path = self.default_router.reverse_url(name, *args)
        if path is None:
            raise KeyError(f"{name} not found in named urls")
        return path
