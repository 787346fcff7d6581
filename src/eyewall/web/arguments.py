"""Request arguments as handlers see them: text, without control characters, from query and body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from eyewall.base.escape import to_unicode
from eyewall.web.errors import HTTPError, MissingArgumentError

if TYPE_CHECKING:
    from eyewall.http.request import HTTPServerRequest

_T = TypeVar("_T")

#: Control characters that never belong into a form field; tab, line feed, vertical tab, form feed and
#: carriage return are left for `strip`.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f]")

#: How many bytes of an undecodable argument are repeated in the log.
_QUOTED_BYTES = 40


class _Required:
    """The default of `get_argument`, meaning that there is none."""

    def __repr__(self) -> str:
        return "<required>"


REQUIRED: Any = _Required()


class ArgumentsMixin:
    """`get_argument` and its kin. Nothing is computed, or stored on the handler, before one is called."""

    request: HTTPServerRequest

    @overload
    def get_argument(self, name: str, default: str = ..., strip: bool = ...) -> str: ...
    @overload
    def get_argument(self, name: str, default: _T = ..., strip: bool = ...) -> str | _T: ...

    def get_argument(self, name: str, default: Any = REQUIRED, strip: bool = True) -> Any:
        """Returns the last value of the argument `name`, a body argument before one of the query.

        Raises MissingArgumentError (400) when there is none and no `default` was given, and HTTPError (400)
        when it is not UTF-8. `strip` removes white space at both ends.
        """
        return self._last(self.request.arguments, name, default, strip)

    def get_arguments(self, name: str, strip: bool = True) -> list[str]:
        """Returns all values of the argument `name`, those of the query first; an empty list for none.

        Raises HTTPError (400) when one is not UTF-8. `strip` as with `get_argument`.
        """
        return self._all(self.request.arguments, name, strip)

    @overload
    def get_query_argument(self, name: str, default: str = ..., strip: bool = ...) -> str: ...
    @overload
    def get_query_argument(self, name: str, default: _T = ..., strip: bool = ...) -> str | _T: ...

    def get_query_argument(self, name: str, default: Any = REQUIRED, strip: bool = True) -> Any:
        """`get_argument`, of the query string only: `name`, `default`, `strip` and what is raised are as there."""
        return self._last(self.request.query_arguments, name, default, strip)

    def get_query_arguments(self, name: str, strip: bool = True) -> list[str]:
        """`get_arguments`, of the query string only: `name`, `strip` and what is raised are as there."""
        return self._all(self.request.query_arguments, name, strip)

    @overload
    def get_body_argument(self, name: str, default: str = ..., strip: bool = ...) -> str: ...
    @overload
    def get_body_argument(self, name: str, default: _T = ..., strip: bool = ...) -> str | _T: ...

    def get_body_argument(self, name: str, default: Any = REQUIRED, strip: bool = True) -> Any:
        """`get_argument`, of the request body only: `name`, `default`, `strip` and what is raised are as there."""
        return self._last(self.request.body_arguments, name, default, strip)

    def get_body_arguments(self, name: str, strip: bool = True) -> list[str]:
        """`get_arguments`, of the request body only: `name`, `strip` and what is raised are as there."""
        return self._all(self.request.body_arguments, name, strip)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decodes one percent-decoded argument or path component; override it for other encodings.

        `name` is the argument's, or None for an unnamed group of the path. Raises HTTPError (400) when
        `value` is not UTF-8.
        """
        try:
            return to_unicode(value)
        except UnicodeDecodeError as error:
            raise HTTPError(400, "Invalid unicode in %s: %r", name or "url", value[:_QUOTED_BYTES]) from error

    def _last(self, source: Mapping[str, list[bytes]], name: str, default: Any, strip: bool) -> Any:
        values = self._all(source, name, strip)
        if values:
            return values[-1]
        if default is REQUIRED:
            raise MissingArgumentError(name)
        return default

    def _all(self, source: Mapping[str, list[bytes]], name: str, strip: bool) -> list[str]:
        if not isinstance(strip, bool):
            # A default passed to the plural form lands here; it would silently switch stripping.
            raise TypeError(
                f"strip must be a bool, not {type(strip).__name__}: the plural forms take no default"
            )
        return [self._clean(value, name, strip) for value in source.get(name, ())]

    def _clean(self, raw: bytes, name: str, strip: bool) -> str:
        value = self.decode_argument(raw, name=name)
        if isinstance(value, str):
            # An override of decode_argument may leave bytes as they are.
            value = _CONTROL.sub(" ", value)
        return value.strip() if strip else value
