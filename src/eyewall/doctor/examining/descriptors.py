"""Files and connections that were opened and are open still, with the line that opened them.

What is open is asked of the system before and after; who opened it was noted then by a hook of the interpreter, which
can't be taken away again: it does nothing while nobody looks.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import weakref
from dataclasses import dataclass

from eyewall.doctor.examining.stacks import inner
from eyewall.doctor.finding import Evidence, Finding, Severity
from eyewall.doctor.growth.load import FOLDERS
from eyewall.doctor.places import Place, best_of, is_own, stack_of

#: Openings that are remembered at most.
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Opening:
    """What was opened: a path, or a socket; and in which places."""

    path: str
    socket: weakref.ref[socket.socket] | None
    places: tuple[Place, ...]


class Descriptors:
    """Compares what is open at the `start` and at the end."""

    def __init__(self) -> None:
        self._before: dict[int, str] = {}
        self._openings: list[_Opening] = []
        self._ignored = False

    def start(self) -> None:
        """Notes what is open, and who opens something from now on, in any thread."""
        self._before = _open()
        _hook(self)

    def stop(self) -> None:
        """Notes nothing any more."""
        _hook(None)

    def exempt(self) -> None:
        """What is open now belongs to somebody else."""
        self._before = _open()
        self._openings.clear()

    def opened(self, path: object, opened: socket.socket | None) -> None:
        """Something is about to be opened."""
        if len(self._openings) >= REMEMBERED:
            del self._openings[: REMEMBERED // 2]
        text = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        if not text and opened is None:
            return
        reference = None if opened is None else weakref.ref(opened)
        self._openings.append(_Opening(text, reference, inner(stack_of(sys._getframe(2)))))

    def findings(self) -> list[Finding]:
        """Returns a finding for each descriptor that is open and was not, where it is known to be the program's."""
        found = []
        for number, target in _open().items():
            if self._before.get(number) == target:
                continue
            if target.startswith("socket:"):
                found += self._socket(number)
            elif target.startswith("/") and not target.startswith(("/dev/", "/proc/")):
                found += self._file(number, target)
        return found

    def _socket(self, number: int) -> list[Finding]:
        places: tuple[Place, ...] = ()
        for each in reversed(self._openings):
            opened = None if each.socket is None else each.socket()
            if opened is not None and opened.fileno() == number:
                places = each.places
                break
        else:
            # Opened by a library in C, uvloop for one; a server's own connections are accepted without a hook.
            return []
        what = _kind(number)
        return _findings(
            "connection-leaked",
            f"{what} was not closed",
            "Close it: 'async with', 'with', or finally.",
            places,
        )

    def _file(self, number: int, target: str) -> list[Finding]:
        for each in reversed(self._openings):
            if each.path and os.path.realpath(each.path) == target:
                return _findings(
                    "descriptor-leaked",
                    f"The file {target} was not closed",
                    "Open it in a with statement.",
                    each.places,
                )
        return []


def _findings(rule: str, summary: str, advice: str, places: tuple[Place, ...]) -> list[Finding]:
    place = best_of(places)
    if place is None or not is_own(place):
        return []
    return [
        Finding(
            rule,
            Severity.ERROR,
            summary,
            advice,
            place=place,
            evidence=Evidence(stacks={"opened in": places}),
        )
    ]


def _kind(number: int) -> str:
    try:
        with socket.socket(fileno=os.dup(number)) as duplicate:
            name = _name(duplicate.getsockname())
            if duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                return f"The socket that listens on {name}"
            try:
                return f"The connection to {_name(duplicate.getpeername())}"
            except OSError:
                return "A socket"
    except OSError:
        return "A socket"


def _name(address: object) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"{address[0]}:{address[1]}"
    return str(address) or "its other end"


def _open() -> dict[int, str]:
    """Returns what is open: what each descriptor is of."""
    for folder in FOLDERS:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found = {}
        for name in names:
            try:
                found[int(name)] = os.readlink(f"{folder}/{name}")
            except (OSError, ValueError):
                # The folder's own descriptor, which is closed by now.
                continue
        return found
    return {}


class _Hooked(threading.local):
    """Whether the hook runs in this thread already: looking at a stack may open a file."""

    busy = False


_listener: Descriptors | None = None
_installed = False
_hooked = _Hooked()


def _hook(listener: Descriptors | None) -> None:
    global _listener, _installed
    _listener = listener
    if listener is not None and not _installed:
        _installed = True
        sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    listener = _listener
    if listener is None or event not in ("open", "socket.__new__") or _hooked.busy:
        return
    _hooked.busy = True
    try:
        if event == "open":
            listener.opened(arguments[0], None)
        elif isinstance(arguments[0], socket.socket):
            listener.opened(None, arguments[0])
    except Exception:  # noqa: BLE001, S110 - what is raised in a hook is raised in the program
        pass
    finally:
        _hooked.busy = False
