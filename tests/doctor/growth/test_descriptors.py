"""Files and sockets that are opened and not closed, by the line that opened them."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eyewall import doctor
from eyewall.doctor.collector import Collector
from eyewall.doctor.finding import Finding
from eyewall.doctor.growth import connections, descriptors, load, openings
from eyewall.doctor.growth.connections import End
from eyewall.doctor.growth.descriptors import DescriptorLeaks
from eyewall.doctor.growth.load import Descriptors, limit, numbers, resident_bytes
from eyewall.doctor.growth.openings import CONNECTING, Openings
from eyewall.net.tcpclient import TCPClient

from ..lines import line_of
from ..patient import turns

STEP = 0.5
opened: list[Any] = []
on_linux = pytest.mark.skipif(
    not os.path.isdir(load.FOLDERS[0]), reason="what a descriptor is can be seen in /proc only"
)


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


class Ward:
    """The running loop, whose descriptors are counted every half second of a clock that a test turns."""

    def __init__(self, count: Callable[[], int] | None = None) -> None:
        self.now = 0.0
        self.collector = Collector()
        self._detector = DescriptorLeaks(count=count, clock=lambda: self.now)
        self._detector.start(asyncio.get_running_loop(), self.collector)

    def watch(self, seconds: float, each: Callable[[], object]) -> list[Finding]:
        found: list[Finding] = []
        for _ in range(int(seconds / STEP)):
            each()
            self._detector.look()
            found = self.collector.findings()
            if found:
                break
            self.now += STEP
        return found

    def stop(self) -> None:
        self._detector.stop()


@on_linux
def test_files_that_are_not_closed(run: Callable[..., None], tmp_path: Path) -> None:
    def leak() -> None:
        for _ in range(3):
            opened.append(open(tmp_path / str(len(opened)), "w"))  # noqa: SIM115

    async def main() -> None:
        ward = Ward()
        [finding] = ward.watch(20.0, leak)
        assert finding.rule == "descriptors-leak"
        assert finding.place == line_of(leak, "open(tmp_path")
        assert "files" in finding.summary
        ward.stop()

    run(main())


@on_linux
@pytest.mark.parametrize("connects", [False, True])
def test_sockets_that_are_not_closed(run: Callable[..., None], connects: bool) -> None:
    def leak() -> None:
        for _ in range(3):
            opened.append(socket.socket(type=socket.SOCK_DGRAM))
            if connects:
                opened[-1].connect(("127.0.0.1", 9))

    async def main() -> None:
        ward = Ward()
        [finding] = ward.watch(20.0, leak)
        assert finding.place == line_of(leak, "socket.socket")
        assert "sockets" in finding.summary
        ward.stop()

    run(main())


@on_linux
@pytest.mark.parametrize("end", ["closed", "kept", "elsewhere"])
def test_pipes(run: Callable[..., None], end: str) -> None:
    def start() -> None:
        if end != "kept":
            # As `subprocess` does.
            sys.audit("subprocess.Popen", "true", ["true"], None, None)
        for _ in range(2):
            reading, writing = os.pipe()
            opened.append(os.fdopen(reading, "rb"))
            if end == "kept":
                opened.append(os.fdopen(writing, "wb"))
            elif end == "elsewhere":
                # On the way to somebody else, like that of a process which runs.
                socket.send_fds(elsewhere, [b"x"], [writing])
                os.close(writing)
            else:
                os.close(writing)

    elsewhere, taking = socket.socketpair()

    async def main() -> None:
        ward = Ward()
        found = ward.watch(30.0, start)
        if end == "elsewhere":
            assert found == []
        else:
            [finding] = found
            assert "pipes" in finding.summary
            if end == "closed":
                assert finding.place == line_of(start, "sys.audit")
        ward.stop()

    with elsewhere, taking:
        run(main())


@on_linux
def test_databases_that_are_not_closed(run: Callable[..., None], tmp_path: Path) -> None:
    def leak() -> None:
        for _ in range(3):
            opened.append(sqlite3.connect(tmp_path / "data"))
            opened[-1].execute("pragma user_version")

    async def main() -> None:
        ward = Ward()
        [finding] = ward.watch(20.0, leak)
        assert finding.place == line_of(leak, "sqlite3.connect")
        ward.stop()

    run(main())


@on_linux
def test_connections_that_the_loop_serves(run: Callable[..., None]) -> None:
    async def main() -> None:
        ward = Ward()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        found: list[Finding] = []
        for _ in range(40):
            # As many on each side.
            for _ in range(2):
                sock = socket.create_connection(("127.0.0.1", port))
                sock.setblocking(False)
                transport, _ = await loop.create_connection(asyncio.Protocol, sock=sock)
                opened.append(transport)
            found += ward.watch(STEP, lambda: None)
        assert found == []
        assert len(numbers()) > 80
        while opened:
            opened.pop().abort()
        await asyncio.sleep(0)
        server.close()
        ward.stop()

    run(main())


def test_the_end_of_what_there_may_be(run: Callable[..., None]) -> None:
    async def main() -> None:
        count = limit() // 2
        ward = Ward(lambda: count)
        assert ward.watch(5.0, lambda: None) == []
        count = limit() - 3
        [finding] = ward.watch(1.0, lambda: None)
        assert finding.rule == "descriptors-run-out"
        assert finding.count == 1
        ward.stop()

    run(main())


def test_how_many_there_are() -> None:
    counter = Descriptors()
    assert counter.count() == 0
    counter.start()
    before, along = counter.count(), counter.along_the_free()
    more = [os.open(os.devnull, os.O_RDONLY) for _ in range(100)]
    try:
        assert counter.count() - before == 100
        # It counts the lower ones; which those are depends on what was open before.
        assert 50 <= counter.along_the_free() - along <= 100
    finally:
        for number in more:
            os.close(number)
    counter.stop()
    assert counter.count() == 0


def test_lines_that_open(tmp_path: Path) -> None:
    def write() -> None:
        (tmp_path / "a").write_text("x")

    known = Openings()
    known.start()
    try:
        write()
        sock = socket.socket()
        assert known.file(str(tmp_path / "a")) == line_of(write, "write_text")
        assert [each.thing for each in known.sockets().values()] == [sock]
        sock.close()
        assert known.sockets() == {}
        del sock
        assert not known._sockets
    finally:
        known.stop()
    write()
    assert known.file(str(tmp_path / "a")) is None


@on_linux
def test_what_the_doctor_opens_is_nobodys(run: Callable[..., None]) -> None:
    async def main() -> None:
        # What is imported by then is no matter.
        doctor.enable(log_level="never")
        doctor.disable()
        known = Openings()
        known.start()
        try:
            doctor.enable(log_level="never")
            assert resident_bytes()
            assert (known._paths, known.sockets()) == ({}, {})
        finally:
            doctor.disable()
            known.stop()

    run(main())


def test_paths_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "PATHS", 3)
    known = Openings()
    known.start()
    try:
        for name in "abcde":
            (tmp_path / name).write_text("x")
    finally:
        paths = list(known._paths)
        known.stop()
    assert [os.path.basename(path) for path in paths] == ["c", "d", "e"]


def test_a_hook_that_fails_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(frame: object) -> None:
        raise ArithmeticError("hook")

    known = Openings()
    known.start()
    monkeypatch.setattr(openings, "_line", fail)
    (tmp_path / "a").write_text("x")
    assert isinstance(known.error, ArithmeticError)
    assert known._opened not in openings._listeners


def test_a_sample_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "numbers", lambda: list(range(5000)))
    found = descriptors.newest(2000)
    assert len(found) == descriptors.SAMPLE
    assert min(found) >= 3000
    # Of two kinds that take turns, both are there.
    assert len({number % 2 for number in found}) == 2
    assert descriptors.newest(3) == [4997, 4998, 4999]


class Line(asyncio.Protocol):
    """A client's, which keeps the future that somebody waits for, if somebody does."""

    def __init__(self) -> None:
        self.answered: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        opened.append(transport)


