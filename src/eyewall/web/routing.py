"""Routing: from a request to who takes it.

A `Router` is what an HTTP server can serve: it finds a delegate for each request. A `RuleRouter` has a list
of rules, each a `Matcher` and a target; the first whose matcher accepts the request and whose target takes it
wins. Targets are other routers, `HTTPServerConnectionDelegate`s, functions of a request and, with an
application, handler classes and lists of further rules. The rules are not tried one by one: see `routeindex`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from eyewall.base.loggers import app_log, gen_log
from eyewall.base.objects import import_object
from eyewall.guard.limits.stated import fit_for_route
from eyewall.guard.profile import active
from eyewall.http.delegates import HTTPMessageDelegate, HTTPServerConnectionDelegate
from eyewall.http.exchange import Exchange
from eyewall.http.headers import HTTPHeaders
from eyewall.http.request import HTTPServerRequest
from eyewall.http.startline import RequestStartLine, ResponseStartLine
from eyewall.web.bounds import Bounds
from eyewall.web.matchers import AnyMatches, DefaultHostMatches, HostMatches, Matcher, PathMatches
from eyewall.web.routeindex import Match, Route, RouteIndex

if TYPE_CHECKING:
    from eyewall.guard.limits.ratelimit import RateLimit
    from eyewall.guard.limits.requestlimit import RequestLimit

__all__ = [
    "AnyMatches",
    "ApplicationRouter",
    "DefaultHostMatches",
    "HandlerApplication",
    "HostMatches",
    "Match",
    "Matcher",
    "PathMatches",
    "ReversibleRouter",
    "ReversibleRuleRouter",
    "Router",
    "Rule",
    "RuleRouter",
    "URLSpec",
    "is_handler_class",
    "url",
]


class HandlerApplication(Protocol):
    """The part of an application that makes delegates for its handlers."""

    def get_handler_delegate(
        self,
        request: Any,
        target_class: Any,
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> HTTPMessageDelegate: ...


class Router(HTTPServerConnectionDelegate):
    """Serves requests by finding somebody who does."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Returns who takes `request`, or None when it is not for this router.

        `kwargs` is what the rule that led here found out about the request.
        """
        raise NotImplementedError

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        return _RoutedMessage(self, server_conn, request_conn)


class ReversibleRouter(Router):
    """A router that knows the paths of its routes by name."""

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """Returns the path of the route `name` with `args` in it, or None when there is no such route."""
        raise NotImplementedError


class _RoutedMessage(HTTPMessageDelegate):
    """A request that is routed when its head is there; 404 when nobody takes it."""

    def __init__(self, router: Router, server_conn: object, request_conn: Any) -> None:
        self._router = router
        self._server_conn = server_conn
        self._request_conn = request_conn
        self._taker: HTTPMessageDelegate | None = None

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Any:
        connection = self._request_conn
        if isinstance(connection, Exchange):
            request = HTTPServerRequest.of(connection, active().form_fields)
        else:
            request = HTTPServerRequest(
                connection=connection,
                server_connection=self._server_conn,
                start_line=RequestStartLine(*start_line),
                headers=headers,
            )
        taker = self._router.find_handler(request)
        if taker is None:
            gen_log.debug("Delegate for %s %s request not found", request.method, request.path)
            taker = _NotFound(connection)
        self._taker = taker
        return taker.headers_received(start_line, headers)

    @property
    def ready(self) -> Any:
        """What the one who takes it has: see `http.sink`."""
        return getattr(self._taker, "ready", None)

    @property
    def within(self) -> HTTPMessageDelegate | None:
        """Who takes it: see `http.tracking`."""
        return self._taker

    def data_received(self, chunk: bytes) -> Any:
        return None if self._taker is None else self._taker.data_received(chunk)

    def finish(self) -> None:
        if self._taker is not None:
            self._taker.finish()

    def on_connection_close(self) -> None:
        if self._taker is not None:
            self._taker.on_connection_close()


class _NotFound(HTTPMessageDelegate):
    """Answers 404 without a body."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def finish(self) -> None:
        headers = HTTPHeaders({"Content-Length": "0"})
        self._connection.write_headers(ResponseStartLine("HTTP/1.1", 404, "Not Found"), headers)
        self._connection.finish()


