"""What kind of application a target is, and what makes it something that `HTTPServer` serves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from eyewall.cli.target import TargetError
from eyewall.http.asgi import ASGIContainer
from eyewall.http.delegates import HTTPServerConnectionDelegate
from eyewall.http.wsgi import WSGIContainer

#: What tells callables apart: `(request)`, `(environ, start_response)`, `(scope, receive, send)`.
_BY_PARAMETERS = {1: "eyewall", 2: "wsgi", 3: "asgi"}


def is_factory(served: Any) -> bool:
    """Whether `served` is to be called, without arguments, for an application: a class or a function that
    needs none.
    """
    if isinstance(served, type):
        return True
    return not _is_native(served) and callable(served) and _parameters(served) == 0


def factory_of(factory: Any, text: str) -> Callable[[], Any]:
    """Returns `factory`, which returns an application or what is to be awaited for one. Raises TargetError
    where it can't be called without arguments.
    """
    if not callable(factory):
        raise TargetError(f"{text!r} is a {type(factory).__name__}, not a factory that can be called")
    try:
        inspect.signature(factory).bind()
    except TypeError as error:
        raise TargetError(f"the factory {text!r} must be callable without arguments: {error}") from None
    except ValueError:
        # Written in C, without a signature: the call will show.
        pass
    called: Callable[[], Any] = factory
    return called


def interface_of(served: Any, text: str) -> str:
    """Returns `eyewall`, `asgi` or `wsgi`. Raises TargetError for what is none of them."""
    if _is_native(served):
        return "eyewall"
    home = type(served).__module__
    if home.split(".")[0] == "tornado" and hasattr(served, "find_handler"):
        raise TargetError(
            f"{text!r} is an application of Tornado itself ({home}). Import from eyewall instead of tornado, "
            f"or let Eyewall stand in for it: python -m eyewall.tornado -m eyewall run {text}"
        )
    if not callable(served) or isinstance(served, type):
        raise TargetError(f"{text!r} is {_a(served)}, which can't be served: it must be an application")
    found = _BY_PARAMETERS.get(_parameters(served) or 0)
    if found is None:
        raise TargetError(
            f"{text!r} is {_a(served)} that takes none of (request), (environ, start_response) and "
            "(scope, receive, send); --interface says which it is meant to take"
        )
    return found


def adapted(served: Any, interface: str, text: str, wsgi_threads: int) -> Any:
    """Returns what `HTTPServer` serves for an application of `interface` (`auto`: the one it shows)."""
    if interface == "auto":
        interface = interface_of(served, text)
    if interface == "eyewall":
        if not _is_native(served) and not callable(served):
            raise TargetError(f"{text!r} is {_a(served)}, not an application of Eyewall")
        return served
    if not callable(served):
        raise TargetError(f"{text!r} is {_a(served)}, not an application for {interface.upper()}")
    if interface == "asgi":
        # Other applications bring their own WebSockets, or none.
        from eyewall.websocket.asgi import WebSocketCycle

        return ASGIContainer(served, websockets=WebSocketCycle)
    return WSGIContainer(served, ThreadPoolExecutor(wsgi_threads, "wsgi"))


def _is_native(served: Any) -> bool:
    if isinstance(served, type):
        return False
    return hasattr(served, "begin") or isinstance(served, HTTPServerConnectionDelegate)


def _parameters(function: Any) -> int | None:
    """Returns how many arguments `function` has to be given by position; None where it does not say."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    return sum(
        each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        for each in parameters
    )


def _a(served: Any) -> str:
    if isinstance(served, type):
        return f"the class {served.__name__}"
    kind = type(served).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
