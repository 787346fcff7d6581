"""White space between tags: three ways to treat it, and which one a file name asks for."""

from __future__ import annotations

import re

MODES = ("all", "single", "oneline")

# Only runs that change: a lone space or line feed is what `single` would put in its place anyway.
_RUN = re.compile(r"\s{2,}|\t")
_BLANKS = re.compile(r"[ \t]+")


def _single(run: re.Match[str]) -> str:
    found = run.group()
    return "\n" if "\n" in found else _BLANKS.sub(" ", found)


def filter_whitespace(mode: str, text: str) -> str:
    """Returns `text` with its white space treated as `mode` says, in linear time.

    `all` keeps it. `single` makes a run of white space one line feed where it contains one, and one space
    where it is spaces and tabs. `oneline` makes every run one space. Raises ValueError for another mode.
    """
    if mode == "all":
        return text
    if mode == "single":
        return _RUN.sub(_single, text)
    if mode == "oneline":
        return re.sub(r"\s+", " ", text)
    raise ValueError(f"invalid whitespace mode {mode}")


def mode_for(name: str) -> str:
    """Returns the mode of a template that sets none: `single` for names in `.html` or `.js`, else `all`."""
    return "single" if name.endswith((".html", ".js")) else "all"