class _Called(HTTPMessageDelegate):
    """Calls a function with the request when its body is complete."""

    def __init__(self, function: Any, request: HTTPServerRequest) -> None:
        self._function = function
        self._request = request
        self._chunks: list[bytes] = []

    def data_received(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def finish(self) -> None:
        self._request.body = b"".join(self._chunks)
        self._chunks.clear()
        self._function(self._request)

    def on_connection_close(self) -> None:
        self._chunks.clear()


class Rule:
    """A matcher and what it leads to.

    `target_kwargs` are passed to the target's constructor (a handler's `initialize`), `name` is for
    `reverse_url`. A target may be given by its dotted name, which is imported (ImportError if it cannot be).
    """

    def __init__(
        self,
        matcher: Matcher,
        target: Any,
        target_kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        self.matcher = matcher
        self.target = import_object(target) if isinstance(target, str) else target
        self.target_kwargs = target_kwargs or {}
        self.name = name
        #: See `limited`.
        self.limit: RequestLimit | None = None
        self.rate_limit: RateLimit | None = None

    def limited(self, requests: RequestLimit | None = None, *, rate: RateLimit | None = None) -> Self:
        """Bounds the requests in flight on this route, and how often they may come. Returns the rule.

        Where the target is a router or a list of rules, it holds for all that they lead to, besides what bounds that.
        Rates are a handler's business: they hold for requests that reach one. Raises TypeError for a limit that adapts,
        which is for a server, and for a rate where the target is no handler and leads to none.

        Not arguments of the constructor, whose signature is Tornado's.
        """
        fit_for_route(requests, "a route")
        target = self.target
        leads_on = isinstance(target, (type, list, tuple, Router))
        if rate is not None and not leads_on and (callable(target) or hasattr(target, "start_request")):
            raise TypeError(f"a rate is for routes that lead to handlers, not to {target!r}")
        self.limit = requests
        self.rate_limit = rate
        return self

    def reverse(self, *args: Any) -> str | None:
        """Returns the matcher's path with `args` in it."""
        return self.matcher.reverse(*args)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.matcher!r}, {self.target}, "
            f"kwargs={self.target_kwargs!r}, name={self.name!r})"
        )


class URLSpec(Rule):
    """A rule for paths: the regular expression `pattern`, which the whole path has to match, and a
    handler.

    Its groups are the arguments of the handler's verbs, by name where all have one. `kwargs` are given to the handler's
    `initialize`. `name` is what `reverse_url` finds the rule by. Raises ValueError for a mixture of groups
    with names and without.
    """

    def __init__(
        self,
        pattern: str | re.Pattern[str],
        handler: Any,
        kwargs: dict[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        matcher = PathMatches(pattern)
        super().__init__(matcher, handler, kwargs, name)
        self.regex = matcher.regex
        self.handler_class = self.target
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.regex.pattern!r}, {self.handler_class}, "
            f"kwargs={self.kwargs!r}, name={self.name!r})"
        )


url = URLSpec

#: A rule as it may be written: (matcher or pattern, target[, target_kwargs[, name]]).
RuleLike = Rule | Sequence[Any]


