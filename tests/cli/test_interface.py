"""Which kind of application something is."""

from __future__ import annotations

from typing import Any

import pytest

from eyewall.cli.interface import adapted, factory_of, interface_of, is_factory
from eyewall.cli.target import TargetError
from eyewall.http.asgi import ASGIContainer
from eyewall.http.delegates import HTTPServerConnectionDelegate
from eyewall.http.wsgi import WSGIContainer
from eyewall.web.application import Application

pytestmark = pytest.mark.one_build


class Own(Application):
    def __init__(self) -> None:
        super().__init__([])


class Framework:
    """What ASGI frameworks' applications look like."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Flaskish:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...
def wsgi(environ: Any, start_response: Any, debug: bool = False) -> Any: ...
def callback(request: Any) -> None: ...
def make() -> Any: ...
def make_with(debug: bool = False) -> Any: ...
def anything(*args: Any) -> Any: ...


@pytest.mark.parametrize(
    ("served", "interface"),
    [
        (Own(), "eyewall"),
        (HTTPServerConnectionDelegate(), "eyewall"),
        (callback, "eyewall"),
        (Framework(), "asgi"),
        (asgi, "asgi"),
        (Flaskish(), "wsgi"),
        (wsgi, "wsgi"),
    ],
)
def test_applications(served: Any, interface: str) -> None:
    assert not is_factory(served)
    assert interface_of(served, "app") == interface
    kinds = {"asgi": ASGIContainer, "wsgi": WSGIContainer, "eyewall": object}
    assert isinstance(adapted(served, "auto", "app", 1), kinds[interface])


@pytest.mark.parametrize("factory", [make, make_with, Own, lambda: None])
def test_factories(factory: Any) -> None:
    assert is_factory(factory)
    assert factory_of(factory, "app") is factory


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (1, "an int, which can't be served"),
        (anything, "--interface"),
        (make, "--interface"),
        (Framework, "the class Framework"),
        (None, "a NoneType"),
    ],
)
def test_what_can_not_be_served(served: Any, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        interface_of(served, "app")


def test_an_application_of_tornado_itself() -> None:
    kind = type("Application", (), {"__module__": "tornado.web", "find_handler": None, "__call__": callback})
    with pytest.raises(TargetError, match="eyewall instead of tornado"):
        interface_of(kind(), "app")


def test_an_interface_that_is_named_is_taken() -> None:
    assert isinstance(adapted(anything, "wsgi", "app", 1), WSGIContainer)
    assert isinstance(adapted(anything, "asgi", "app", 1), ASGIContainer)
    for interface in ("asgi", "wsgi", "eyewall"):
        with pytest.raises(TargetError):
            adapted(1, interface, "app", 1)


def test_factories_that_need_something() -> None:
    with pytest.raises(TargetError, match="without arguments"):
        factory_of(callback, "app")
    with pytest.raises(TargetError, match="not a factory"):
        factory_of(1, "app")
