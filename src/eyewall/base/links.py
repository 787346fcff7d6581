"""Finding addresses in plain text and turning them into links.

A regular expression finds where an address may begin; where it ends is decided in one walk over its
characters:

- White space, control characters, quotes and angle brackets end it.
- So does a closing bracket that was not opened inside it; brackets that are balanced belong to it. If an
  opening bracket is never closed, the address ends before it.
- Punctuation at its end (a full stop, a comma, a question mark …) belongs to the sentence, not to the
  address.

The walk goes on behind the address, or behind what looked like one, and never back. Which brackets belong
together is found out once for a whole run of characters that could be an address, so that time stays linear
in any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from eyewall.base.text import xhtml_escape

#: The text of a shortened link has at most so many characters before its dots.
_SHORT_LINK = 30
_DOTS = "..."
_ENDS = frozenset("<>\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb")
_PUNCTUATION = frozenset(".,:;!?*_~-|")
_OPENING = {"(": ")", "[": "]", "{": "}"}
_CLOSING = frozenset(_OPENING.values())


@cache
def _begin() -> re.Pattern[str]:
    # A protocol is a whole word, and no longer than any registered one. RFC 3986 section 3.1 has the
    # characters; the full stop is left out because it more often ends the sentence before.
    return re.compile(r"(?<!\w)(?:([A-Za-z][\w+-]{0,31}):/{1,3}|www\.)(?=[^\s<>\"'./])")


def _ends_address(char: str) -> bool:
    return char in _ENDS or char.isspace() or not char.isprintable()


def _match_brackets(text: str, start: int, partner: dict[int, int]) -> None:
    """Notes in `partner` where each bracket opened between `start` and the end of the run is closed; -1 for
    never.
    """
    waiting: list[int] = []
    for at in range(start, len(text)):
        char = text[at]
        if char in _OPENING:
            waiting.append(at)
        elif char in _CLOSING:
            if waiting and _OPENING[text[waiting[-1]]] == char:
                partner[waiting.pop()] = at
            else:
                # Ends every address that came so far, and so leaves what is open around it open.
                partner.update(dict.fromkeys(waiting, -1))
                waiting.clear()
        elif _ends_address(char):
            break
    partner.update(dict.fromkeys(waiting, -1))


def _end_of_address(text: str, start: int, partner: dict[int, int]) -> int:
    """Where the address that begins at `start` ends. Fills `partner` for the run it meets."""
    at = start
    size = len(text)
    while at < size:
        char = text[at]
        if char in _CLOSING or _ends_address(char):
            break
        if char in _OPENING:
            if at not in partner:
                _match_brackets(text, at, partner)
            if partner[at] < 0:
                break
            at = partner[at]
        at += 1
    while at > start and text[at - 1] in _PUNCTUATION:
        at -= 1
    return at


def _shortened(address: str, authority_at: int) -> str:
    """Protocol, host and first part of the path of `address`, or as much of it as fits, with dots behind."""
    if len(address) <= _SHORT_LINK:
        return address
    path_at = address.find("/", authority_at)
    end = len(address)
    if path_at >= 0:
        for mark in "/?#":
            found = address.find(mark, path_at + 1)
            if 0 <= found < end:
                end = found
    label = address[: min(end, _SHORT_LINK)] + _DOTS
    return label if len(label) < len(address) else address


def linkify_text(
    text: str,
    shorten: bool,
    extra_params: str | Callable[[str], str],
    require_protocol: bool,
    permitted_protocols: Sequence[str],
) -> str:
    """Returns `text` as HTML with its addresses as links; `escape.linkify` says what the rest means."""
    permitted = {protocol.lower() for protocol in permitted_protocols}
    pieces: list[str] = []
    partner: dict[int, int] = {}
    done = 0
    at = 0
    while True:
        match = _begin().search(text, at)
        if match is None:
            break
        start = match.start()
        protocol = match[1]
        end = _end_of_address(text, match.end(), partner)
        if end == match.end():
            at = match.end()
            continue
        if require_protocol if protocol is None else protocol.lower() not in permitted:
            # What stands behind a foreign protocol must not come back as a link without it.
            at = end
            continue
        address = text[start:end]
        target = address if protocol is not None else "http://" + address
        extra = extra_params(target) if callable(extra_params) else extra_params
        extra = extra.strip()
        label = (
            _shortened(address, match.end() - start if protocol is not None else 0) if shorten else address
        )
        href = xhtml_escape(target)
        title = f' title="{href}"' if label != address else ""
        params = f" {extra}" if extra else ""
        # One piece a link: a text of nothing but links should not become a list of ten times its size.
        before = xhtml_escape(text[done:start])
        pieces.append(f'{before}<a href="{href}"{title}{params}>{xhtml_escape(label)}</a>')
        done = at = end
    pieces.append(xhtml_escape(text[done:]))
    return "".join(pieces)
