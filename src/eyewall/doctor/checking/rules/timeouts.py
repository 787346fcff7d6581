"""EW401: waiting for another machine without an end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from eyewall.doctor.checking.problem import Problem, RuleInfo
from eyewall.doctor.checking.rules.blockingrule import argument, has_rest, is_constant
from eyewall.doctor.checking.scopes import Function
from eyewall.doctor.checking.view import View, problem
from eyewall.doctor.finding import Severity

_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
#: Without `timeout`, they wait for ever.
_ENDLESS = frozenset(
    {
        *(f"requests.{verb}" for verb in _VERBS),
        *(f"requests.Session.{verb}" for verb in _VERBS),
        "urllib.request.urlopen",
    }
)
#: The position of `timeout`, where it may be given without its name.
_POSITIONS = {"urllib.request.urlopen": 2}
#: They have a timeout, unless it is None.
_DEFAULTED = frozenset(
    {
        *(f"httpx.{verb}" for verb in (*_VERBS, "stream", "Timeout")),
        *(f"httpx.{client}.{verb}" for client in ("Client", "AsyncClient") for verb in (*_VERBS, "stream")),
        "httpx.Client",
        "httpx.AsyncClient",
        "aiohttp.ClientSession",
        *(f"aiohttp.ClientSession.{verb}" for verb in _VERBS),
    }
)
#: A timeout of 0 means none.
_FETCHES = frozenset(
    {
        "tornado.httpclient.HTTPRequest",
        "tornado.httpclient.AsyncHTTPClient.fetch",
        "tornado.httpclient.HTTPClient.fetch",
    }
)
_TIMEOUT_PARTS = ("total", "sock_read", "sock_connect", "connect")
#: Connecting without a timeout takes as long as the system likes; reading, as the other side likes.
_CONNECTING = frozenset({"asyncio.open_connection", "asyncio.open_unix_connection"})
_BOUNDS = (
    "asyncio.timeout",
    "asyncio.timeout_at",
    "asyncio.wait_for",
    "tornado.gen.with_timeout",
    "async_timeout.timeout",
    "anyio.fail_after",
    "anyio.move_on_after",
    "eyewall.guard.timeout",
)


def _is_here(call: ast.Call) -> bool:
    """Whether the other side is this machine, or connected already."""
    host = argument(call, "host", 0)
    return is_constant(host, "127.0.0.1", "::1", "localhost") or argument(call, "sock") is not None


class NoTimeout:
    """A request to another machine without a timeout."""

    about = RuleInfo(
        "EW401",
        "no-timeout",
        Severity.WARNING,
        "When the other side does not answer, this waits for ever, and what waits for it piles up.",
        "Give a timeout, a few times as long as it usually takes.",
        ("S113",),
    )

    def check(self, view: View) -> Iterator[Problem]:
        """Looks at all calls that ask another machine."""
        for function in view.program.functions:
            for call in function.calls:
                target = view.program.callee(call, function)
                if isinstance(target, str):
                    message = self._wrong(view, call, target, function)
                    if message:
                        yield problem(self, function, call, message)

    def _wrong(self, view: View, call: ast.Call, target: str, function: Function) -> str:
        given = argument(call, "timeout", _POSITIONS.get(target))
        if target in _ENDLESS:
            if is_constant(given, None) or (given is None and not has_rest(call)):
                return f"{target}() has no timeout, and none by default"
        elif target in _DEFAULTED:
            first = call.args[0] if target == "httpx.Timeout" and call.args else None
            if is_constant(given, None) or is_constant(first, None):
                return f"{target}() has its timeout turned off"
        elif target == "aiohttp.ClientTimeout":
            parts = [argument(call, name, number) for number, name in enumerate(_TIMEOUT_PARTS[:1])]
            others = [argument(call, name) for name in _TIMEOUT_PARTS[1:]]
            if is_constant(parts[0], None, 0) and all(
                each is None or is_constant(each, None, 0) for each in others
            ):
                return "aiohttp.ClientTimeout() with no time in total, and for no part of it, is no timeout"
        elif target in _FETCHES:
            if is_constant(argument(call, "request_timeout"), 0, 0.0):
                return "request_timeout=0 means that there is no timeout"
        elif (
            target in _CONNECTING
            and not has_rest(call)
            and not _is_here(call)
            and not self._bounded(view, call, function)
        ):
            return f"{target}() waits as long as the system likes for the connection"
        return ""

    def _bounded(self, view: View, call: ast.Call, function: Function) -> bool:
        """Whether a block or a decorator ends it; where it is not awaited here, nobody knows."""
        if id(call) not in function.awaited or any(
            "timeout" in ast.unparse(each) for each in function.decorators
        ):
            return True
        for around in function.around(call):
            if isinstance(around, ast.AsyncWith):
                items = [each.context_expr for each in around.items]
                if any(
                    isinstance(each, ast.Call) and view.program.callee(each, function) in _BOUNDS
                    for each in items
                ):
                    return True
        return False
