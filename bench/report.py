"""Turns results into a report: Markdown with a table for each workload, and a summary of the targets.

Ratios are those of the same round; a number is a median, what stands in brackets the least and the greatest
of the rounds.
"""

import argparse
from pathlib import Path

from bench import chart, readme, results
from bench.results import Results
from bench.stats import Summary, number
from bench.targets import verdicts
from bench.workloads import BY_NAME, Workload

#: What is compared with in every table.
REFERENCES = (("tornado", "× Tornado"), ("bare", "× bare"))
#: Below this share of its core a server waited for the load generator.
SATURATED = 0.9
#: Beyond this, other programs took the core too often for fine distinctions.
DISTURBED = 0.05

INTRODUCTION = """\
# Benchmarks

Measured by `make bench`. Compared is the processor time that a server needs for one request, by the kernel's
own accounting of the server process, its threads and children, under saturation: on a shared machine rates
swing by half, processor time does not. Rates are for orientation. Every server is one process on one core,
its load generator on another; servers take turns within each round, and ratios are taken within a round.
Numbers are medians over the rounds; least and greatest stand in brackets. Access logs are off, answers are
verified, and every server runs with the settings that its documentation names as fastest.
"""


def spread(summary: Summary | None) -> str:
    """Returns a median with its extremes: `12.3 (12.1–12.6)`; a dash for None."""
    if summary is None:
        return "–"
    if summary.count == 1:
        return number(summary.median)
    return f"{number(summary.median)} ({number(summary.low)}–{number(summary.high)})"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _remarks(data: Results, workload: Workload, server: str) -> str:
    samples = data.of(workload.name, server)
    loads = sorted(s.utilisation for s in samples if s.utilisation)
    waits = sorted(s.disturbance for s in samples)
    # A server that other programs kept from its core did not use it either, so one remark is enough.
    if waits and waits[len(waits) // 2] > DISTURBED:
        return f"disturbed: waited {waits[len(waits) // 2]:.0%} of its time"
    if loads and loads[len(loads) // 2] < SATURATED:
        return f"used {loads[len(loads) // 2]:.0%} of its core"
    return ""


def table(data: Results, workload: Workload) -> list[str]:
    """Returns the lines of one workload's table, the cheapest server first, failed ones last."""
    references = [(name, title) for name, title in REFERENCES if data.summary(workload.name, name)]
    remarks = {server: _remarks(data, workload, server) for server in data.servers(workload.name)}
    head = ["Server", workload.unit]
    head += [title for _, title in references]
    if workload.rate:
        head.append(workload.rate)
    if any(remarks.values()):
        head.append("")
    lines = [_row(head), _row(["---", *["---:"] * (len(head) - 1)])]
    known = []
    unknown = []
    for server in data.servers(workload.name):
        summary = data.summary(workload.name, server)
        label = data.labels[server]
        if summary is None:
            why = data.failures.get((workload.name, server), "not measured")
            unknown.append(
                _row([label, why.replace("|", "\\|").splitlines()[0][:100], *[""] * (len(head) - 2)])
            )
            continue
        if server.startswith("eyewall"):
            label = f"**{label}**"
        cells = [label, spread(summary)]
        cells += [spread(data.ratio(workload.name, server, name)) for name, _ in references]
        if workload.rate:
            rates = sorted(s.rate for s in data.of(workload.name, server))
            cells.append(f"{rates[len(rates) // 2]:,.0f}")
        if any(remarks.values()):
            cells.append(remarks[server])
        known.append((summary.median, _row(cells)))
    known.sort(reverse=workload.ascending)
    return lines + [line for _, line in known] + unknown


def target_table(data: Results) -> list[str]:
    """Returns the lines of the table of targets; none when no workload with a target was run."""
    found = verdicts(data)
    if not found:
        return []
    lines = [_row(["Workload", "Target", "Found", ""]), _row(["---", "---", "---:", "---"])]
    for verdict in found:
        state = "not measured" if verdict.found is None else ("reached" if verdict.reached else "**missed**")
        title = BY_NAME[verdict.workload].title
        lines.append(_row([title, verdict.wanted, spread(verdict.found), state]))
    return lines


def markdown(data: Results, picture: str = "") -> str:
    """Returns the whole report. `picture` is the chart's address, relative to the report."""
    lines = [INTRODUCTION]
    if picture:
        lines += [f"![Processor time by workload and server]({picture})", ""]
    targets = target_table(data)
    if targets:
        lines += ["## Targets", "", *targets, ""]
    for name in data.workloads():
        workload = BY_NAME[name]
        lines += [f"## {workload.title}", "", *table(data, workload), ""]
    lines += ["## Machine and versions", ""]
    lines += [f"- {key}: {value}" for key, value in data.facts.items()]
    lines += [f"- {data.labels[name]}: {what}" for name, what in data.versions.items() if what]
    return "\n".join(lines) + "\n"


def write(data: Results, folder: Path) -> tuple[Path, Path]:
    """Writes `benchmarks.md` and `benchmarks.svg` into `folder` and returns their paths.

    Where that is `docs`, the table of the README, which quotes them, is written, too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "benchmarks.md"
    picture = folder / "benchmarks.svg"
    picture.write_text(chart.render(data))
    page.write_text(markdown(data, picture.name))
    if page.resolve() == readme.REPORT:
        readme.update()
    return page, picture


def main(arguments: list[str] | None = None) -> int:
    """Writes the report of earlier results again."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=main.__doc__)
    parser.add_argument("results", type=Path, help="a JSON file that a run has written")
    parser.add_argument("--out", type=Path, required=True, help="folder for benchmarks.md and benchmarks.svg")
    options = parser.parse_args(arguments)
    page, picture = write(results.load(options.results), options.out)
    print(f"{page}\n{picture}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
