"""Routes whose groups are segments or numbers, matched without running a regular expression.

`/user/([^/]+)/posts/([0-9]+)$` is what most routes with parameters look like: literal text, and between its parts
groups of anything but a slash, or of digits. Where a group ends is then decided by the characters alone, so that
one pass over the path finds what the regular expression would, by its rules.
"""

from __future__ import annotations

import re

from eyewall.web.pathpattern import ANCHOR, CAPTURE, LITERAL, pieces

#: A group of any characters but slashes.
SEGMENT = 1
#: A group of digits.
NUMBER = 2

_KINDS = {"[^/]+": SEGMENT, "[^\\/]+": SEGMENT, "[0-9]+": NUMBER, "\\d+": NUMBER}
_GROUP = re.compile(r"\((?:\?P<\w+>)?(.*)\)", re.DOTALL)


class Segments:
    """The groups of `regex` are of `kinds`; `texts` stand before, between and after them.

    `segments_of` makes one. Paths are taken from the beginning, as by `regex.match`, and must be matched whole.
    """

    def __init__(self, regex: re.Pattern[str], texts: list[str], kinds: list[int]) -> None:
        self.regex = regex
        self.start = texts[0]
        self.texts = texts[1:]
        self.kinds = kinds
        self.count = len(kinds)

    def groups(self, path: str) -> tuple[str, ...] | None:
        """Returns the groups, percent-encoded as in `path`, or None if it does not match."""
        if not path.startswith(self.start):
            return None
        end = len(path)
        at = len(self.start)
        found: list[str] = []
        for index in range(self.count):
            first = at
            kind = self.kinds[index]
            if kind == SEGMENT:
                while at < end and path[at] != "/":
                    at += 1
            else:
                while at < end and "0" <= path[at] <= "9":
                    at += 1
                if at < end and path[at] > "~":
                    # Perhaps a digit of another script.
                    return self._matched(path)
            if at == first:
                return None
            found.append(path[first:at])
            text = self.texts[index]
            if index + 1 < self.count:
                if not path.startswith(text, at):
                    return None
                at += len(text)
            elif at != end or text:
                rest = path[at:]
                # `$` matches before a last line feed too.
                if rest != text and rest != text + "\n":
                    return None
        return tuple(found)

    def _matched(self, path: str) -> tuple[str, ...] | None:
        found = self.regex.match(path)
        return None if found is None else found.groups()


def segments_of(regex: re.Pattern[str]) -> Segments | None:
    """Returns what decides for `regex`, or None where that takes the regular expression itself."""
    if regex.flags != re.UNICODE or not regex.groups:
        return None
    texts = [""]
    kinds: list[int] = []
    parts = pieces(regex.pattern)
    if not parts or parts[-1] != (ANCHOR, "$"):
        return None
    for index, part in enumerate(parts[:-1]):
        if part.kind == LITERAL:
            texts[-1] += part.text
        elif part.kind == CAPTURE:
            group = _GROUP.fullmatch(part.text)
            kind = _KINDS.get(group[1]) if group is not None else None
            if kind is None:
                return None
            kinds.append(kind)
            texts.append("")
        elif part != (ANCHOR, "^") or index:
            return None
    for kind, text in zip(kinds, texts[1:], strict=True):
        # A group ends at the first character that is not its own only if that begins what follows it.
        if kind == SEGMENT and text and text[0] != "/":
            return None
        if kind == NUMBER and text[:1].isdecimal():
            return None
    if any(not text for text in texts[1:-1]):
        return None
    return Segments(regex, texts, kinds)
