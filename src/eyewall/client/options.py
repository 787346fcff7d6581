"""What a client looks at instead of a request: its options, with the client's defaults where it leaves one open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eyewall.client.request import HTTPRequest


class RequestOptions:
    """The attributes of `request`; one that is None there is taken from `defaults`, and is None without one.

    Raises AttributeError for what is no attribute of a request.
    """

    def __init__(self, request: HTTPRequest, defaults: Mapping[str, Any] | None) -> None:
        self.request = request
        self.defaults = defaults

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.request, name)
        if value is None and self.defaults is not None:
            value = self.defaults.get(name)
        return value
