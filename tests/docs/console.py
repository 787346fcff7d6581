"""Follows a page as a reader does: its files are written, its console blocks typed in order in an empty folder, and
what the page shows is compared with what comes.

A page is read from top to bottom:

- A block with a mark (`<!-- examples/start/hello.py -->`) is a file that the reader then has, at its path below the
  page's folder of examples. The whole file is copied, also where the block is an excerpt of it.
- In a `console` block, a line that begins with `$ ` is typed. Lines below it are what comes: a line `...` is any number
  of lines, `…` anything within one; times, durations, ids and the process id 4711 are whatever they are. A command
  without lines below it may say what it likes, and has to end well. 4711 in a command is the server's process.
- `eyewall run` and `python -m eyewall.tornado` go on. The next commands are typed beside it, in another terminal, as
  the pages say; another server ends the one before with Ctrl-C, which has to end well, too. A `console` block without
  a command is what the server says next.

Typed literally, but for two things: port 8000 is another one that is free, since tests run beside others, and what
`replaced` says.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.listening import Listening

from .pages import ROOT, Fence, fences

#: Seconds after which something that should have happened has not.
PATIENCE = 60.0
#: What stands for anything of its kind, in what a page shows. The first that fits counts.
_VARYING = re.compile(
    r"(?P<stamp>\d{6} \d\d:\d\d:\d\d (?=(?:\d+ )?\w+:\d))"
    r"|(?P<moment>\d{4}-\d\d-\d\dT[\d:.]+Z)"
    r"|(?P<place>(?<=\w:)\d+(?=\]))"
    r"|(?P<id>\b[0-9a-f]{24}\b)"
    r"|(?P<duration>\b\d+(?:\.\d+)? ?m?s\b)"
    r"|(?P<process> *\b4711\b)"
    r"|(?P<port>\b8000\b)"
    r"|(?P<any>…)"
)
_KINDS = {
    "stamp": r"\d{6} \d\d:\d\d:\d\d ",
    "moment": r"\S+",
    "place": r"\d+",
    "id": r"[0-9a-f]{24}",
    "duration": r"\d+(?:\.\d+)? ?m?s",
    "process": r" *\d+",
    "any": r".*",
}
#: Commands that change what later ones find, and are typed again before each.
_LASTING = (". ", "cd ", "export ")


@dataclass
class Step:
    """What is typed, and the lines that the page shows of what comes. Nothing is typed where `command` is empty."""

    command: str
    shown: list[str] = field(default_factory=list)


def steps(fence: Fence) -> Iterator[Step]:
    """The steps of a `console` block."""
    current = Step("")
    for line in fence.text.splitlines():
        if line.startswith("$ "):
            if current.command or current.shown:
                yield current
            current = Step(line[2:])
        else:
            current.shown.append(line)
    yield current


def pattern(line: str, port: int = 8000) -> str:
    """The regular expression of the lines that `line` stands for, where port 8000 is `port`, unless it is 8000."""
    kinds = {**_KINDS, "port": f"(?:8000|{port})"}
    parts = []
    end = 0
    for found in _VARYING.finditer(line):
        parts.append(re.escape(line[end : found.start()]))
        parts.append(kinds[str(found.lastgroup)])
        end = found.end()
    return "".join([*parts, re.escape(line[end:])]).rstrip()


def fits(shown: list[str], came: list[str], port: int = 8000) -> bool:
    """Whether `came`, all of it, is what the page shows."""
    wanted = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else pattern(line, port) + r" *\n" for line in shown
    )
    return re.fullmatch(wanted, "".join(f"{line}\n" for line in came)) is not None


def commands(folder: Path) -> Path:
    """Returns `folder`, with the commands `eyewall` and `python`, which are those of the tests."""
    for name, arguments in (("python", ""), ("eyewall", "-m eyewall")):
        command = folder / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        command.chmod(0o755)
    return folder


class Server(Listening):
    """A command that goes on. Ends at the end of the page."""

    def __init__(self, command: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.command = command
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        #: Lines up to here were compared.
        self._seen = 0
        assert self._process.stdout is not None
        self._listen(self._process.stdout, daemon=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def says(self, shown: list[str], port: int = 8000) -> None:
        """Waits for lines like `shown`, in this order. Others may stand between them; and what is before and after
        a line `...` may come in any order.
        """
        begin = last = self._seen
        for line in shown:
            if line.strip() == "...":
                self._seen = begin
                continue
            wanted = re.compile(pattern(line, port) + " *")
            with self._news:
                found = self._news.wait_for(
                    lambda wanted=wanted: self._find(wanted) is not None or self._over, PATIENCE
                )
                place = self._find(wanted)
                said = "\n".join(self.lines)
                assert found, f"{line!r} was not said by {self.command}:\n{said}"
                assert place is not None, f"{line!r} was not said by {self.command}, which has ended:\n{said}"
                self._seen = place + 1
                last = max(last, self._seen)
        self._seen = last

    def _find(self, wanted: re.Pattern[str]) -> int | None:
        return next((n for n in range(self._seen, len(self.lines)) if wanted.fullmatch(self.lines[n])), None)

    def interrupt(self) -> int:
        """Ctrl-C. Returns the exit status."""
        os.killpg(self._process.pid, signal.SIGINT)
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def kill(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stdout is not None
        self._process.stdout.close()


class Reader:
    """Somebody who follows a page, in `folder`. `examples` has the page's files. Leaving ends what runs."""

    def __init__(
        self,
        folder: Path,
        examples: Path,
        *,
        replaced: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.examples = examples
        self.port = free_port()
        self._replaced = dict(replaced or {})
        self._lasting: list[str] = []
        self._server: Server | None = None
        # What is typed is all that is installed.
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EYEWALL_", "PYTEST_", "PYTHON", "COVERAGE")) and name != "VIRTUAL_ENV"
        }
        self._environment = {
            **kept,
            "EYEWALL_PORT": str(self.port),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "CURL_HOME": str(folder / ".curl"),
            **(environment or {}),
        }
        # curl draws a progress bar where it writes to no terminal.
        (folder / ".curl").mkdir()
        (folder / ".curl" / ".curlrc").write_text("silent\nshow-error\n")

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.kill()

    def follow(self, page: Path) -> None:
        """Does what the page says, from top to bottom. Raises AssertionError where it is not so."""
        for fence in fences(page):
            if fence.mark is not None:
                self.take(fence)
            elif fence.kind == "console":
                for step in steps(fence):
                    self.do(step, str(fence))

    def take(self, fence: Fence) -> None:
        assert fence.mark is not None
        source = ROOT / fence.mark
        if source.is_relative_to(self.examples):
            target = self.where() / source.relative_to(self.examples)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def where(self) -> Path:
        """The folder that the reader is in."""
        place = self.folder
        for command in self._lasting:
            if command.startswith("cd "):
                place = place / shlex.split(command)[1]
        return place

    def do(self, step: Step, place: str) -> None:
        shown = [self._literal(line) for line in step.shown]
        if not step.command:
            assert self._server is not None, f"{place}: nothing runs that could say this"
            self._server.says(shown, self.port)
            return
        command = self._literal(step.command).replace("8000", str(self.port))
        if self._server is not None:
            command = command.replace("4711", str(self._server.pid))
        if command.startswith(_LASTING):
            self._lasting.append(command)
        if is_server(command):
            self.end_server()
            self._server = Server(self._line(f"exec env {command}"), self.folder, self._environment)
            self._server.says(shown or ["[I 260131 12:00:00 worker:1] Listening on …"], self.port)
            return
        done = subprocess.run(
            ["bash", "-c", self._line(command)],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * PATIENCE,
            check=False,
        )
        came = done.stdout.splitlines()
        told = f"{place}: $ {command}\n" + "\n".join(came)
        if shown:
            assert fits(shown, came, self.port), f"{told}\n-- is not what the page shows:\n" + "\n".join(
                shown
            )
        else:
            # Where the page shows what comes, it may show an error.
            assert done.returncode == 0, told

    def end_server(self) -> None:
        """Ctrl-C, for the server that runs."""
        if self._server is not None:
            server, self._server = self._server, None
            status = server.interrupt()
            said = "\n".join(server.lines)
            server.kill()
            # A program without a handler of its own for SIGINT ends by it.
            assert status in (0, -signal.SIGINT), f"{server.command} ended with {status}:\n{said}"

    def _literal(self, text: str) -> str:
        for old, new in self._replaced.items():
            text = text.replace(old, new)
        return text

    def _line(self, command: str) -> str:
        # What fails ends it, and not the next command.
        before = [each for each in self._lasting if each != command]
        return "; ".join(["set -e", *before, command])


def is_server(command: str) -> bool:
    # Variables may stand before it.
    words = [word for word in shlex.split(command) if not re.match(r"\w+=", word)]
    return words[:2] == ["eyewall", "run"] or words[:3] == ["python", "-m", "eyewall.tornado"]


def free_port() -> int:
    """A port that is free, and not one of those that the system gives to whoever asks for any."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
