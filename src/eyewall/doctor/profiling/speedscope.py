"""Profiles as a file for https://www.speedscope.app, which reads it without sending it anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eyewall._version import VERSION
from eyewall.doctor.profiling.recording import Frame, Recording

_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_NAMES = {"cpu": "CPU time", "wall": "wall-clock"}


def speedscope(recordings: Sequence[Recording], name: str) -> dict[str, Any]:
    """Returns the file, as what `json.dumps` takes, with one profile for each recording. `name`: its title."""
    numbers: dict[Frame, int] = {}
    profiles: list[dict[str, Any]] = []
    for recording in recordings:
        samples: list[list[int]] = []
        weights: list[float] = []
        # Sorted, so that what has begun alike stands side by side.
        for stack, seconds in sorted(recording.stacks.items()):
            samples.append([numbers.setdefault(frame, len(numbers)) for frame in stack])
            weights.append(seconds)
        profiles.append(
            {
                "type": "sampled",
                "name": _NAMES.get(recording.clock, recording.clock),
                "unit": "seconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        )
    return {
        "$schema": _SCHEMA,
        "exporter": f"eyewall {VERSION}",
        "name": name,
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(frame) for frame in numbers]},
        "profiles": profiles,
    }


def _frame(frame: Frame) -> dict[str, Any]:
    said: dict[str, Any] = {"name": frame.function}
    if frame.file:
        said["file"] = frame.file
    if frame.line:
        said["line"] = frame.line
    return said
