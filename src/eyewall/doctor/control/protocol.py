"""What is said over the socket: a line of JSON for each question, and one for each answer. An engine: bytes in, lines
out.

    {"v": 1, "id": 7, "command": "findings", "arguments": {}}
    {"v": 1, "id": 7, "result": [...]}
    {"v": 1, "id": 7, "error": {"code": "unknown-command", "message": "..."}}

`id` is the asker's, and comes back. A question with another version is refused with the code "version", so that the
two sides may be of different releases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from eyewall.base.errors import EyewallError

VERSION = 1
#: Bytes of a question and of an answer, with the end of the line.
QUESTION = 64 * 1024
ANSWER = 32 * 1024 * 1024


class ControlError(EyewallError):
    """A question was refused, or its answer makes no sense.

    `code`: "version", "malformed", "too-large", "unknown-command", "arguments", "not-found", "busy" (the loop, or the
    doctor, does not get to it), "silent" (nothing in the process answers), "not-installed" (what it needs), "failed"
    (the command itself).
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Lines:
    """Cuts bytes into lines of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Returns the lines that `data` completes. Raises ControlError for one that is too long."""
        self._data += data
        lines: list[bytes] = []
        while True:
            end = self._data.find(b"\n", self._searched)
            if (len(self._data) if end < 0 else end) >= self._limit:
                raise ControlError("too-large", f"a line of more than {self._limit} bytes")
            if end < 0:
                self._searched = len(self._data)
                return lines
            lines.append(bytes(self._data[:end]))
            del self._data[: end + 1]
            self._searched = 0


def question(number: int, command: str, arguments: Mapping[str, Any]) -> bytes:
    """Returns a question as a line. Raises ControlError for one that is too long."""
    return _line({"v": VERSION, "id": number, "command": command, "arguments": dict(arguments)}, QUESTION)


def parse_question(line: bytes) -> tuple[Any, str, dict[str, Any]]:
    """Returns the id, command and arguments of a question. Raises ControlError, with the code to answer."""
    said = _parse(line)
    if said.get("v") != VERSION:
        raise ControlError("version", f"this process speaks version {VERSION}, not {said.get('v')!r}")
    command, arguments = said.get("command"), said.get("arguments", {})
    if not isinstance(command, str) or not isinstance(arguments, dict):
        raise ControlError("malformed", "a question has a command, and its arguments by name")
    return said.get("id"), command, arguments


def answer(number: Any, result: Any) -> bytes:
    """Returns an answer as a line; where it would be too long, or can't be written as JSON, the line that says so."""
    try:
        return _line({"v": VERSION, "id": number, "result": result}, ANSWER)
    except ControlError as error:
        return refusal(number, error)
    except (TypeError, ValueError, RecursionError) as error:
        return refusal(number, ControlError("failed", f"the answer can't be written as JSON: {error}"))


def refusal(number: Any, error: ControlError) -> bytes:
    """Returns the answer that there is none, as a line."""
    said = {"code": error.code, "message": str(error)[:1000]}
    return _line({"v": VERSION, "id": number, "error": said}, ANSWER)


def parse_answer(line: bytes, number: int) -> Any:
    """Returns the result in the answer to question `number`. Raises ControlError where it was refused."""
    said = _parse(line)
    error = said.get("error")
    if isinstance(error, dict):
        raise ControlError(str(error.get("code")), str(error.get("message")))
    if said.get("v") != VERSION or said.get("id") != number or "result" not in said:
        raise ControlError("malformed", "the answer is to no question of this side")
    return said["result"]


def _line(said: Mapping[str, Any], limit: int) -> bytes:
    text = json.dumps(said, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
    if len(text) > limit:
        raise ControlError("too-large", f"{len(text)} bytes, and {limit} is the limit")
    return text


def _parse(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ControlError("malformed", f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise ControlError("malformed", "not a JSON object")
    return said
