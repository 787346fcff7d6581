"""The source that tracebacks show for a compiled template: the lines of the templates themselves.

A compiled template is one function made of several files: the one that was loaded, what it extends and what
it includes. All their lines stand in one listing, and the line numbers of the function count in it. The
loaded file comes first, so that its own numbers are those of the file. Each line ends with a comment that
says where it is from, and through which tags it came in: `# row.html:3 (via table.html:12, page.html:1)`.

Python finds it by the module protocol for sources (PEP 302): the function's globals name a loader, which has
`get_source`.
"""

from __future__ import annotations

from eyewall.web.template.nodes import File

#: What `str.splitlines` takes for the end of a line besides the line feed.
_NO_LINE_ENDS = dict.fromkeys(map(ord, "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), " ")


class Listing:
    """The lines of one compiled template, in the order its line numbers count them."""

    def __init__(self, main: File) -> None:
        self._main = main
        self._main_lines = main.source.count("\n") + 1
        #: For each line: its file, its line there, and how it came in. None in a main file's line that is not
        #: used.
        self._lines: list[tuple[File, int, str] | None] = [None] * self._main_lines
        #: Where the code that is not from a template, at the end of the function, is shown to be.
        self.last_line = self._main_lines

    def place(self, file: File, first: int, last: int, via: str) -> int:
        """Takes the lines `first` to `last` of `file` in; returns what to add to their numbers.

        `via` is the tags they came in through, as `file:line`, the nearest first.
        """
        lines: list[tuple[File, int, str] | None] = [(file, line, via) for line in range(first, last + 1)]
        if file is self._main and not any(self._lines[first - 1 : last]):
            self._lines[first - 1 : last] = lines
            return 0
        shift = len(self._lines) + 1 - first
        self._lines += lines
        return shift

    def origin(self, number: int) -> tuple[str, int]:
        """Returns the name of the file and the line in it that line `number` of the listing shows."""
        found = self._lines[number - 1] if 0 < number <= len(self._lines) else None
        return (
            (found[0].name, found[1]) if found else (self._main.name, min(max(number, 1), self._main_lines))
        )

    def get_source(self, name: str) -> str:
        """Returns the listing; `name` is the module's, and there is only one."""
        sources: dict[int, list[str]] = {}
        shown = []
        for number, entry in enumerate(self._lines, 1):
            file, line, via = entry or (self._main, number, "")
            if id(file) not in sources:
                sources[id(file)] = file.source.split("\n")
            text = sources[id(file)][line - 1].translate(_NO_LINE_ENDS)
            came = f" (via {via})" if via else ""
            shown.append(f"{text}  # {file.name}:{line}{came}\n")
        return "".join(shown)
