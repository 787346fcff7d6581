"""Tornado's API: a program written for it runs after `tornado` in its imports became `eyewall.tornado`.

Each module re-exports what its namesake documents, from the layers where it lives. The first import makes Tornado's
profile (its documented limits and leniencies) the active one, unless the program has chosen a profile before.
"""

import sys
from importlib import import_module

from eyewall._version import TORNADO_API_VERSION
from eyewall.guard.profile import TORNADO, prefer

#: The public modules; each is also loaded when it is first read as an attribute.
__all__ = """auth autoreload concurrent curl_httpclient escape gen http1connection httpclient httpserver httputil
ioloop iostream locale locks log netutil options platform process queues routing simple_httpclient tcpclient tcpserver
template testing util web websocket wsgi""".split()  # noqa: SIM905

version = TORNADO_API_VERSION
version_info = (*map(int, version.split(".")), 0)

prefer(TORNADO)


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Under the alias, so that it is known by both names.
    package = "tornado" if sys.modules.get("tornado") is sys.modules[__name__] else __name__
    return import_module(f"{package}.{name}")
