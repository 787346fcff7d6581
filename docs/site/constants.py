"""Defaults in signatures: the value of a constant instead of its name, which only its module knows."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.autodoc.preserve_defaults import DefaultValue

_CONSTANT = re.compile("_?[A-Z][A-Z0-9_]*")
#: Types whose `repr` says all there is. Of others (a clock, a marker for "not given") the name says more.
_TOLD = (bool, int, float, str, bytes)


def told(obj: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """Returns the parameters of a signature that autodoc has prepared, None where there is nothing to replace."""
    function = inspect.unwrap(getattr(obj, "__func__", obj))
    known: dict[str, object] = getattr(function, "__globals__", {})
    signature = getattr(obj, "__signature__", None)
    if not isinstance(signature, inspect.Signature):
        return None
    found = []
    for each in signature.parameters.values():
        name = each.default.name if isinstance(each.default, DefaultValue) else ""
        value = known.get(name) if _CONSTANT.fullmatch(name) else None
        plain = type(value) in _TOLD
        found.append(each.replace(default=DefaultValue(repr(value))) if plain else each)
    return found


def tell(app: Sphinx, obj: Callable[..., Any], bound_method: bool) -> None:
    """Puts the values into the signature that is shown of a function."""
    parameters = told(obj)
    if parameters is not None:
        signature = inspect.signature(obj).replace(parameters=parameters)
        getattr(obj, "__func__", obj).__dict__["__signature__"] = signature


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    # After autodoc has taken the defaults from the source.
    app.connect("autodoc-before-process-signature", tell, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