async def by_stream(port: int) -> Callable[[], Awaitable[object]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    opened.append(writer)
    return lambda: reader.read(1)


async def by_protocol(port: int) -> Callable[[], Awaitable[object]]:
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(Line, "127.0.0.1", port)

    async def ask() -> object:
        line.answered = loop.create_future()
        return await line.answered

    return ask


async def by_iostream(port: int) -> Callable[[], Awaitable[object]]:
    stream = await TCPClient().connect("127.0.0.1", port)
    opened.append(stream)
    return lambda: stream.read_bytes(1)


async def by_socket(port: int) -> Callable[[], Awaitable[object]]:
    loop = asyncio.get_running_loop()
    sock = socket.socket()  # open_connection
    sock.setblocking(False)
    opened.append(sock)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    return lambda: loop.sock_recv(sock, 1)


async def by_task(port: int) -> Callable[[], Awaitable[object]]:
    async with asyncio.TaskGroup() as group:
        # As a library does, for each of the addresses of a name.
        task = group.create_task(vars(library)["connect"]("127.0.0.1", port))
    reader, writer = task.result()
    opened.append(writer)
    return lambda: reader.read(1)


async def wait_for(ask: Callable[[], Awaitable[object]]) -> None:
    await ask()


#: A module that is installed.
library = ModuleType("library")
exec(
    compile(
        "import asyncio\nasync def connect(*where): return await asyncio.open_connection(*where)\n",
        "/usr/lib/python3/site-packages/library.py",
        "exec",
    ),
    vars(library),
)


async def by_unix(path: str) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    opened.append(writer)


async def by_datagrams(port: int) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port)
    )
    opened.append(transport)


