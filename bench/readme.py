"""The table of the README: some ratios of docs/benchmarks.md, as they stand there.

`python -m bench.readme` writes it anew, and so does `make bench`, when it writes the report.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
REPORT = ROOT / "docs" / "benchmarks.md"
#: Headings of the report, and what the README calls them.
WORKLOADS = {
    "Plain text, wrk's default headers": "Plain text",
    "JSON, path parameter": "JSON, a parameter in the path",
    "1 KiB JSON POST, parsed and echoed": "JSON of 1 KiB, parsed and returned",
    "`async def get` with one real suspension": "`async def get` that waits once",
    "A new connection for every request": "A new connection for each request",
    "Upload of 10 MiB, streamed": "Upload of 10 MiB, streamed",
    "Static file, 100 KiB": "Static file of 100 KiB",
    "WebSocket echo, 32 B": "WebSocket message, returned",
    "Broadcast of 64 B to 5,000 WebSockets": "Broadcast to 5,000 WebSockets",
    "Memory of an idle WebSocket": "Memory of an idle WebSocket",
}
SERVERS = ("Eyewall", "Tornado", "aiohttp", "Starlette on uvicorn", "Granian, raw RSGI")
#: What the table stands between.
BEGIN, END = "<!-- ratios: bench/readme.py -->\n", "<!-- end of ratios -->\n"


def table(report: str) -> str:
    """Returns the table for a report, the text of docs/benchmarks.md. Raises ValueError where that lacks a workload."""
    lines = [
        "| | " + " | ".join(SERVERS) + " |",
        "| --- |" + " ---: |" * len(SERVERS),
    ]
    for heading, name in WORKLOADS.items():
        found = re.search(rf"^## {re.escape(heading)}\n\n((?:\|.*\n)+)", report, re.M)
        if found is None:
            raise ValueError(f"the report has no table of {heading!r}")
        head, _, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()
        ]
        column = head.index("× Tornado")
        # The median, without the extremes behind it.
        ratios = {row[0].strip("*"): row[column].partition(" ")[0] for row in rows}
        cells = [ratios.get(server, "–") for server in SERVERS]
        lines.append(f"| {name} | " + " | ".join([f"**{cells[0]}**", *cells[1:]]) + " |")
    return "\n".join(lines) + "\n"


def update(readme: Path = README, report: Path = REPORT) -> None:
    """Writes the table of the README anew."""
    text = readme.read_text("utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    readme.write_text(before + BEGIN + table(report.read_text("utf-8")) + END + after, "utf-8")


if __name__ == "__main__":
    update()
