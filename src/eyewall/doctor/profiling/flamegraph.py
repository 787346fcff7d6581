"""Flame graphs as SVG, and a page of HTML with several and the summary. Both stand alone, without scripts."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from eyewall.doctor.profiling.recording import Frame, Recording
from eyewall.doctor.profiling.summary import is_application

#: Pixels: of the whole, of one frame, and what is too narrow to be drawn.
WIDTH = 1200
HEIGHT = 17
NARROWEST = 0.4
#: Pixels that a letter takes.
_LETTER = 6.6
_NAMES = {"cpu": "CPU time", "wall": "wall-clock time"}


@dataclass
class _Node:
    seconds: float = 0.0
    inner: dict[Frame, _Node] = field(default_factory=dict)


def flame_graph(recording: Recording, title: str) -> str:
    """Returns an SVG: one box for each frame, as wide as the time in it, with what it has called below it.

    The application's functions are red and yellow, those of libraries are grey. Pointing at one shows its seconds.
    """
    root = _Node()
    for stack, seconds in recording.stacks.items():
        root.seconds += seconds
        node = root
        for frame in stack:
            node = node.inner.setdefault(frame, _Node())
            node.seconds += seconds
    boxes: list[str] = []
    depth = _draw(root, boxes) if root.seconds > 0.0 else 0
    height = (depth + 2) * HEIGHT + 10
    said = f"{title}, {_NAMES.get(recording.clock, recording.clock)}: {root.seconds:.2f} s in {recording.seconds:g} s"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' font-family="monospace" font-size="11">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n<text x="4" y="14">{escape(said)}</text>\n'
        + "".join(boxes)
        + "</svg>\n"
    )


def page(recordings: Sequence[Recording], title: str, summary: str) -> str:
    """Returns a page of HTML with the summary and a flame graph for each recording."""
    graphs = "".join(f"<p>{flame_graph(each, title)}</p>\n" for each in recordings)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f"<pre>{escape(summary)}</pre>\n{graphs}</body></html>\n"
    )


def _draw(root: _Node, boxes: list[str]) -> int:
    """Adds the boxes of all below `root`; returns how deep they go."""
    scale = WIDTH / root.seconds
    deepest = 0
    waiting: list[tuple[_Node, float, int]] = [(root, 0.0, 0)]
    while waiting:
        node, left, depth = waiting.pop()
        for frame, inner in sorted(node.inner.items()):
            width = inner.seconds * scale
            if width >= NARROWEST:
                boxes.append(_box(frame, inner.seconds, inner.seconds / root.seconds, left, width, depth))
                waiting.append((inner, left, depth + 1))
                deepest = max(deepest, depth + 1)
            left += width
    return deepest


def _box(frame: Frame, seconds: float, share: float, left: float, width: float, depth: int) -> str:
    top = (depth + 1) * HEIGHT + 5
    letters = int((width - 4) / _LETTER)
    name = frame.function if len(frame.function) <= letters else frame.function[: max(0, letters - 1)] + "…"
    text = f'<text x="{left + 2:.1f}" y="{top + 12}">{escape(name)}</text>' if letters >= 3 else ""
    return (
        f"<g><title>{escape(str(frame))}: {seconds:.3f} s, {share:.1%}</title>"
        f'<rect x="{left:.1f}" y="{top}" width="{max(width - 0.5, 0.2):.1f}" height="{HEIGHT - 1}" '
        f'fill="{_colour(frame)}"/>{text}</g>\n'
    )


def _colour(frame: Frame) -> str:
    # The same function has the same colour in every graph.
    shade = zlib.crc32(frame.function.encode("utf-8", "replace"))
    if is_application(frame):
        return f"hsl({shade % 50},85%,68%)"
    return f"hsl(210,{shade % 12}%,{80 + shade % 8}%)"
