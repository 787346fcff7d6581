"""What can be wrong with a template."""

from __future__ import annotations


class ParseError(Exception):
    """A template that cannot be compiled: `message`, the `filename` of the template and the line, `lineno`,
    from 1.

    Whoever wrote the template is at fault. It is raised when the template is loaded, never while it is
    rendered.
    """

    def __init__(self, message: str, filename: str | None = None, lineno: int = 0) -> None:
        super().__init__(message, filename, lineno)
        self.message = message
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        return f"{self.message} at {self.filename}:{self.lineno}"
