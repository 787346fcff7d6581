"""What the parts of a handler need of each other, as types.

A mixin of this layer stands below `handler.py` and knows only these protocols; the handler puts them
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Headers(Protocol):
    """Request header fields, by case-insensitive name."""

    def get(self, name: str, default: Any = None, /) -> Any: ...
    def __contains__(self, name: object, /) -> bool: ...


class RequestView(Protocol):
    """The part of `HTTPServerRequest` that handlers' mixins read."""

    @property
    def method(self) -> str | None: ...
    @property
    def uri(self) -> str | None: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def arguments(self) -> Mapping[str, list[bytes]]: ...
    @property
    def query_arguments(self) -> Mapping[str, list[bytes]]: ...
    @property
    def body_arguments(self) -> Mapping[str, list[bytes]]: ...
    @property
    def cookies(self) -> Mapping[str, Any]: ...
    def full_url(self) -> str: ...


class ApplicationView(Protocol):
    """The part of `Application` that handlers' mixins read."""

    @property
    def settings(self) -> dict[str, Any]: ...
