"""Matchers: what a rule asks of a request."""

from __future__ import annotations

import re
from typing import Any, Protocol

from eyewall.base.escape import url_escape
from eyewall.base.percent import percent_decode
from eyewall.web.pathpattern import literal_prefix, path_template


class RoutedRequest(Protocol):
    """The part of a request that matchers look at."""

    @property
    def path(self) -> str: ...
    @property
    def host_name(self) -> str: ...
    @property
    def headers(self) -> Any: ...


class HostedApplication(Protocol):
    """The part of an application that DefaultHostMatches looks at."""

    @property
    def default_host(self) -> str | None: ...


class Matcher:
    """Decides whether a rule is for a request; the base of all of them."""

    def match(self, request: Any) -> dict[str, Any] | None:
        """Returns None when the request is not for the rule, else what its target gets to know.

        That is a dictionary, which may be empty; `path_args` and `path_kwargs` in it are passed to the
        methods of a handler.
        """
        raise NotImplementedError

    def reverse(self, *args: Any) -> str | None:
        """Returns a path that matches, with `args` in it, or None when the matcher does not know of paths."""
        return None


class AnyMatches(Matcher):
    """Matches every request."""

    def match(self, request: Any) -> dict[str, Any] | None:
        return {}


class HostMatches(Matcher):
    """Matches requests by the host they ask for, without the port.

    `host_pattern` is a regular expression: the whole host has to match a string, a compiled one is used as it
    is.
    """

    def __init__(self, host_pattern: str | re.Pattern[str]) -> None:
        self.host_pattern = _whole(host_pattern)

    def match(self, request: RoutedRequest) -> dict[str, Any] | None:
        return {} if self.host_pattern.match(request.host_name) else None


class DefaultHostMatches(Matcher):
    """Matches requests that did not come through a proxy (no X-Real-Ip) when the application's `default_host`
    matches `host_pattern`."""

    def __init__(self, application: HostedApplication, host_pattern: re.Pattern[str]) -> None:
        self.application = application
        self.host_pattern = host_pattern

    def match(self, request: RoutedRequest) -> dict[str, Any] | None:
        default = self.application.default_host
        if default is None or "X-Real-Ip" in request.headers:
            return None
        return {} if self.host_pattern.match(default) else None


class PathMatches(Matcher):
    """Matches requests by their path.

    `path_pattern` is a regular expression: the whole path has to match a string, a compiled one is used as it
    is, from the beginning of the path. Its groups become arguments of the target: by position, or by name if
    they are named. Raises ValueError for a mixture of the two, and re.error for a malformed expression.
    """

    def __init__(self, path_pattern: str | re.Pattern[str]) -> None:
        self.regex = _whole(path_pattern)
        named = len(self.regex.groupindex)
        if named not in (0, self.regex.groups):
            raise ValueError(
                f"groups in url regexes must either be all named or all positional: {self.regex.pattern!r}"
            )
        self._template = path_template(self.regex)

    def match(self, request: RoutedRequest) -> dict[str, Any] | None:
        found = self.regex.match(request.path)
        if found is None:
            return None
        if not self.regex.groups:
            return {}
        if self.regex.groupindex:
            named = found.groupdict()
            return {"path_args": [], "path_kwargs": {name: unquoted(named[name]) for name in named}}
        return {"path_args": [unquoted(group) for group in found.groups()], "path_kwargs": {}}

    def reverse(self, *args: Any) -> str | None:
        """Returns the path with `args`, percent-encoded, in place of the groups.

        Slashes in them are kept. Raises ValueError for another number of arguments than there are groups, and
        for an expression with more than literal text and groups.
        """
        template = self._template
        if template is None:
            raise ValueError(f"Cannot reverse url regex {self.regex.pattern}")
        if len(args) != len(template) - 1:
            raise ValueError(
                f"required number of arguments not found: {self.regex.pattern} takes {len(template) - 1}, "
                f"not {len(args)}"
            )
        path = [template[0]]
        for arg, text in zip(args, template[1:], strict=True):
            path.append(url_escape(arg if isinstance(arg, (str, bytes)) else str(arg), plus=False))
            path.append(text)
        return "".join(path)

    def literal(self) -> tuple[str, bool]:
        """The literal start of matching paths, and whether it is the whole path: see `literal_prefix`."""
        return literal_prefix(self.regex)


def unquoted(group: str | None) -> bytes | None:
    """Returns a group of a path percent-decoded, None for one that took no part in the match."""
    return None if group is None else percent_decode(group.encode("utf-8"))


def _whole(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    """Compiles `pattern`, for all of a text if it is a string."""
    if not isinstance(pattern, str):
        return pattern
    return re.compile(pattern if pattern.endswith("$") else pattern + "$")
