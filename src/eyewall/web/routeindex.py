"""The order of a table of routes, kept, without trying each of them.

A route is found by what its pattern says of every path it matches (`pathpattern`): the whole path, the text
the path starts with, or nothing. The index keeps

    literals   a dictionary from whole paths to their candidates
    prefixes   the distinct starting texts in sorted order, each with the longest other one that it starts
    with

All starting texts that a path has lie on one chain: the entry before the path in sorted order, if it does not
fit itself, starts with the ones that do. One bisection finds the chain, and each chain's candidates are
merged once, into the order in which the routes were added. What is left to try are the routes that start like
the path; the first of them that matches is the first of the whole table that does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from eyewall.guard.limits.stated import as_rate_limit, as_request_limit
from eyewall.web.matchers import AnyMatches, Matcher, PathMatches, unquoted
from eyewall.web.segments import Segments, segments_of

#: Candidates that are kept merged, for all chains and literals together; beyond it each request merges its
#: own.
KEPT_CANDIDATES = 1 << 18

#: Returns what a route leads to for a request that its matcher has accepted with these parameters.
Resolve = Callable[["Route", dict[str, Any], str, Any], "Match | None"]

#: Of a route whose groups have no names; shared, and changed by nobody.
_NO_NAMES: dict[str, str | None] = {}

#: The path is the route's whole text: nothing is to be run.
WHOLE = 1
#: The pattern has to be run.
PATTERN = 2
#: Everything matches.
ALWAYS = 3
#: The matcher has to be asked.
ASK = 4


class Match:
    """A request has found its route.

    `target` is a handler class with its `target_kwargs` and the groups of the path, `raw_args` or
    `raw_kwargs`, as they were sent (percent-encoded, None for one that took no part). Where the route leads
    elsewhere, `delegate` is an `HTTPMessageDelegate` that takes the request, and the rest is empty. `route` is what
    was found, None where nobody knows. Shared between requests: none of it may be changed.
    """

    def __init__(
        self,
        target: Any,
        target_kwargs: dict[str, Any],
        raw_args: tuple[str | None, ...],
        raw_kwargs: dict[str, str | None],
        delegate: Any,
        route: Route | None = None,
    ) -> None:
        self.target = target
        self.target_kwargs = target_kwargs
        self.raw_args = raw_args
        self.raw_kwargs = raw_kwargs
        self.delegate = delegate
        self.route = route


class IndexedRule(Protocol):
    """What the index reads of a rule."""

    @property
    def matcher(self) -> Matcher: ...
    @property
    def target(self) -> Any: ...
    @property
    def target_kwargs(self) -> dict[str, Any]: ...


class Route:
    """A rule as the index sees it: where it stands and how it is decided.

    `final` says that its target takes every request it gets, so that no later route is needed.
    """

    def __init__(self, order: int, rule: IndexedRule, final: bool) -> None:
        self.order = order
        self.rule = rule
        self.matcher = rule.matcher
        self.final = final
        self.kind = ASK
        self.text = ""
        self.regex: re.Pattern[str] | None = None
        #: What decides instead of the regular expression, where it can.
        self.segments: Segments | None = None
        self.named = False
        #: What a request without groups finds, when the route is final.
        self.ready = Match(rule.target, rule.target_kwargs, (), {}, None, self)
        #: What to call it: its pattern as it was written, where it has one.
        self.label = _label(rule.matcher)
        #: The `guard.requestlimit.RequestLimit` of the rule, else of its handler class; None for none.
        self.limit: Any = _own_limit(rule)
        #: What has a request wait that finds no place there, or refuses it: `http.limiting.wait_or_refuse`.
        self.turn_away: Any = None if self.limit is None else _turning_away()
        #: The same with `guard.ratelimit.RateLimit`.
        self.rate_limit: Any = _own_rate_limit(rule)
        #: The `web.accounting.Account` of its requests, once there is one.
        self.account: Any = None
        # A subclass may decide otherwise: only the matchers' own methods are known.
        matcher = rule.matcher
        method = type(matcher).match
        if method is AnyMatches.match:
            self.kind = ALWAYS
        elif method is PathMatches.match and isinstance(matcher, PathMatches):
            self.regex = matcher.regex
            self.named = bool(matcher.regex.groupindex)
            self.text, whole = matcher.literal()
            self.kind = WHOLE if whole else PATTERN
            self.segments = None if self.named else segments_of(matcher.regex)

    def params(self, path: str, request: Any) -> dict[str, Any] | None:
        """What `Matcher.match` answers for this request."""
        if self.kind == ASK:
            return self.matcher.match(request)
        if self.kind == PATTERN and self.regex is not None:
            if self.named:
                found = self.regex.match(path)
                if found is None:
                    return None
                named = found.groupdict()
                return {"path_args": [], "path_kwargs": {name: unquoted(named[name]) for name in named}}
            groups = self.groups(path)
            if groups is None:
                return None
            if groups:
                return {"path_args": [unquoted(group) for group in groups], "path_kwargs": {}}
        return {}

    def groups(self, path: str) -> tuple[str | None, ...] | None:
        """Returns the groups of a pattern in `path`, as they stand there, or None where it does not match."""
        if self.segments is not None:
            return self.segments.groups(path)
        found = self.regex.match(path)  # type: ignore[union-attr]
        return None if found is None else found.groups()


class RouteIndex:
    """An index of `routes`, which are in the order in which they are to be tried. It does not change."""

    def __init__(self, routes: Iterable[Route]) -> None:
        whole: dict[str, list[Route]] = {}
        starting: dict[str, list[Route]] = {"": []}
        self.size = 0
        for route in routes:
            self.size += 1
            if route.kind == WHOLE:
                # `$` matches before a last line feed too.
                for text in (route.text, route.text + "\n"):
                    whole.setdefault(text, []).append(route)
            else:
                starting.setdefault(route.text, []).append(route)
        self._prefixes = sorted(starting)
        self._own = [tuple(starting[prefix]) for prefix in self._prefixes]
        self._parents = _parents(self._prefixes)
        self._merged: list[tuple[Route, ...] | None] = [None] * len(self._prefixes)
        self._whole = whole
        self._found: dict[str, tuple[Route, ...]] = {}
        self._room = KEPT_CANDIDATES
        #: The only chain there is, when nothing is literal.
        self._only = self._chain(0) if len(self._prefixes) == 1 and not whole else None

    def find(self, path: str, request: Any, resolve: Resolve) -> Match | None:
        """Returns what the first route leads to that matches and takes the request, None if there is none.

        `resolve(route, params, path, request)` decides for routes that are not final, and for those whose
        matcher is the application's own.
        """
        candidates = self.candidates(path)
        for route in candidates:
            kind = route.kind
            if route.final and kind != ASK:
                if kind != PATTERN:
                    return route.ready
                ready = route.ready
                if route.named:
                    found = route.regex.match(path)  # type: ignore[union-attr]
                    if found is None:
                        continue
                    return Match(ready.target, ready.target_kwargs, (), found.groupdict(), None, route)
                groups = route.groups(path)
                if groups is None:
                    continue
                if not groups:
                    return ready
                return Match(ready.target, ready.target_kwargs, groups, _NO_NAMES, None, route)
            params = route.params(path, request)
            if params is not None:
                match = resolve(route, params, path, request)
                if match is not None:
                    return match
        return None

    def candidates(self, path: str) -> tuple[Route, ...]:
        """Returns the routes that may match `path`, in their order; every other one does not.

        A route of kind WHOLE among them does match.
        """
        if self._only is not None:
            return self._only
        found = self._found.get(path)
        if found is not None:
            return found
        whole = self._whole.get(path)
        chain = self._chain(self._position(path))
        if whole is None:
            return chain
        merged = _cut(sorted((*whole, *chain), key=_order))
        if self._keep(len(merged)):
            self._found[path] = merged
        return merged

    def _position(self, path: str) -> int:
        """The position of the longest prefix that `path` starts with."""
        # Bisection by hand is compiled; that of the library costs as much as the rest of this.
        low = 0
        high = len(self._prefixes)
        while low < high:
            middle = (low + high) >> 1
            if path < self._prefixes[middle]:
                high = middle
            else:
                low = middle + 1
        at = low - 1
        while not path.startswith(self._prefixes[at]):
            at = self._parents[at]
        return at

    def _chain(self, at: int) -> tuple[Route, ...]:
        """The routes of a prefix and of all those that it starts with, in order."""
        merged = self._merged[at]
        if merged is not None:
            return merged
        routes: list[Route] = []
        step = at
        while step >= 0:
            routes.extend(self._own[step])
            step = self._parents[step]
        merged = _cut(sorted(routes, key=_order))
        if self._keep(len(merged)):
            self._merged[at] = merged
        return merged

    def _keep(self, size: int) -> bool:
        """Whether `size` more candidates may be kept."""
        if size > self._room:
            return False
        self._room -= size
        return True


def _own_limit(rule: Any) -> Any:
    limit = as_request_limit(getattr(rule, "limit", None))
    if limit is None and isinstance(rule.target, type):
        limit = as_request_limit(getattr(rule.target, "request_limit", None))
    return limit


def _own_rate_limit(rule: Any) -> Any:
    limit = as_rate_limit(getattr(rule, "rate_limit", None))
    if limit is None and isinstance(rule.target, type):
        limit = as_rate_limit(getattr(rule.target, "rate_limit", None))
    return limit


def _turning_away() -> Any:
    # Most routes have no limit.
    from eyewall.http.limiting import wait_or_refuse

    return wait_or_refuse


def _label(matcher: Matcher) -> str:
    if isinstance(matcher, PathMatches):
        pattern: str = matcher.regex.pattern
        return pattern.removesuffix("$")
    return "" if isinstance(matcher, AnyMatches) else type(matcher).__name__


def _order(route: Route) -> int:
    return route.order


def _cut(routes: list[Route]) -> tuple[Route, ...]:
    """Leaves out what can never be reached, behind a route that matches and is final."""
    for count, route in enumerate(routes, 1):
        if route.final and route.kind in (WHOLE, ALWAYS):
            return tuple(routes[:count])
    return tuple(routes)


def _parents(prefixes: list[str]) -> list[int]:
    """For each of sorted texts, the position of the longest other one that it starts with; -1 for none."""
    parents: list[int] = []
    open_: list[int] = []
    for at, prefix in enumerate(prefixes):
        while open_ and not prefix.startswith(prefixes[open_[-1]]):
            open_.pop()
        parents.append(open_[-1] if open_ else -1)
        open_.append(at)
    return parents
