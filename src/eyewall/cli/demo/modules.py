"""UI modules: parts of pages that are used again and again."""

from __future__ import annotations

from datetime import UTC, datetime

from eyewall.cli.demo.breaking.fault import Fault
from eyewall.cli.demo.guestbook import Entry
from eyewall.cli.demo.source import highlight, highlighted
from eyewall.web import UIModule

#: What is within the `svg` of each icon: lines of 24 by 24.
_ICONS = {
    "chat": '<path d="M4 5h16v11H9l-5 4z"/><path d="M8 9h8M8 12h5"/>',
    "live": '<path d="M3 13h4l3-8 4 14 3-9 1 3h3"/>',
    "files": '<path d="M12 16V5M7 10l5-5 5 5"/><path d="M4 16v4h16v-4"/>',
    "tasks": '<path d="M4 6l2 2 3-4M4 13l2 2 3-4M4 20l2 2 3-4"/><path d="M13 6h8M13 13h8M13 20h8"/>',
    "guestbook": '<path d="M4 4h7a2 2 0 0 1 1 2 2 2 0 0 1 1-2h7v15h-7a1 1 0 0 0-1 1 1 1 0 0 0-1-1H4z"/>'
    '<path d="M12 6v14"/>',
    "break": '<path d="M13 2L5 13h6l-1 9 9-12h-6z"/>',
    "code": '<path d="M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16"/>',
    "pen": '<path d="M4 20l1-5L16 4l4 4L9 19z"/>',
}


class Icon(UIModule):
    """A small picture that goes with a word, and says nothing to those who listen to the page."""

    def render(self, name: str) -> str:
        return f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{_ICONS[name]}</svg>'


class Source(UIModule):
    """The code behind a page, to be opened by whoever wants to see it."""

    def render(self, *paths: str) -> bytes:
        files = [(path, highlighted(path)) for path in paths]
        return self.render_string("modules/source.html", files=files)


class Culprit(UIModule):
    """The code of a fault with the numbers of its lines, and a mark at those that the doctor is to name.

    Its docstring is left out: the page says it in words of its own.
    """

    def render(self, fault: Fault) -> str:
        lines = highlight(fault.source).splitlines()
        first = next(
            number for number, line in enumerate(fault.source.splitlines(), 1) if number > 1 and line
        )
        return "".join(
            f'<span class="line{" culprit" if number in fault.lines else ""}" data-line="{number}">{line}\n</span>'
            for number, line in enumerate(lines, 1)
            if number >= first
        )


class GuestEntry(UIModule):
    """An entry of the guest book, with its date as the reader writes dates."""

    def render(self, entry: Entry, offset: int) -> bytes:
        return self.render_string(
            "modules/entry.html",
            entry=entry,
            date=self.locale.format_date(entry.created, offset),
            exact=datetime.fromtimestamp(entry.created, UTC).isoformat(timespec="seconds"),
        )
