"""The arguments in docs/guard/limits.md are those of the classes, with their defaults."""

from __future__ import annotations

import inspect
import re

import pytest

from eyewall.guard import AdaptiveLimit, RateLimit, RequestLimit, SharedRateLimit
from eyewall.guard.profile import NATIVE
from eyewall.http.server import EXEMPT

from .pages import ROOT, table_rows

PAGE = ROOT / "docs" / "guard" / "limits.md"


def told() -> dict[str, str]:
    """Each argument that a table names, with the default that it tells."""
    found: dict[str, str] = {}
    for cells in table_rows(PAGE):
        names = re.findall("`([a-z_]+)`", cells[0])
        defaults = [text.strip().strip("`") for text in cells[1].split(",")] if len(cells) == 3 else []
        if len(names) == len(defaults):
            found.update(zip(names, defaults, strict=True))
    return found


@pytest.mark.parametrize("kind", [AdaptiveLimit, RateLimit])
def test_arguments_and_their_defaults(kind: type) -> None:
    tables = told()
    for name, parameter in inspect.signature(kind).parameters.items():
        default = parameter.default
        if default is inspect.Parameter.empty or name in ("retry_after", "clock"):
            continue
        if (kind, name) == (AdaptiveLimit, "name"):
            continue
        if callable(default):
            assert tables[name] == "the client's address"
        elif default is None:
            assert tables[name] == "none"
        else:
            assert tables[name] == str(default), name


def test_figures_in_the_text() -> None:
    text = PAGE.read_text("utf-8")
    shared = inspect.signature(SharedRateLimit).parameters
    assert f"`timeout`\n({shared['timeout'].default:g} s)" in text
    assert f"`pause` ({shared['pause'].default:g} s)" in text
    for path in EXEMPT:
        assert f"`{path}`" in text
    for name in (
        "connections",
        "connections_per_address",
        "requests",
        "request_queue",
        "request_queue_timeout",
    ):
        assert f"`{name}`" in text
        assert hasattr(NATIVE, name)
    patience = inspect.signature(RequestLimit).parameters["patience"].default
    assert patience == NATIVE.request_queue_timeout
