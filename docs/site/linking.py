"""Links of a page as the site needs them: what leads out of `docs` leads to a page that shows it.

On GitHub a page links to `../examples/hello.py`. In the site that file is a page of its own,
`files/examples/hello.py`, with its source; a folder is a page with what is in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent.parent
#: What a folder in here has is shown; of others, only its names, or the site would have a page for each source.
EXAMPLES = ROOT / "examples"
#: Pages that stand elsewhere, by where they stand in the site.
MOVED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
#: The end of a link: what stands between its parentheses.
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
_LANGUAGES = {".py": "python", ".toml": "toml", ".html": "html+jinja", ".css": "css", ".js": "javascript"}


class DeadLink(Exception):
    """A link of a page leads nowhere; the text says which."""


class Links:
    """Rewrites links, and remembers the files that need a page."""

    def __init__(self) -> None:
        self.files: set[Path] = set()

    def rewritten(self, text: str, source: Path, place: str) -> str:
        """Returns a page's text with the links that the site has. `source`: the page's file; `place`: where it stands
        in the site. Raises DeadLink."""

        def target(found: re.Match[str]) -> str:
            path = (source.parent / unquote(found["path"])).resolve()
            if not path.exists() or not path.is_relative_to(ROOT):
                raise DeadLink(f"{source.relative_to(ROOT)}: {found['path']} leads nowhere")
            return _relative(self._place(path), place) + (found["anchor"] or "")

        # Only outside of blocks of code.
        pieces = re.split(r"(^ *```.*?^ *```$)", text, flags=re.M | re.S)
        return "".join(
            piece if piece.lstrip().startswith("```") else _LINK.sub(target, piece) for piece in pieces
        )

    def _place(self, path: Path) -> str:
        name = path.relative_to(ROOT).as_posix()
        if name in MOVED:
            return MOVED[name]
        if name.startswith("docs/") and path.is_file() and not name.startswith("docs/site/"):
            return name.removeprefix("docs/")
        self.files.add(path)
        return place_of(path)

    def pages(self) -> Iterator[tuple[str, str]]:
        """Returns the pages of files and folders that were linked, and of what is in these: places and texts."""
        done: set[Path] = set()
        while self.files - done:
            for path in sorted(self.files - done):
                done.add(path)
                yield place_of(path), self._shown(path)

    def _shown(self, path: Path) -> str:
        name = path.relative_to(ROOT).as_posix()
        head = f"---\norphan: true\n---\n\n# {name}\n\n"
        if path.is_dir():
            inside = [each for each in sorted(path.iterdir()) if _is_source(each)]
            if not path.is_relative_to(EXAMPLES):
                return head + "".join(f"- `{each.name}`\n" for each in inside)
            self.files.update(inside)
            place = place_of(path)
            return head + "".join(f"- [{each.name}]({_relative(place_of(each), place)})\n" for each in inside)
        language = _LANGUAGES.get(path.suffix, "text")
        named = os.path.relpath(path, _folder(place_of(path)))
        return f"{head}```{{literalinclude}} {named}\n:language: {language}\n```\n"


#: Where pages are put together, so that they can name files.
STAGE = ROOT / "build" / "docs-source"


def place_of(path: Path) -> str:
    """Returns where in the site a file or folder of the repository is shown."""
    return f"files/{path.relative_to(ROOT).as_posix()}.md"


def _folder(place: str) -> Path:
    return (STAGE / place).parent


def _relative(target: str, place: str) -> str:
    return PurePosixPath(os.path.relpath(target, PurePosixPath(place).parent)).as_posix()


def _is_source(path: Path) -> bool:
    if path.name.startswith((".", "__pycache__")):
        return False
    return path.is_dir() or path.suffix in {*_LANGUAGES, ".md", ".json", ".yaml", ".sh", ".txt", ".service"}
