"""Exceptions a handler raises to end a request with a status.

HTTPError                a status, and what the log says about it
  MissingArgumentError   400: a required argument is not there
Finish                   end the request as it stands, without error handling
MissingSettingError      the application lacks a setting that a feature needs: a mistake in the program
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eyewall.http.startline import responses


def _restore(kind: type[HTTPError], args: tuple[Any, ...], state: dict[str, Any]) -> HTTPError:
    """Rebuilds an error from a copy or a pickle without calling its constructor, whose signature may
    differ."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class HTTPError(Exception):
    """Turned into an error response with `status_code`.

    `log_message` goes to the log, never to the client, and is %-formatted with `args`; without `args` it is
    taken as it is, so that it may contain percent signs. `reason` (keyword) replaces the registered reason
    phrase.
    """

    def __init__(
        self, status_code: int = 500, log_message: str | None = None, *args: object, **kwargs: Any
    ) -> None:
        self.status_code = status_code
        self._message = log_message
        self.args = args
        self.reason: str | None = kwargs.get("reason")

    @property
    def log_message(self) -> str | None:
        """The message as a %-format for `args`: literal percent signs are doubled when there are no
        `args`."""
        if self._message is None or self.args:
            return self._message
        return self._message.replace("%", "%%")

    def get_message(self) -> str | None:
        """Returns the message with `args` filled in. Raises what %-formatting raises when they do not fit."""
        if self._message is None or not self.args:
            return self._message
        return self._message % self.args

    def __str__(self) -> str:
        head = f"HTTP {self.status_code}: {self.reason or responses.get(self.status_code, 'Unknown')}"
        message = self.get_message()
        return f"{head} ({message})" if message else head

    def __reduce__(self) -> tuple[Callable[..., HTTPError], tuple[Any, ...]]:
        return _restore, (type(self), self.args, self.__dict__.copy())


class Finish(Exception):
    """Ends the request without error handling: what was written so far is the response.

    One argument, if there is any, is passed on to `RequestHandler.finish`.
    """


class MissingArgumentError(HTTPError):
    """400: the argument `arg_name` is required and was not sent."""

    def __init__(self, arg_name: str) -> None:
        super().__init__(400, f"Missing argument {arg_name}")
        self.arg_name = arg_name


class MissingSettingError(Exception):
    """The application was made without the setting `name`, which `feature` needs."""

    def __init__(self, name: str, feature: str) -> None:
        super().__init__(f"You must define the '{name}' setting in your application to use {feature}")
        self.name = name
        self.feature = feature

    def __reduce__(self) -> tuple[type[MissingSettingError], tuple[str, str]]:
        return type(self), (self.name, self.feature)
