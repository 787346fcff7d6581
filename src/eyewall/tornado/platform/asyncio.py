"""Tornado's `tornado.platform.asyncio`."""

from eyewall.loop import anythread
from eyewall.loop.aioloop import AsyncIOLoop as AsyncIOLoop, AsyncIOMainLoop as AsyncIOMainLoop
from eyewall.loop.aioloop import BaseAsyncIOLoop as BaseAsyncIOLoop, to_asyncio_future as to_asyncio_future
from eyewall.loop.aioloop import to_tornado_future as to_tornado_future
from eyewall.loop.selector import AddThreadSelectorEventLoop as AddThreadSelectorEventLoop
from eyewall.loop.selector import SelectorThread as SelectorThread
from eyewall.loop.selector import _atexit_callback as _atexit_callback, _selector_loops as _selector_loops


def __getattr__(name: str) -> object:
    # asyncio deprecates its policies: made only for a program that asks.
    return getattr(anythread, name)
