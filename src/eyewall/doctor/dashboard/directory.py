"""Which processes there are to be shown: the sockets of this user's, and what each says of itself.

    family     a process by its id, and those that belong to the group of that id: the workers of one supervisor
    all        no family is stated

A process is asked once who it is. One that has gone is listed as such for a while, so that whoever looks sees that it
ended; workers that replace others come by themselves.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from eyewall.doctor.control.client import NoDoctor, processes
from eyewall.doctor.control.protocol import ControlError
from eyewall.doctor.dashboard.sources import SocketSource, Source

#: Seconds that a process has to say who it is.
TIMEOUT = 2.0
#: Processes that are asked who they are at once.
AT_ONCE = 8
#: Processes that are shown.
MOST = 256
#: Seconds for which one that has gone is listed.
KEPT = 60.0

#: Arguments that say what is served or run: a file, or an object in a module; and a command of a tool that has several.
_SERVED = re.compile(r"[^-].*\.py|[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(.*\))?")
_COMMAND = re.compile(r"[a-z][a-z-]*")


@dataclass(frozen=True, slots=True)
class Listed:
    """A process that is shown. `group`: whose worker it is."""

    pid: int
    title: str
    program: tuple[str, ...] = ()
    group: int | None = None
    alive: bool = True

    def as_json(self) -> dict[str, Any]:
        """Returns what the page gets."""
        return {
            "pid": self.pid,
            "title": self.title,
            "program": list(self.program),
            "group": self.group,
            "alive": self.alive,
        }


def program_name(program: Sequence[str]) -> str:
    """Returns what a program is called by those who have started it with these arguments: `server.py`, `shop:app` for
    whatever serves that, `eyewall demo`. "" where it has none.
    """
    first = PurePath(program[0] if program else "")
    tool = first.parent.name if first.name == "__main__.py" else first.name
    if tool in ("", "-c", "-m"):
        return ""
    if tool.endswith(".py"):
        return tool
    for each in program[1:]:
        if _SERVED.fullmatch(each):
            return PurePath(each).name
    command = program[1] if len(program) > 1 and _COMMAND.fullmatch(program[1]) else ""
    return f"{tool} {command}".rstrip()


class Directory:
    """Knows the processes of `family`, all where that is None, as of the last `look`.

    `own`: this process, where it is one of them. `present` returns the processes that have a socket, `source` makes
    what asks one. `changed` is called when the list has changed.
    """

    def __init__(
        self,
        family: Collection[int] | None = None,
        *,
        own: Source | None = None,
        present: Callable[[], Iterable[int]] = processes,
        source: Callable[[int], Source] = SocketSource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._family = family
        self.own = own
        self._present = present
        self._new = source
        self._clock = clock
        self._listed: dict[int, Listed] = {}
        self._strangers: set[int] = set()
        self._gone_at: dict[int, float] = {}
        self._asking: dict[int, asyncio.Task[None]] = {}

    def listed(self) -> list[Listed]:
        """Returns all that are shown, workers of a group together."""
        return sorted(self._listed.values(), key=lambda each: (each.group or each.pid, each.pid))

    def alive(self) -> list[int]:
        """Returns the processes that can be asked."""
        return [each.pid for each in self._listed.values() if each.alive]

    def find(self, pid: int) -> Listed | None:
        """Returns a process that is shown; None for one that is not, whether it exists or not."""
        return self._listed.get(pid)

    def source(self, pid: int) -> Source:
        """Returns what asks a process."""
        return self.own if self.own is not None and self.own.pid == pid else self._new(pid)

    def look(self) -> None:
        """Sees who has come and who has gone. Those that have come are listed once they have said who they are."""
        now = self._clock()
        present = set(self._present())
        if self.own is not None:
            present.add(self.own.pid)
        self._strangers &= present
        for pid, known in list(self._listed.items()):
            if pid in present:
                if not known.alive:
                    # Another process with the same number, or the same one with its doctor turned on again.
                    del self._listed[pid]
                    self._gone_at.pop(pid, None)
            elif known.alive:
                self._listed[pid] = replace(known, alive=False)
                self._gone_at[pid] = now
                self.changed()
            elif now - self._gone_at[pid] > KEPT:
                del self._listed[pid], self._gone_at[pid]
                self.changed()
        unknown = present - self._listed.keys() - self._strangers - self._asking.keys()
        for pid in sorted(unknown):
            if len(self._asking) >= AT_ONCE or len(self._listed) + len(self._asking) >= MOST:
                break
            task = asyncio.get_running_loop().create_task(self._ask(pid), name=f"dashboard: who is {pid}")
            self._asking[pid] = task
            task.add_done_callback(lambda _, pid=pid: self._asking.pop(pid, None))  # type: ignore[misc]

    async def settle(self) -> None:
        """Waits until those that were asked have said who they are, or had their time."""
        if self._asking:
            await asyncio.wait(list(self._asking.values()))

    async def close(self) -> None:
        """Asks nobody any more."""
        # At once, and not after those that are asked have ended: who looks meanwhile finds some, which then stay.
        self._listed.clear()
        self._strangers.clear()
        self._gone_at.clear()
        for task in self._asking.values():
            task.cancel()
        await self.settle()

    async def _ask(self, pid: int) -> None:
        source = self.source(pid)
        try:
            said = await source.ask("process", {}, TIMEOUT)
        except NoDoctor:
            # It has ended since, and its socket will be swept.
            self._strangers.add(pid)
            return
        except ControlError:
            if self._family is None or pid not in self._family:
                # It may be one of them; the next look asks it again.
                return
            said = {}
        finally:
            if source is not self.own:
                source.close()
        group = said.get("group")
        if self._family is not None and pid not in self._family and group not in self._family:
            self._strangers.add(pid)
            return
        program = tuple(map(str, said.get("program") or ()))
        self._listed[pid] = Listed(
            pid,
            str(said.get("title") or program_name(program) or f"process {pid}"),
            program,
            group if isinstance(group, int) else None,
        )
        self.changed()
