"""Places and subjects as what `json.dumps` takes."""

from __future__ import annotations

from typing import Any

from eyewall.doctor.finding import Subject
from eyewall.doctor.places import Place


def place(where: Place | None) -> dict[str, Any] | None:
    """Returns a place, and its line of source."""
    if where is None:
        return None
    return {"file": where.file, "line": where.line, "function": where.function, "source": where.source}


def subject(of: Subject | None) -> dict[str, str] | None:
    """Returns what is known of a request; None where it is none."""
    if of is None:
        return None
    names = ("id", "method", "path", "handler")
    return {name: value for name in names if (value := getattr(of, name)) is not None}