class RuleRouter(Router):
    """Finds the first of its rules that a request matches and whose target takes it.

    `rules` may be added to and removed from at any time; to exchange one for another, call `add_rules`
    afterwards or give the list another length.
    """

    #: The index of the rules, None where they have changed.
    index: RouteIndex | None = None

    def __init__(self, rules: Iterable[RuleLike] | None = None) -> None:
        self.rules: list[Rule] = []
        if rules:
            self.add_rules(rules)

    def add_rules(self, rules: Iterable[RuleLike]) -> None:
        """Appends rules. Raises TypeError and ValueError for what is none."""
        for rule in rules:
            self.rules.append(self.process_rule(_as_rule(rule)))
        self.index = None

    def process_rule(self, rule: Rule) -> Rule:
        """Override it to change each `rule` as it is added; returns the one to use."""
        return rule

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        path = request.path
        for route in self._routes().candidates(path):
            params = route.params(path, request)
            if params is not None:
                delegate = self._led(route, params, request)
                if delegate is not None:
                    return delegate
        return None

    def _led(
        self, route: Route, params: dict[str, Any], request: HTTPServerRequest
    ) -> HTTPMessageDelegate | None:
        """Returns who takes `request` where `route` leads, within its limits; None for the next route."""
        rule = route.rule
        if rule.target_kwargs:
            params["target_kwargs"] = rule.target_kwargs
        before = getattr(request, "_bounds", None)
        bounds = Bounds.noted(request, route)
        delegate = self.get_target_delegate(rule.target, request, **params)
        if delegate is None:
            request._bounds = before
            return None
        return bounds.around(delegate, request)

    def get_target_delegate(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> HTTPMessageDelegate | None:
        """Returns who takes `request` on behalf of `target`, or None for the next rule.

        Override it for targets of other kinds. `target_params` are what the matcher found, and
        `target_kwargs`.
        """
        if isinstance(target, Router):
            return target.find_handler(request, **target_params)
        if isinstance(target, HTTPServerConnectionDelegate):
            return target.start_request(request.server_connection, request.connection)
        if callable(target):
            function = functools.partial(target, **target_params) if target_params else target
            return _Called(function, request)
        return None

    def _is_final(self, target: Any) -> bool:
        """Whether `target` takes every request that matches its rule, and `match` can tell of it by
        itself."""
        return False

    def _routes(self) -> RouteIndex:
        """The index of the rules as they are now."""
        index = self.index
        if index is None or len(self.rules) != index.size:
            rules = enumerate(self.rules)
            index = RouteIndex([Route(order, rule, self._is_final(rule.target)) for order, rule in rules])
            self.index = index
        return index


class ReversibleRuleRouter(ReversibleRouter, RuleRouter):
    """A router of rules, of which those with a name can be turned back into paths."""

    def __init__(self, rules: Iterable[RuleLike] | None = None) -> None:
        self.named_rules: dict[str, Rule] = {}
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        rule = super().process_rule(rule)
        if rule.name:
            if rule.name in self.named_rules:
                app_log.warning("Multiple handlers named %s; replacing previous value", rule.name)
            self.named_rules[rule.name] = rule
        return rule

    def reverse_url(self, name: str, *args: Any) -> str | None:
        """Returns the path of the rule `name`, also one of a router among the targets; None for none."""
        rule = self.named_rules.get(name)
        if rule is not None:
            return rule.matcher.reverse(*args)
        for nested in self.rules:
            if isinstance(nested.target, ReversibleRouter):
                path = nested.target.reverse_url(name, *args)
                if path is not None:
                    return path
        return None


class ApplicationRouter(ReversibleRuleRouter):
    """The router of an application: targets may also be handler classes, and lists of further rules."""

    def __init__(self, application: HandlerApplication, rules: Iterable[RuleLike] | None = None) -> None:
        self.application = application
        super().__init__(rules)

    def process_rule(self, rule: Rule) -> Rule:
        rule = super().process_rule(rule)
        if isinstance(rule.target, (list, tuple)):
            rule.target = type(self)(self.application, rule.target)
        return rule

    def get_target_delegate(
        self, target: Any, request: HTTPServerRequest, **target_params: Any
    ) -> HTTPMessageDelegate | None:
        if is_handler_class(target):
            return self.application.get_handler_delegate(request, target, **target_params)
        return super().get_target_delegate(target, request, **target_params)

    def match(self, path: str, request: HTTPServerRequest) -> Match | None:
        """Returns where `request` goes, whose path is `path`: `find_handler` without a delegate for
        handlers."""
        return self._routes().find(path, request, self._resolve)

    def _is_final(self, target: Any) -> bool:
        return is_handler_class(target) and self._decides_itself()

    def _decides_itself(self) -> bool:
        """Whether a subclass has left the decisions of this class alone."""
        kind = type(self)
        return (
            kind.get_target_delegate is ApplicationRouter.get_target_delegate
            and kind.find_handler is RuleRouter.find_handler
        )

    def _resolve(
        self, route: Route, params: dict[str, Any], path: str, request: HTTPServerRequest
    ) -> Match | None:
        target = route.rule.target
        if (
            isinstance(target, ApplicationRouter)
            and target._decides_itself()
            and not params
            and route.limit is None
            and route.rate_limit is None
        ):
            return target.match(path, request)
        delegate = self._led(route, params, request)
        return None if delegate is None else Match(None, {}, (), {}, delegate)


def is_handler_class(target: Any) -> bool:
    """Tells whether `target` is a RequestHandler class; they know their methods."""
    return isinstance(target, type) and hasattr(target, "SUPPORTED_METHODS")


def _as_rule(rule: RuleLike) -> Rule:
    """Makes a rule of a tuple or list. Raises TypeError and ValueError for anything else."""
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, (tuple, list)):
        raise TypeError(f"a rule is a Rule, a tuple or a list, not {rule!r}")
    if not 2 <= len(rule) <= 4:
        raise ValueError(f"a rule has a matcher, a target and at most target_kwargs and a name: {rule!r}")
    if isinstance(rule[0], (str, re.Pattern)):
        return URLSpec(*rule)
    return Rule(*rule)
