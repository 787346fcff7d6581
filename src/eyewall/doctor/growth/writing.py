"""Which line puts something where it stays: looked up in the source, since by the time somebody asks it is long over.

A container has a name (`clients`), and whoever fills it writes `clients.add(…)` or `clients[…] = …`: in the class whose
objects are kept, or else in the file of that class, or of what owns the container.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

from eyewall.doctor.places import Place, is_own_file

#: Lines of a file that are looked through, and those after one that sets a variable.
LINES = 20_000
NEAR = 15
#: Lines after one that compares how much there is in a container, in which something is taken out.
EVICTING = 4

#: How much there is in a container is compared.
_COUNTED = re.compile(r"\blen\([\w.]*(?:\[['\"]?)?\b(\w+)['\"]?\]?\)\s*>")
_TAKING = "remove|discard|pop|popleft|popitem"
_ADDING = "add|append|appendleft|insert|extend|update|setdefault|put|put_nowait|push|register|submit"


def adding(names: Iterable[str], classes: Iterable[type], files: Iterable[str] = ()) -> Place | None:
    """Returns the line that adds to a container called by one of `names`, of which the first ones are better: in one of
    the classes, else in their files or in `files`. None where there is none."""
    return _with_names(names, rf"(?:\.(?:{_ADDING})\(|\[[^\]]+\]\s*=(?!=))", classes, files)


def handing(names: Sequence[str], methods: Iterable[str], owner: type) -> Place | None:
    """Returns the line with which an object of `owner` hands one of its `methods`, or itself to something called by one
    of `names`, or to a function with such a name: it is a library, then, that puts it where it stays. None where there
    is none."""
    patterns = [rf"\bself\.{re.escape(method)}\b(?!\s*\()" for method in methods]
    patterns += [rf"\b{re.escape(name)}\b.*\.\w+\((?:.*\W)?self\b(?!\s*\.)" for name in names]
    # A function that remembers what it was called with.
    patterns += [rf"\b{re.escape(name)}\((?:.*\W)?self\b(?!\s*\.)" for name in names]
    for pattern in patterns:
        place = _first(re.compile(pattern), [owner], ())
        if place is not None:
            return place
    return None


def taking(names: Iterable[str], classes: Iterable[type], files: Iterable[str] = ()) -> Place | None:
    """Returns the line that takes something out of a container called by one of `names`: as `adding`."""
    for name in names:
        place = _first(_taken_out_of(name), classes, files)
        if place is not None:
            return place
    return None


def evicting(names: Iterable[str], classes: Iterable[type], files: Iterable[str] = ()) -> Place | None:
    """Returns the line that takes something out of such a container because there is too much in it: as `adding`."""
    known = list(classes)
    for name in names:
        counted = re.compile(rf"\blen\([\w.\[\]'\"]*\b{re.escape(name)}\b['\"]?\]?\)\s*>")
        place = _first(counted, known, files)
        if place is None:
            continue
        if _takes_soon(place.file, place.line, name):
            return place
    return None


def closes_some(place: Place) -> bool:
    """Whether something is taken out of a container near `place` because there is too much in it."""
    for number in range(max(1, place.line - NEAR), place.line + NEAR):
        counted = _COUNTED.search(linecache.getline(place.file, number))
        if counted is not None and _takes_soon(place.file, number, counted[1]):
            return True
    return False


def _takes_soon(file: str, line: int, name: str) -> bool:
    """Whether something is taken out of a container called `name` at `line`, or soon after it."""
    taken = _taken_out_of(name)
    return any(taken.search(linecache.getline(file, number)) for number in range(line, line + EVICTING))


def takes(code: CodeType, names: Iterable[str]) -> bool:
    """Whether a function takes something out of a container called by one of `names`."""
    return any(_in_block(code, _taken_out_of(name)) for name in names)


def _taken_out_of(name: str) -> re.Pattern[str]:
    named = rf"\b{re.escape(name)}\b['\"]?\]?"
    return re.compile(rf"{named}(?:\[[^\]]*\])*?\.(?:{_TAKING})\(|\bdel\s.*{named}\[")


def putting(names: Iterable[str], classes: Iterable[type], files: Iterable[str] = ()) -> Place | None:
    """Returns the line that puts something into a queue called by one of `names`: as `adding`."""
    called = _with_names(names, r"\.(?:put|put_nowait)\(", classes, files)
    # Or else, the line that gives its method to somebody.
    return called or _with_names(names, r"\.(?:put|put_nowait)\b", classes, files)


def _with_names(
    names: Iterable[str], action: str, classes: Iterable[type], files: Iterable[str]
) -> Place | None:
    for name in names:
        # As a variable, an attribute, or a key; with further keys after it.
        named = rf"\b{re.escape(name)}\b['\"]?\]?(?:\[[^\]]*\])*?"
        # By a variable: `room = rooms.setdefault(topic, set())`.
        taken = rf"^\s*\w+\s*=\s*[\w.]*{named}(?:\[[^\]]*\]|\.(?:get|setdefault)\(.*\))\s*(?:#.*)?$"
        direct, by_variable = re.compile(rf"^(?!{taken[1:]}).*{named}{action}"), re.compile(taken)
        for anywhere in (False, True):
            place = _first(direct, classes, files, anywhere=anywhere) or _by_variable(
                _first(by_variable, classes, files, anywhere=anywhere), action
            )
            if place is not None:
                return place
        # By another name: `members = app[MEMBERS]`.
        other = re.compile(rf"^\s*\w+\s*=\s*[\w.\['\"]*\b{re.escape(name)}\b['\"]?\]?\s*(?:#.*)?$")
        for file in [each for each in dict.fromkeys(files) if is_own_file(each)]:
            for number, line in _lines(file):
                taken_at = Place(file, number, _function(file, number)) if other.search(line) else None
                place = _by_variable(taken_at, action)
                if place is not None and place is not taken_at:
                    return place
    return None


def _by_variable(taken: Place | None, action: str) -> Place | None:
    """Returns the line that adds to what a variable is set to at `taken`, shortly after it; else that line."""
    if taken is None:
        return None
    variable = linecache.getline(taken.file, taken.line).split("=")[0].strip()
    adding = re.compile(rf"\b{re.escape(variable)}\b{action}")
    for number in range(taken.line + 1, taken.line + NEAR):
        if adding.search(linecache.getline(taken.file, number)):
            return Place(taken.file, number, taken.function)
    return taken


def calling(
    names: str, classes: Iterable[type], files: Iterable[str] = (), *, awaited: bool = True
) -> Place | None:
    """Returns the first line that calls a method with one of `names` (a regular expression): as `adding`.

    `awaited`: also one that awaits it.
    """
    return _first(re.compile(_call(names, awaited=awaited)), classes, files)


def _call(names: str, *, awaited: bool) -> str:
    # Whatever else is awaited in the line.
    before = "" if awaited else rf"^(?!.*\bawait\s+[\w.\[\]]+\.(?:{names})\()"
    return rf"{before}.*\.(?:{names})\("


def definition_of(owner: type) -> Place | None:
    """Returns where a class is defined; None where it has no source."""
    file = _file(owner)
    if file is None:
        return None
    for number, line in _lines(file):
        if re.match(rf"\s*class\s+{re.escape(owner.__name__)}\b", line):
            return Place(file, number, owner.__qualname__)
    return None


def file_of(thing: object) -> str | None:
    """Returns the file that defines `thing`, a module or class, or the class of an object."""
    if isinstance(thing, ModuleType):
        file: object = getattr(thing, "__file__", None)
        return file if isinstance(file, str) else None
    return _file(thing if isinstance(thing, type) else type(thing))


def _first(
    pattern: re.Pattern[str], classes: Iterable[type], files: Iterable[str], *, anywhere: bool = True
) -> Place | None:
    """Returns the first line that matches in one of the classes; else, where `anywhere`, in their files or `files`."""
    seen: list[str] = []
    for owner in [base for each in classes for base in each.__mro__]:
        file = _file(owner)
        if file is None or not is_own_file(file):
            continue
        seen.append(file)
        place = _within(owner, file, pattern)
        if place is not None:
            return place
    for file in [*seen, *files] if anywhere else ():
        if is_own_file(file):
            for number, line in _lines(file):
                if pattern.search(line):
                    return Place(file, number, _function(file, number))
    return None


def _within(owner: type, file: str, pattern: re.Pattern[str]) -> Place | None:
    found = [
        place for code in _codes(owner) if code.co_filename == file for place in _in_block(code, pattern)
    ]
    return min(found, key=lambda place: place.line, default=None)


def _in_block(code: CodeType, pattern: re.Pattern[str]) -> list[Place]:
    first = code.co_firstlineno
    try:
        block = inspect.getblock(linecache.getlines(code.co_filename)[first - 1 :])
    except (SyntaxError, IndentationError):
        return []
    return [
        Place(code.co_filename, first + offset, code.co_qualname)
        for offset, line in enumerate(block)
        if pattern.search(line)
    ]


def _codes(owner: type) -> Iterator[CodeType]:
    for member in list(vars(owner).values()):
        function: Any = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
        function = inspect.unwrap(function) if isinstance(function, FunctionType) else None
        if isinstance(function, FunctionType):
            yield function.__code__


def _file(owner: type) -> str | None:
    module = sys.modules.get(owner.__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    for code in _codes(owner):
        if code.co_filename == file:
            return code.co_filename
    return str(file) if str(file).endswith(".py") else None


def _lines(file: str) -> Iterator[tuple[int, str]]:
    yield from enumerate(linecache.getlines(file)[:LINES], 1)


def _function(file: str, number: int) -> str:
    """Returns the name of the function around a line, as far as its indentation shows it."""
    lines = linecache.getlines(file)
    names: list[str] = []
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    for line in reversed(lines[: number - 1]):
        stripped = line.lstrip()
        here = len(line) - len(stripped)
        if not stripped or here >= indent:
            continue
        indent = here
        found = re.match(r"(?:async\s+)?def\s+(\w+)|class\s+(\w+)", stripped)
        if found:
            if names and found.group(1):
                names.append("<locals>")
            names.append(found.group(1) or found.group(2))
        if here == 0:
            break
    return ".".join(reversed(names)) or "<module>"


def matching(pattern: str, file: str) -> Place | None:
    """Returns the first line of `file` that matches a regular expression."""
    compiled = re.compile(pattern)
    for number, line in _lines(file):
        if compiled.search(line):
            return Place(file, number, _function(file, number))
    return None


def only(pattern: str) -> Place | None:
    """Returns the line of the application that matches a regular expression, where it has one such line alone; None
    for an empty pattern."""
    found: list[Place] = []
    for file in own_files() if pattern else ():
        for number, line in _lines(file):
            if re.search(pattern, line) and not line.lstrip().startswith(("#", "import ", "from ")):
                found.append(Place(file, number, _function(file, number)))
    return found[0] if len(found) == 1 else None


def own_files() -> list[str]:
    """Returns the files of the modules of the application."""
    files = [file_of(each) for each in list(sys.modules.values()) if isinstance(each, ModuleType)]
    # The module that is run may be there by two names.
    return [
        file
        for file in dict.fromkeys(files)
        if file is not None and file.endswith(".py") and is_own_file(file)
    ]


def within(code: CodeType, names: str) -> Place | None:
    """Returns the first line of a function that calls a method with one of `names` (a regular expression) and does not
    await it, of those in a loop where there are any: what grows is done again and again."""
    found = _in_block(code, re.compile(_call(names, awaited=False)))
    repeated = [each for each in found if any(first <= each.line <= last for first, last in _loops(code))]
    return min(repeated or found, key=lambda place: place.line, default=None)


def _loops(code: CodeType) -> list[tuple[int, int]]:
    """Returns the first and last line of each loop in a function."""
    before = code.co_firstlineno - 1
    try:
        block = inspect.getblock(linecache.getlines(code.co_filename)[before:])
        tree = ast.parse(textwrap.dedent("".join(block)))
    except (SyntaxError, ValueError, RecursionError, SystemError):
        return []
    return [
        (before + node.lineno, before + (node.end_lineno or node.lineno))
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.AsyncFor | ast.While)
    ]