@on_linux
@pytest.mark.parametrize("kind", ["unix", "datagrams"])
def test_connections_of_other_kinds_that_are_not_closed(
    run: Callable[..., None], tmp_path: Path, kind: str
) -> None:
    async def main() -> None:
        ward, loop = Ward(), asyncio.get_running_loop()
        accepts: list[asyncio.StreamWriter] = []
        path = str(tmp_path / "socket")
        server = await asyncio.start_unix_server(lambda _, writer: accepts.append(writer), path)
        endpoint, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        found: list[Finding] = []
        for count in range(2, 80, 2):
            for _ in range(2):
                if kind == "unix":
                    await by_unix(path)
                else:
                    await by_datagrams(endpoint.get_extra_info("sockname")[1])
            while kind == "unix" and len(accepts) < count:
                await asyncio.sleep(0)
            found = ward.watch(STEP, lambda: None)
            if found:
                break
        [finding] = found
        assert finding.rule == "descriptors-leak"
        assert descriptors.UNUSED in finding.summary
        line = line_of(by_unix, "await") if kind == "unix" else line_of(by_datagrams, "await")
        assert finding.place == line
        while opened:
            opened.pop().close()
        for each in (*accepts, endpoint):
            each.close()
        await turns(3)
        server.close()
        ward.stop()
        assert not set(CONNECTING) & set(vars(loop) if hasattr(loop, "__dict__") else ())

    run(main())


@on_linux
@pytest.mark.parametrize("closes", [False, True])
def test_connections_that_their_clients_have_closed(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, closes: bool
) -> None:
    monkeypatch.setattr(connections, "LEFT", 0.0)
    gate: list[asyncio.Event] = []
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        opened.append(writer)
        await reader.read()
        served += 1
        if closes:
            writer.close()
        await gate[0].wait()

    async def main() -> None:
        ward = Ward()
        gate.append(asyncio.Event())
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        found: list[Finding] = []
        for count in range(2, 80, 2):
            for _ in range(2):
                with socket.create_connection(server.sockets[0].getsockname()):
                    pass
            while served < count:
                await asyncio.sleep(0)
            found = ward.watch(STEP, lambda: None)
            if found:
                break
        if closes:
            assert found == []
        else:
            [finding] = found
            assert finding.rule == "descriptors-leak"
            assert descriptors.LEFT_BY_CLIENT in finding.summary
            assert finding.place == line_of(serve, "gate[0].wait")
        gate[0].set()
        while opened:
            opened.pop().close()
        await turns(3)
        server.close()
        ward.stop()

    run(main())


@on_linux
@pytest.mark.parametrize("with_tasks", [False, True])
def test_files_that_tasks_work_with(run: Callable[..., None], tmp_path: Path, with_tasks: bool) -> None:
    async def work(gate: asyncio.Event) -> None:
        with tempfile.TemporaryFile(dir=tmp_path) as file:
            file.write(b"x")
            await gate.wait()

    async def main() -> None:
        ward, gate = Ward(), asyncio.Event()
        tasks = []
        found: list[Finding] = []
        for _ in range(40):
            for _ in range(3):
                if with_tasks:
                    tasks.append(asyncio.create_task(work(gate)))
                else:
                    opened.append(tempfile.TemporaryFile(dir=tmp_path))  # noqa: SIM115 - the fault
            await asyncio.sleep(0)
            found = ward.watch(STEP, lambda: None)
            if found:
                break
        assert [each.rule for each in found] == ([] if with_tasks else ["descriptors-leak"])
        gate.set()
        await asyncio.gather(*tasks)
        ward.stop()

    run(main())


@on_linux
def test_loops_that_are_not_closed(run: Callable[..., None]) -> None:
    def leak() -> None:
        opened.append(asyncio.SelectorEventLoop())
        opened.append(asyncio.DefaultEventLoopPolicy().new_event_loop())  # here

    async def main() -> None:
        ward = Ward()
        [finding] = ward.watch(20.0, leak)
        assert finding.rule == "descriptors-leak"
        assert finding.place is not None
        assert finding.place.function == leak.__qualname__
        ward.stop()

    run(main())


