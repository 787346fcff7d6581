"""The eye: finds by itself what is wrong with a live program, and names the line. Works on any asyncio program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyewall._face import lazy_face

if TYPE_CHECKING:
    from eyewall.doctor.collector import Collector
    from eyewall.doctor.enabling import add_sink, disable, enable, enabled, findings
    from eyewall.doctor.finding import Evidence, Finding, Severity, Subject
    from eyewall.doctor.options import OptionError, Options
    from eyewall.doctor.places import Place
    from eyewall.doctor.waits.detector import stacks

__all__ = [
    "Collector",
    "Evidence",
    "Finding",
    "OptionError",
    "Options",
    "Place",
    "Severity",
    "Subject",
    "add_sink",
    "disable",
    "enable",
    "enabled",
    "findings",
    "stacks",
]

_NAMES = {
    "Collector": "collector",
    "Evidence": "finding",
    "Finding": "finding",
    "OptionError": "options",
    "Options": "options",
    "Place": "places",
    "Severity": "finding",
    "Subject": "finding",
    "add_sink": "enabling",
    "disable": "enabling",
    "enable": "enabling",
    "enabled": "enabling",
    "findings": "enabling",
    "stacks": "waits.detector",
}

__getattr__, __dir__ = lazy_face(__name__, _NAMES)
