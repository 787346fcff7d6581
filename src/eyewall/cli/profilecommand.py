"""`eyewall profile`: where the time of a process goes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

from eyewall.cli.recording import RATE, NotRecorded, Recorded, from_inside, from_outside
from eyewall.doctor.control.client import Client, NoDoctor
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.profiling.flamegraph import flame_graph, page
from eyewall.doctor.profiling.inside import LONGEST
from eyewall.doctor.profiling.recording import Recording, to_folded
from eyewall.doctor.profiling.speedscope import speedscope
from eyewall.doctor.profiling.summary import summarize, summary_text

#: There is no such process, or none that can be profiled.
_NOT_PROFILED = 3
#: What a file gets, by the end of its name: what both recordings are in, or the clock that it has.
_SVG, _HTML, _JSON, _FOLDED, _TEXT = ".svg", ".html", ".json", ".folded", ".txt"
_SUFFIXES = (_SVG, _HTML, _JSON, _FOLDED, _TEXT)


def _outputs(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Path, ...]:
    paths = tuple(map(Path, value))
    for path in paths:
        if path.suffix.lower() not in _SUFFIXES:
            raise click.BadParameter(f"a name ends in one of {', '.join(_SUFFIXES)}, not {path.name!r}")
        if not path.absolute().parent.is_dir():
            raise click.BadParameter(f"there is no folder {path.absolute().parent}")
    return paths


@click.command()
@click.argument("pid", type=click.IntRange(1))
@click.option(
    "--seconds",
    type=click.IntRange(2, int(LONGEST)),
    default=10,
    show_default=True,
    help="How long: half of it for the time on a CPU, half for wall-clock time.",
)
@click.option(
    "--from",
    "way",
    type=click.Choice(["auto", "outside", "inside"]),
    default="auto",
    show_default=True,
    help="outside: with py-spy, which takes samples and slows nothing down. inside: with yappi and the doctor of the "
    "process, which shows what coroutines wait for, and slows it down several times. auto: outside where that is "
    "possible, else inside.",
)
@click.option(
    "-o",
    "--output",
    multiple=True,
    type=click.Path(dir_okay=False),
    callback=_outputs,
    help="Write a file; several times. What is written depends on its name: .svg (a flame graph for each clock), "
    ".html (flame graphs and the summary), .json (for speedscope), .folded (for other tools), .txt (the summary).",
)
@click.option(
    "--rate", type=click.IntRange(1, 1000), default=RATE, show_default=True, help="Samples a second, outside."
)
@click.option("--native", is_flag=True, help="Show frames of C, C++ and Cython too, outside; costs more.")
def profile(pid: int, seconds: int, way: str, output: tuple[Path, ...], rate: int, native: bool) -> None:
    """Say where the time of process PID goes: on a CPU, and waiting.

    Writes a summary: for each handler, coroutine and function of the application, and for its lines, how much of the
    time is spent on a CPU, and how much waiting for something else.

    \b
    Exit status:
      0  it was profiled
      2  a wrong option
      3  there is no such process, or it can't be profiled
    """
    if native and way == "inside":
        raise click.UsageError("native frames are seen from outside only")
    ways: dict[str, Callable[[], Recorded]] = {
        "outside": lambda: from_outside(pid, seconds, rate, native),
        "inside": lambda: _inside(pid, seconds),
    }
    wanted = list(ways) if way == "auto" else [way]
    recorded: Recorded | None = None
    for each in wanted:
        try:
            recorded = ways[each]()
            break
        except (NotRecorded, NoDoctor, ControlError) as error:
            click.echo(f"eyewall profile: not from {each}: {str(error).rstrip('.')}.", err=True)
            if isinstance(error, NoDoctor) and error.code == "no-process":
                break
    if recorded is None:
        sys.exit(_NOT_PROFILED)
    _write(recorded, pid, output)


def _inside(pid: int, seconds: int) -> Recorded:
    with Client(pid) as client:
        return from_inside(client.call, seconds)


def _write(recorded: Recorded, pid: int, output: tuple[Path, ...]) -> None:
    title = f"Process {pid}"
    summary = summary_text(summarize(recorded.cpu, recorded.wall))
    text = [
        f"{title}, {recorded.way}: {recorded.cpu.seconds:g} s of CPU time, {recorded.wall.seconds:g} s of wall-clock."
    ]
    text += [*recorded.notes, "", summary]
    said = "\n".join(text)
    for path in output:
        for file, content in _contents(recorded, title, said, path):
            try:
                file.write_text(content, encoding="utf-8")
            except OSError as error:
                click.echo(f"eyewall profile: cannot write {file}: {error.strerror}", err=True)
                sys.exit(_NOT_PROFILED)
            click.echo(f"Written: {file}", err=True)
    click.echo(said, nl=False)


def _contents(recorded: Recorded, title: str, summary: str, path: Path) -> list[tuple[Path, str]]:
    both = [recorded.cpu, recorded.wall]
    suffix = path.suffix.lower()
    if suffix == _HTML:
        return [(path, page(both, title, summary))]
    if suffix == _JSON:
        return [(path, json.dumps(speedscope(both, title)))]
    if suffix == _TEXT:
        return [(path, summary)]
    if suffix == _SVG:
        return [(_of_clock(path, each), flame_graph(each, title)) for each in both]
    return [(_of_clock(path, each), to_folded(each)) for each in both]


def _of_clock(path: Path, recording: Recording) -> Path:
    return path.with_name(f"{path.stem}.{recording.clock}{path.suffix}")
