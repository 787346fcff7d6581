"""Renders per second of a page with a table of 100 rows, everything escaped.

Run it with `python bench/template.py [SECONDS]`: Eyewall, Jinja2, Tornado and Python by hand take turns, a
short round each, so that what disturbs the machine disturbs them all. It prints the median rate of each, the
spread of its rounds, and the ratio to Jinja2, which is taken round by round.

Eyewall is measured as it is imported: put a compiled build on PYTHONPATH to measure that.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

try:
    import eyewall.web.template
except ImportError:
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
    import eyewall.web.template
import jinja2
import tornado.template

from eyewall.base import text

ROWS = 100
ROUNDS = 15
SECONDS = 12.0

HEAD = "<!doctype html>\n<html><head><title>{{ title }}</title></head><body>\n<h1>{{ title }}</h1>\n<table>\n"
ROW = (
    '<tr class="item"><td>{{ row.id }}</td><td><a href="{{ row.url }}">{{ row.name }}</a></td>'
    "<td>{{ row.owner }}</td><td>{{ row.note }}</td></tr>\n"
)
FOOT = "</table>\n</body></html>\n"
OURS = HEAD + "{% for row in rows %}" + ROW + "{% end %}" + FOOT
JINJA = HEAD + "{% for row in rows %}" + ROW + "{% endfor %}" + FOOT


@dataclass
class Row:
    """What one row of the page shows."""

    id: int
    name: str
    url: str
    owner: str
    note: str


def make_rows() -> list[Row]:
    """Every fifth note needs escaping, as in a page that people have written."""
    notes = ["plain words, nothing to escape in them"] * 4 + ["<b>bold</b> & 'quoted'"]
    return [
        Row(
            i, f"Item number {i}", f"/items/{i}?sort=name", ["Ada", "Grace", "Katherine"][i % 3], notes[i % 5]
        )
        for i in range(ROWS)
    ]


def by_hand(title: str, rows: list[Row]) -> bytes:
    """The page as plain Python: what a template engine could at best amount to with the same escaping."""
    page = [
        f"<!doctype html>\n<html><head><title>{escape(title)}</title></head><body>\n"
        f"<h1>{escape(title)}</h1>\n<table>\n"
    ]
    for row in rows:
        page.append(
            f'<tr class="item"><td>{row.id}</td><td><a href="{escape(row.url)}">{escape(row.name)}</a></td>'
            f"<td>{escape(row.owner)}</td><td>{escape(row.note)}</td></tr>\n"
        )
    page.append(FOOT)
    return "".join(page).encode("utf-8")


def contenders() -> dict[str, Callable[[], bytes]]:
    """The page in each engine, as bytes."""
    rows = make_rows()
    title = "Items & more"
    ours = eyewall.web.template.Template(OURS)
    tornados = tornado.template.Template(OURS)
    jinjas = jinja2.Environment(autoescape=True, keep_trailing_newline=True).from_string(JINJA)
    return {
        "eyewall": lambda: ours.generate(title=title, rows=rows),
        "jinja2": lambda: jinjas.render(title=title, rows=rows).encode("utf-8"),
        "tornado": lambda: tornados.generate(title=title, rows=rows),
        "by hand": lambda: by_hand(title, rows),
    }


def rate(render: Callable[[], bytes], seconds: float) -> float:
    """Renders per second of CPU, over about `seconds`."""
    count = 0
    clock = time.process_time
    begun = clock()
    until = begun + seconds
    while (now := clock()) < until:
        for _ in range(10):
            render()
        count += 10
    return count / (now - begun)


def main() -> None:
    """Runs the rounds and prints the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    renders = contenders()
    pages = {
        name: render().replace(b"&#39;", b"&#x27;").replace(b"&#34;", b"&quot;")
        for name, render in renders.items()
    }
    if len(set(pages.values())) != 1:
        raise SystemExit("the engines do not print the same page")
    each = seconds / ROUNDS / len(renders)
    rates: dict[str, list[float]] = {name: [] for name in renders}
    for _ in range(ROUNDS):
        for name, render in renders.items():
            rates[name].append(rate(render, each))
    built = "compiled" if not (text.__file__ or "").endswith(".py") else "not compiled"
    print(f"{ROWS} rows, {len(pages['eyewall']):,} bytes; eyewall {built}; Python {sys.version.split()[0]}")
    print(f"{'':10}{'renders/s':>12}{'lowest':>10}{'highest':>10}{'x jinja2':>10}")
    for name, found in rates.items():
        ratio = statistics.median([a / b for a, b in zip(found, rates["jinja2"], strict=True)])
        print(
            f"{name:10}{statistics.median(found):12,.0f}{min(found):10,.0f}{max(found):10,.0f}{ratio:10.2f}"
        )


if __name__ == "__main__":
    main()
