"""The source that tracebacks show for a compiled template: the lines of the templates themselves.

A compiled template is one function made of several files: the one that was loaded, what it extends and what
it includes. All their lines stand in one listing, and the line numbers of the function count in it. The
loaded file comes first, so that its own numbers are those of the file. Each line ends with a comment that
says where it is from, and through which tags it came in: `# row.html:3 (via table.html:12, page.html:1)`.

Python finds it by the module protocol for sources (PEP 302): the function's globals name a loader, which has
`get_source`.
"""

from __future__ import annotations

from typing import NamedTuple

from eyewall.web.template.nodes import File

#: What `str.splitlines` takes for the end of a line besides the line feed.
_NO_LINE_ENDS = dict.fromkeys(map(ord, "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), " ")


class _Part(NamedTuple):
    """Lines of one file that stand together: `first` to `last` of it, line `number` of the listing and on."""

    number: int
    file: File
    first: int
    last: int
    #: The tags they came in through, as `file:line`, the nearest first.
    via: str

    def meets(self, first: int, last: int) -> bool:
        """Says whether one of the lines `first` to `last` of the listing is one of these."""
        return self.number <= last and first <= self.number + self.last - self.first


class Listing:
    """The lines of one compiled template, in the order its line numbers count them."""

    def __init__(self, main: File) -> None:
        self._main = main
        #: Where the code that is not from a template, at the end of the function, is shown to be.
        self.last_line = main.source.count("\n") + 1
        self._length = self.last_line
        #: The main file's own lines are not here unless they are used.
        self._parts: list[_Part] = []

    def place(self, file: File, first: int, last: int, via: str) -> int:
        """Takes the lines `first` to `last` of `file` in; returns what to add to their numbers."""
        number = first
        if file is not self._main or any(part.meets(first, last) for part in self._parts):
            number = self._length + 1
            self._length += last - first + 1
        self._parts.append(_Part(number, file, first, last, via))
        return number - first

    def origin(self, number: int) -> tuple[str, int]:
        """Returns the name of the file and the line in it that line `number` of the listing shows."""
        for part in self._parts:
            if part.meets(number, number):
                return part.file.name, part.first + number - part.number
        return self._main.name, min(max(number, 1), self.last_line)

    def get_source(self, name: str) -> str:
        """Returns the listing; `name` is the module's, and there is only one."""
        shown = _lines(self._main, 1, self.last_line, "") + [""] * (self._length - self.last_line)
        for part in self._parts:
            begin = part.number - 1
            shown[begin : begin + part.last - part.first + 1] = _lines(
                part.file, part.first, part.last, part.via
            )
        return "".join(shown)


def _lines(file: File, first: int, last: int, via: str) -> list[str]:
    came = f" (via {via})" if via else ""
    texts = file.source.split("\n")[first - 1 : last]
    return [
        f"{text.translate(_NO_LINE_ENDS)}  # {file.name}:{n}{came}\n" for n, text in enumerate(texts, first)
    ]
