"""The faces of packages: what they promise is there, and their two lists of it agree."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import eyewall

LAYERS = ("base", "loop", "guard", "net", "http", "websocket", "client", "web", "testing")
FACES = (*LAYERS, "guard.executors")
ROOT = Path(eyewall.__file__).parent


def typed_names(package: str) -> dict[str, str]:
    """What the face imports for type checkers: from names to modules."""
    found = {}
    for node in ast.walk(ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"eyewall.{package}."):
            for alias in node.names:
                found[alias.name] = node.module.removeprefix(f"eyewall.{package}.")
    return found


@pytest.mark.parametrize("package", FACES)
def test_both_lists_agree(package: str) -> None:
    face = importlib.import_module(f"eyewall.{package}")
    assert typed_names(package) == face._NAMES
    assert sorted(face.__all__) == sorted(face._NAMES)


@pytest.mark.parametrize("package", FACES)
def test_every_name_is_what_its_module_defines(package: str) -> None:
    face = importlib.import_module(f"eyewall.{package}")
    for name, module in face._NAMES.items():
        assert getattr(face, name) is getattr(importlib.import_module(f"eyewall.{package}.{module}"), name)
        assert name in dir(face)


def test_an_unknown_name_is_an_attribute_error() -> None:
    web = importlib.import_module("eyewall.web")
    with pytest.raises(AttributeError, match=r"'eyewall.web' has no attribute 'Nothing'"):
        web.Nothing  # noqa: B018


def test_a_plain_handler_loads_nothing_that_it_does_not_use() -> None:
    unwanted = (
        "eyewall.cli eyewall.guard.deadlines.alarms eyewall.guard.deadlines.awaiting eyewall.guard.deadlines.timeouts "
        "eyewall.guard.lifecycle.tasks eyewall.guard.limits.inflight eyewall.guard.limits.ratelimit "
        "eyewall.guard.limits.requestlimit eyewall.http.decompression eyewall.http.forms eyewall.http.limiting "
        "eyewall.http.multipart eyewall.http.pieces eyewall.http.proxy eyewall.http.requestids eyewall.web.debugpage "
        "eyewall.web.limiteddelegates eyewall.web.locale eyewall.web.mistakes eyewall.web.overtime "
        "eyewall.web.ratelimiting eyewall.web.static "
        "eyewall.web.template eyewall.web.timing eyewall.web.transforms eyewall.web.websocket "
        "click datetime email graphlib hashlib hmac http.client multiprocessing tempfile unittest zlib"
    )
    program = (
        "import sys; from eyewall.web import Application, RequestHandler\n"
        "class Handler(RequestHandler):\n"
        "    def get(self): pass\n"
        "Application([('/', Handler)])\n"
        f"print(*(name for name in {unwanted!r}.split() if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
