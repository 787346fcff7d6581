"""The README's table of ratios is that of the report that `make bench` has written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import readme

pytestmark = pytest.mark.one_build


def test_its_ratios_are_those_of_the_report() -> None:
    text = readme.README.read_text("utf-8")
    shown = text.split(readme.BEGIN)[1].split(readme.END)[0]
    assert shown == readme.table(readme.REPORT.read_text("utf-8")), "python -m bench.readme writes it anew"


def test_a_table_is_made_of_a_report(tmp_path: Path) -> None:
    report = "".join(
        f"## {heading}\n\n"
        "| Server | µs | × Tornado | × bare |\n| --- | ---: | ---: | ---: |\n"
        f"| **Eyewall** | 9 | 0.{number}5 (0.01–0.99) | 1.00 |\n| Tornado | 99 | 1.00 (1.00–1.00) | 9.00 |\n\n"
        for number, heading in enumerate(readme.WORKLOADS)
    )
    (tmp_path / "report.md").write_text(report)
    page = tmp_path / "page.md"
    page.write_text(f"before\n{readme.BEGIN}old\n{readme.END}after\n")
    readme.update(page, tmp_path / "report.md")
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines[4] == "| Plain text | **0.05** | 1.00 | – | – | – |"
    assert len(lines) == len(readme.WORKLOADS) + 6


def test_a_report_without_a_workload() -> None:
    with pytest.raises(ValueError, match="no table of"):
        readme.table("# Benchmarks\n")
