"""The chart of a benchmark as plain SVG: a panel of horizontal bars for each workload, scaled for itself."""

from dataclasses import dataclass
from html import escape

from bench.results import Results
from bench.stats import number
from bench.workloads import BY_NAME

#: Workloads worth a picture, in this order, two columns.
SHOWN = ("plaintext", "browser", "json", "post", "static-100k", "upload-streamed", "ws-32", "broadcast")
WIDTH = 960
MARGIN = 24
GAP = 40
LABEL = 150
VALUE = 64
BAR = 14
STEP = 22
TITLE = 44
HEAD = 64

STYLE = """\
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #24313d; }
.ground { fill: #ffffff; }
.name { font-size: 20px; font-weight: 600; }
.title { font-size: 13px; font-weight: 600; }
.soft { fill: #66757f; }
.us { font-weight: 600; }
.bar { fill: #a9b8c3; }
.bar.us { fill: #0f7fa8; }
.whisker { stroke: #24313d; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #dfe7ec; }
  .ground { fill: #10181e; }
  .soft { fill: #93a4af; }
  .bar { fill: #4a5a66; }
  .bar.us { fill: #35b2df; }
  .whisker { stroke: #dfe7ec; }
}"""


@dataclass(frozen=True)
class Bar:
    """One server in one panel."""

    label: str
    value: float
    low: float
    high: float
    ours: bool


@dataclass(frozen=True)
class Panel:
    """One workload."""

    title: str
    unit: str
    bars: list[Bar]

    @property
    def height(self) -> int:
        return TITLE + STEP * len(self.bars) + GAP // 2


def panels(data: Results) -> list[Panel]:
    """Returns a panel for each workload of `SHOWN` that was measured, the cheapest server on top."""
    found = []
    for name in SHOWN:
        bars = []
        for server in data.servers(name):
            summary = data.summary(name, server)
            if summary is not None:
                bars.append(
                    Bar(
                        data.labels[server],
                        summary.median,
                        summary.low,
                        summary.high,
                        server.startswith("eyewall"),
                    )
                )
        if bars:
            bars.sort(key=lambda bar: bar.value)
            found.append(Panel(BY_NAME[name].title, BY_NAME[name].unit, bars))
    return found


def _panel(panel: Panel, x: int, y: int, width: int) -> list[str]:
    scale = (width - LABEL - VALUE) / max(bar.high for bar in panel.bars)
    lines = [
        f'<text class="title" x="{x}" y="{y + 14}">{escape(panel.title)}</text>',
        f'<text class="soft" x="{x}" y="{y + 30}">{escape(panel.unit)}</text>',
    ]
    for index, bar in enumerate(panel.bars):
        top = y + TITLE + STEP * index
        middle = top + BAR / 2
        left = x + LABEL
        ours = " us" if bar.ours else ""
        lines += [
            f'<text class="{ours.strip()}" x="{left - 8}" y="{top + 11}" text-anchor="end">'
            f"{escape(bar.label)}</text>",
            f'<rect class="bar{ours}" x="{left}" y="{top}" width="{max(1.0, bar.value * scale):.1f}" '
            f'height="{BAR}" rx="2"/>',
            f'<line class="whisker" x1="{left + bar.low * scale:.1f}" x2="{left + bar.high * scale:.1f}" '
            f'y1="{middle}" y2="{middle}"/>',
            f'<text class="{ours.strip()}" x="{left + bar.high * scale + 6:.1f}" y="{top + 11}">'
            f"{number(bar.value)}</text>",
        ]
    return lines


def render(data: Results) -> str:
    """Returns the chart as an SVG document. Without any measured workload it says so."""
    width = (WIDTH - 2 * MARGIN - GAP) // 2
    shown = panels(data)
    lines = []
    y = HEAD
    for row in range(0, len(shown), 2):
        pair = shown[row : row + 2]
        for column, panel in enumerate(pair):
            lines += _panel(panel, MARGIN + column * (width + GAP), y, width)
        y += max(panel.height for panel in pair)
    if not shown:
        lines.append(f'<text x="{MARGIN}" y="{HEAD + 20}">Nothing was measured.</text>')
        y += 40
    height = y + MARGIN
    note = escape(f"{data.facts.get('processor', '')}, {data.facts.get('date', '')}".strip(", "))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img" aria-label="Processor time by workload and server">',
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
            f'<text class="name" x="{MARGIN}" y="34">Server processor time: less is better</text>',
            f'<text class="soft" x="{MARGIN}" y="52">{note}</text>',
            *lines,
            "</svg>",
            "",
        ]
    )
