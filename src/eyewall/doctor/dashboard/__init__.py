"""The live dashboard: what a process does, and what is wrong with it, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.doctor.dashboard.application import dashboard_rules

__all__ = ["dashboard_rules"]

_NAMES = {"dashboard_rules": "application"}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
