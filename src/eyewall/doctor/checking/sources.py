"""Finding and reading the files to check, so that each one is either checked or told of.

Folders are walked in order, links to folders too; a folder that was seen under another name is not entered again, so
that links in a circle end. What is named on the command line is taken whatever the patterns say.
"""

from __future__ import annotations

import ast
import fnmatch
import io
import os
import tokenize
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eyewall.doctor.checking.problem import Problem, RuleInfo, Spot
from eyewall.doctor.finding import Severity

#: Bytes of one file that are read; larger ones are generated, and would take minutes.
LARGEST = 4 * 1024 * 1024
SUFFIXES = (".py", ".pyi")
#: Folders and files that are left out, by name or by path from where the configuration is.
EXCLUDED = (
    ".*",
    "__pycache__",
    "node_modules",
    "site-packages",
    "venv",
    "build",
    "dist",
    "*.egg-info",
)

SYNTAX = RuleInfo(
    "EW001",
    "syntax-error",
    Severity.ERROR,
    "The file is no Python that this interpreter understands; nothing in it was checked.",
    "Mend the syntax, or exclude the file.",
)
UNDECODABLE = RuleInfo(
    "EW002",
    "undecodable-file",
    Severity.ERROR,
    "The bytes of the file are not text in the encoding that it declares (UTF-8, where it declares none).",
    "Save it as UTF-8, or declare its encoding in the first line.",
)
TOO_LARGE = RuleInfo(
    "EW003",
    "file-too-large",
    Severity.WARNING,
    f"The file has more than {LARGEST // 1024 // 1024} MiB and was not checked.",
    "Exclude it, if it is generated.",
)
UNREADABLE = RuleInfo(
    "EW004",
    "unreadable-file",
    Severity.ERROR,
    "A file or folder can't be read: permissions, a link that leads nowhere or in a circle.",
    "Mend it, or exclude it.",
)
RULES = (SYNTAX, UNDECODABLE, TOO_LARGE, UNREADABLE)


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: its text and its syntax tree."""

    path: Path
    shown: str
    text: str
    tree: ast.Module


class Sources:
    """The files below `paths`. `problems` are those of files that can't be checked, after `read`."""

    def __init__(
        self, paths: Sequence[Path], root: Path, exclude: Sequence[str] = (), *, force: bool = False
    ) -> None:
        self._paths = paths
        self._root = root
        self._exclude = (*EXCLUDED, *exclude)
        self._force = force
        self.problems: list[Problem] = []
        self.count = 0

    def read(self) -> list[Source]:
        """Reads all of them."""
        found = []
        for path in self._files():
            self.count += 1
            source = self._read(path)
            if source is not None:
                found.append(source)
        return found

    def _files(self) -> Iterator[Path]:
        seen: set[tuple[int, int]] = set()
        for path in self._paths:
            if self._force and self._excluded(path, within):
                continue
            if os.path.isdir(path):
                yield from self._walk(path, seen)
            elif self._is_new(path, seen):
                yield path

    def _walk(self, folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
        left = [folder]
        while left:
            current = left.pop()
            if not self._is_new(current, seen):
                continue
            try:
                with os.scandir(current) as listing:
                    entries = sorted(listing, key=lambda each: each.name)
            except OSError as error:
                self._tell(UNREADABLE, current, f"It can't be read: {error.strerror}")
                continue
            folders = []
            for entry in entries:
                path = current / entry.name
                if self._excluded(path, matches):
                    continue
                if self._is_folder(entry, path):
                    folders.append(path)
                elif entry.name.endswith(SUFFIXES) and self._is_new(path, seen):
                    yield path
            left += reversed(folders)

    def _is_folder(self, entry: os.DirEntry[str], path: Path) -> bool:
        try:
            return entry.is_dir()
        except OSError as error:
            # One with the name of a file is told of when it is looked at.
            if not entry.name.endswith(SUFFIXES):
                self._tell(UNREADABLE, path, f"It leads nowhere: {error.strerror}")
            return False

    def _is_new(self, path: Path, seen: set[tuple[int, int]]) -> bool:
        try:
            status = os.stat(path)
        except OSError as error:
            self._tell(UNREADABLE, path, f"It can't be read: {error.strerror}")
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in seen:
            return False
        seen.add(identity)
        return True

    def _excluded(self, path: Path, fits: Callable[[Path, str], bool]) -> bool:
        relative = relative_to(path, self._root)
        return any(fits(relative, pattern) for pattern in self._exclude)

    def _read(self, path: Path) -> Source | None:
        try:
            with open(path, "rb") as file:
                content = file.read(LARGEST + 1)
        except OSError as error:
            self._tell(UNREADABLE, path, f"It can't be read: {error.strerror}")
            return None
        if len(content) > LARGEST:
            self._tell(TOO_LARGE, path, f"It has more than {LARGEST // 1024 // 1024} MiB and was not checked")
            return None
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            text = io.TextIOWrapper(io.BytesIO(content), encoding).read()
        except (SyntaxError, UnicodeDecodeError, LookupError) as error:
            self._tell(UNDECODABLE, path, f"It can't be decoded: {error}")
            return None
        try:
            with warnings.catch_warnings():
                # Of invalid escapes and the like, which are the business of others.
                warnings.simplefilter("ignore")
                tree = ast.parse(text, str(path))
        except SyntaxError as error:
            self._tell(SYNTAX, path, f"Syntax error: {error.msg}", error.lineno or 1, error.offset or 1)
            return None
        except (ValueError, RecursionError, MemoryError) as error:
            self._tell(SYNTAX, path, f"It can't be parsed: {error or type(error).__name__}")
            return None
        return Source(path, shown(path), text, tree)

    def _tell(self, rule: RuleInfo, path: Path, message: str, line: int = 1, column: int = 1) -> None:
        self.problems.append(
            Problem(rule, Spot(shown(path), line, max(column, 1), line, max(column, 1)), message, rule.advice)
        )


def shown(path: Path) -> str:
    """Returns a path as it is told: relative to the current folder, where it is within."""
    try:
        return str(path.relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except ValueError:
        return str(path)


def relative_to(path: Path, root: Path) -> Path:
    """Returns a path as it is seen from `root`; its name alone where it is elsewhere. Links are not followed."""
    full = os.path.abspath(path)
    return Path(os.path.relpath(full, root)) if full.startswith(f"{root}{os.sep}") else Path(path.name)


def matches(relative: Path, pattern: str) -> bool:
    """Whether a path fits `pattern`, as in a shell: its last part, or all of it where the pattern has a slash."""
    if "/" in pattern:
        return fnmatch.fnmatch(relative.as_posix(), pattern.removesuffix("/"))
    return fnmatch.fnmatch(relative.name, pattern)


def within(relative: Path, pattern: str) -> bool:
    """Whether a path, or a folder that it is in, fits `pattern`."""
    return any(matches(each, pattern) for each in (relative, *relative.parents) if each.name)
