"""Eyewall: Tornado's programming model, ten times faster, with an eye inside.

The packages below are the layers, from `base` up to `cli`; `eyewall.web` is where most programs begin. This module
imports none of them, so that each program loads what it uses.

PYTEST_DONT_REWRITE: it is imported before pytest where a program runs under the import alias, and that is not worth a
warning.
"""

from __future__ import annotations

from eyewall._version import TORNADO_API_VERSION, VERSION

__version__ = VERSION

__all__ = ["TORNADO_API_VERSION", "VERSION", "__version__"]