@on_linux
def test_the_line_is_of_what_most_of_them_are(run: Callable[..., None], tmp_path: Path) -> None:
    def leak() -> None:
        opened.append((tmp_path / "one").open("w"))
        for _ in range(2):
            # By a library, as far as anybody knows.
            reading, writing = os.pipe()
            ends.extend((reading, writing))

    async def main() -> None:
        ward = Ward()
        [finding] = ward.watch(30.0, leak)
        assert "pipes" in finding.summary
        assert finding.place != line_of(leak, ".open(")
        for end in ends:
            os.close(end)
        ward.stop()

    ends: list[int] = []
    run(main())


class Segments:
    """An open file for each that is asked for, and not too many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.files: list[Any] = []

    def open(self, path: Path) -> None:
        self.files.append(path.open("w"))
        if len(self.files) > self.most:
            self.files.pop(0).close()


@on_linux
def test_a_cache_of_open_files(run: Callable[..., None], tmp_path: Path) -> None:
    async def main() -> None:
        ward, segments = Ward(), Segments(60)
        assert ward.watch(60.0, lambda: segments.open(tmp_path / str(len(segments.files)))) == []
        # It closes none.
        more = Segments(1000)
        [finding] = ward.watch(100.0, lambda: more.open(tmp_path / "more"))
        assert finding.place == line_of(Segments.open, "path.open")
        for each in (*segments.files, *more.files):
            each.close()
        ward.stop()

    run(main())


@on_linux
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize(
    ("leak", "line"),
    [
        (by_stream, "open_connection"),
        (by_protocol, "create_connection"),
        (by_iostream, "TCPClient"),
        (by_socket, "# open_connection"),
        (by_task, "async with"),
    ],
)
def test_connections_that_are_not_closed(
    run: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    leak: Callable[[int], Awaitable[Callable[[], Awaitable[object]]]],
    line: str,
    reads: bool,
) -> None:
    monkeypatch.setattr(connections, "IDLE", 0.0)
    monkeypatch.setattr(connections, "PART", 0.0)

    async def main() -> None:
        ward = Ward()

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepts.append(writer.transport)

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        found: list[Finding] = []
        accepts: list[asyncio.Transport] = []
        waiting = []
        for count in range(2, 80, 2):
            for _ in range(2):
                ask = await leak(server.sockets[0].getsockname()[1])
                if reads:
                    waiting.append(asyncio.create_task(wait_for(ask)))
            while len(accepts) < count:
                await asyncio.sleep(0)
            found = ward.watch(STEP, lambda: None)
            if found:
                break
        if reads:
            # Somebody waits for what may come.
            assert found == []
        else:
            [finding] = found
            assert finding.rule == "descriptors-leak"
            assert finding.place == line_of(leak, line)
            assert descriptors.UNUSED in finding.summary or leak is by_socket
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for transport in accepts:
            transport.abort()
        while opened:
            opened.pop().close()
        await asyncio.sleep(0)
        server.close()
        ward.stop()
        assert "create_connection" not in vars(asyncio.get_running_loop())

    run(main())


def test_connections_that_are_used_again() -> None:
    # A pool has some that are idle for a while, and uses them.
    assert connections.is_unused(End(0, 0, 30.0), 31.0)
    assert not connections.is_unused(End(0, 0, 30.0), 100.0)
    assert not connections.is_unused(End(0, 0, 1.0), 1.0)
    assert connections.is_unused(End(0, 0, 10.0), None)


@on_linux
def test_which_connections_clients_have_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for _ in range(3):
            opened.append(socket.create_connection(server.getsockname()))
            opened.append(server.accept()[0])
        ends = connections.ends_of(each.fileno() for each in opened)
        assert len(ends) == 6
        assert connections.outgoing(ends) == {each.fileno() for each in opened[::2]}
        assert ends[opened[0].fileno()].there == ends[opened[1].fileno()].here
        assert connections.ends_of([server.fileno(), -1]) == {}


@on_linux
def test_how_long_nothing_has_gone_over_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
        assert 0.0 <= connections.idle_for(client) < 60.0
        while connections.idle_for(client) < 0.02:
            pass
        client.send(b"x")
        assert connections.idle_for(client) < 60.0
        with socket.socket(socket.AF_UNIX) as other:
            assert connections.idle_for(other) == 0.0
