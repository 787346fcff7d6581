"""What must not be shown of a program: the values of whatever is called a password, a token, a key.

First by name: a variable, a setting, a header, a key of a dictionary, an attribute in a representation. Then by value:
what was found under such a name is also hidden where it turns up again, in a message, a URL or a line of source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

HIDDEN = "••••"

#: A name is taken apart into words; one of these makes it a secret.
_WORDS = frozenset(
    {
        "auth",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "csrf",
        "dsn",
        "jwt",
        "key",
        "keys",
        "pass",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "pwd",
        "secret",
        "secrets",
        "session",
        "sessionid",
        "sid",
        "signature",
        "token",
        "tokens",
        "xsrf",
    }
)
#: These do also within a word, as in `apikey`.
_PARTS = re.compile("apikey|authoriz|cookie|credential|passphrase|passwd|password|secret|token")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
#: `name=value` and `'name': value`, in representations and in URLs. A name begins where no name goes on, which keeps
#: the search linear.
_PAIR = re.compile(
    r"""(?<![\w-])(?P<name>[A-Za-z_][\w-]{0,60})(?P<sign>['"]?\s{0,3}[=:]\s{0,3})"""
    r"""(?P<value>b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|(?:Bearer|Basic|Digest)\s[^\s,]+|[^\s,;&)}\]'"]+)"""
)
#: Shorter values turn up in texts by chance.
_SHORTEST = 6
_MOST_VALUES = 500
_DEEPEST = 3


def is_secret(name: object) -> bool:
    """Whether what has this name is to be hidden."""
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not isinstance(name, str):
        return False
    lower = name.lower()
    return (
        _PARTS.search(lower) is not None
        or lower in _WORDS
        or any(word.lower() in _WORDS for word in _WORD.findall(name))
    )


class Hider:
    """Knows secret values, and takes them out of texts."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, named: Iterable[tuple[object, Any]]) -> None:
        """Learns the values of what has a secret name."""
        for name, value in named:
            if is_secret(name):
                self._keep(value, _DEEPEST)
            elif isinstance(value, Mapping) and type(value).__module__ == "builtins":
                self.learn((key, each) for key, each in list(value.items()) if is_secret(key))

    def _keep(self, value: Any, depth: int) -> None:
        # Subclasses may do anything when they are asked.
        kind = type(value)
        if len(self._values) >= _MOST_VALUES or depth == 0:
            return
        if kind is bytes:
            value, kind = value.decode("latin-1"), str
        if kind is str:
            if len(value) >= _SHORTEST:
                self._values.update((value, repr(value)[1:-1], quote(value, errors="replace")))
                self._pattern = None
        elif kind is dict:
            for each in list(value.values())[:_MOST_VALUES]:
                self._keep(each, depth - 1)
        elif kind in (list, tuple, set, frozenset):
            for each in list(value)[:_MOST_VALUES]:
                self._keep(each, depth - 1)

    def values(self, text: str) -> str:
        """Returns `text` without the values that are known."""
        if self._values:
            if self._pattern is None:
                longest_first = sorted(self._values, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(re.escape, longest_first)))
            text = self._pattern.sub(HIDDEN, text)
        # What no encoding can carry would be in the way of the whole page.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")

    def text(self, text: str) -> str:
        """Returns `text` without the values that are known, and without those that stand behind a secret name."""
        return _PAIR.sub(_without, self.values(text))


def _without(found: re.Match[str]) -> str:
    if not is_secret(found["name"]):
        return found[0]
    return f"{found['name']}{found['sign']}{HIDDEN}"
