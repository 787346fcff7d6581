"""Checking files: they are read, looked at by all rules together, and what comments and settings allow is left out."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eyewall.doctor.checking import mypypart, ruffpart
from eyewall.doctor.checking.problem import Problem
from eyewall.doctor.checking.program import Program
from eyewall.doctor.checking.rulebook import all_rules, blocking, chosen, named
from eyewall.doctor.checking.scopes import Module
from eyewall.doctor.checking.settings import Settings
from eyewall.doctor.checking.sources import Source, Sources, relative_to, within
from eyewall.doctor.checking.suppressions import Suppressions
from eyewall.doctor.checking.view import View


@dataclass(frozen=True, slots=True)
class Report:
    """`problems` in the order of files and lines; `files`: how many were looked at; `lines`: the text of those with
    problems, by path; `skipped`: parts of the check that could not be done, and why."""

    problems: list[Problem]
    files: int
    lines: Mapping[str, Sequence[str]]
    skipped: list[str]


def check(paths: Sequence[Path], settings: Settings, *, force_exclude: bool = False) -> Report:
    """Checks all files at and below `paths`."""
    with _uncollected():
        return _check(paths, settings, force_exclude)


def _check(paths: Sequence[Path], settings: Settings, force_exclude: bool) -> Report:
    wanted = chosen(settings.select, settings.ignore)
    sources = Sources(paths, settings.root, settings.exclude, force=force_exclude)
    read = sources.read()
    modules = {each.shown: Module(each.path, each.shown, each.text, each.tree) for each in read}
    found = [*sources.problems, *_ours(modules.values())]
    skipped: list[str] = []
    for problems, why in _others(read, settings, wanted):
        found += problems
        skipped += [why] if why else []
    comments = {shown: Suppressions(module.text, module.lines) for shown, module in modules.items()}
    ignores = _Ignores(settings)
    kept = [
        each
        for each in _once(found)
        if each.rule.id in wanted
        and not ignores.covers(each)
        and not (each.spot.path in comments and comments[each.spot.path].covers(each))
    ]
    lines: dict[str, Sequence[str]] = {
        each.spot.path: modules[each.spot.path].lines for each in kept if each.spot.path in modules
    }
    for each in kept:
        for related in each.related:
            if related.spot.path in modules:
                lines[related.spot.path] = modules[related.spot.path].lines
    return Report(sorted(kept, key=lambda each: each.order), sources.count, lines, skipped)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Syntax trees are millions of objects, all of which live until the end: looking for garbage among them takes
    longer than the check."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _ours(modules: Iterable[Module]) -> list[Problem]:
    rules = all_rules()
    view = View(Program(modules), [*blocking(rules)])
    return [problem for rule in rules for problem in rule.check(view)]


def _others(
    sources: Sequence[Source], settings: Settings, wanted: frozenset[str]
) -> Iterable[tuple[list[Problem], str]]:
    if not sources:
        return
    if settings.ruff:
        yield ruffpart.check(sources)
    if settings.types and wanted & {"EW101", "EW104"}:
        yield mypypart.check(sources, settings.root / ".mypy_cache" / "eyewall")


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """Leaves out what was told already: of the same line by the same rule, or by another tool of the same call."""
    found: dict[tuple[object, ...], Problem] = {}
    ours: set[tuple[str, int, str]] = set()
    for each in problems:
        spot = each.spot
        family = each.rule.id[:3]
        if each.tool == "eyewall":
            ours.add((spot.path, spot.line, family))
        elif (spot.path, spot.line, family) in ours:
            continue
        found.setdefault((each.rule.id, spot.path, spot.line, spot.column, each.message), each)
    return list(found.values())


class _Ignores:
    """What `per-file-ignores` says."""

    def __init__(self, settings: Settings) -> None:
        self._root = settings.root
        self._by_pattern = {pattern: named(words) for pattern, words in settings.per_file_ignores.items()}
        self._by_path: dict[str, set[str]] = {}

    def covers(self, problem: Problem) -> bool:
        path = problem.spot.path
        if path not in self._by_path:
            relative = relative_to(Path(path), self._root)
            self._by_path[path] = {
                rule
                for pattern, rules in self._by_pattern.items()
                if within(relative, pattern)
                for rule in rules
            }
        return problem.rule.id in self._by_path[path]
