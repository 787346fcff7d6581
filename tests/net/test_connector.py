"""Racing for a connection: which attempts are made when, and what becomes of those that lose."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.loop.ioloop import IOLoop
from eyewall.net.address import bind_unix_socket
from eyewall.net.connector import ConnectRace, connect_host, connect_socket, format_address, new_socket
from eyewall.net.resolver import Resolver
from eyewall.net.tcpclient import TCPClient

from .loops import Run, both_loops, descriptors, listening

#: Seconds that never come.
NEVER = 3600.0


class Runner:
    """Something that is to be connected."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Track:
    """A race whose attempts end when a test says so."""

    def __init__(self, *addresses: tuple[int, Any], refused: str = "") -> None:
        self.refused = set(refused)
        self.runners: dict[Any, Runner] = {}
        self.futures: dict[Any, asyncio.Future[Runner]] = {}
        self.race: ConnectRace[Runner] = ConnectRace(addresses, self.attempt)

    def attempt(self, family: int, address: Any) -> tuple[Runner, asyncio.Future[Runner]]:
        if address in self.refused:
            raise OSError(f"{address} is refused")
        self.runners[address] = Runner()
        self.futures[address] = asyncio.Future()
        return self.runners[address], self.futures[address]

    @property
    def started(self) -> str:
        return "".join(self.runners)

    async def succeed(self, address: Any) -> None:
        self.futures[address].set_result(self.runners[address])
        await asyncio.sleep(0)

    async def fail(self, address: Any) -> None:
        self.futures[address].set_exception(OSError(f"{address} failed"))
        await asyncio.sleep(0)


def dual() -> Track:
    return Track((6, "a"), (6, "b"), (4, "c"), (4, "d"))


@both_loops
def test_the_first_that_succeeds_wins_and_the_others_are_closed(run: Run) -> None:
    async def main() -> None:
        track = dual()
        result = track.race.start(NEVER)
        assert track.started == "a"
        track.race.on_timeout()
        assert track.started == "ac"
        await track.succeed("c")
        assert result.result() == (4, "c", track.runners["c"])
        assert track.runners["a"].closed
        assert not track.runners["c"].closed
        # Too late, and nothing follows a failure any more.
        await track.fail("a")
        assert track.started == "ac"

    run(main())


@both_loops
def test_both_succeed_in_the_same_turn(run: Run) -> None:
    async def main() -> None:
        track = dual()
        result = track.race.start(NEVER)
        track.race.on_timeout()
        for address in "ac":
            track.futures[address].set_result(track.runners[address])
        await asyncio.sleep(0)
        assert result.result()[1] == "a"
        assert track.runners["c"].closed
        assert not track.runners["a"].closed

    run(main())


@both_loops
def test_a_failure_begins_the_other_family_at_once(run: Run) -> None:
    async def main() -> None:
        track = dual()
        result = track.race.start(NEVER)
        await track.fail("a")
        assert track.started == "acb" or track.started == "abc"
        for address in "bcd":
            await track.fail(address)
        with pytest.raises(OSError, match="d failed"):
            result.result()
        assert all(runner.closed for runner in track.runners.values())

    run(main())


@both_loops
def test_the_head_start_is_counted_by_the_loop(run: Run) -> None:
    async def main() -> None:
        track = dual()
        result = track.race.start(0.0)
        while track.started != "ac":
            await asyncio.sleep(0.001)
        result.cancel()
        await asyncio.sleep(0)
        assert all(runner.closed for runner in track.runners.values())

    run(main())


@both_loops
def test_addresses_that_cannot_be_tried(run: Run) -> None:
    async def main() -> None:
        track = Track((6, "a"), (4, "b"), refused="a")
        result = track.race.start(NEVER)
        assert track.started == "b"
        await track.succeed("b")
        assert result.result()[1] == "b"
        nothing = Track((6, "a"), (4, "b"), refused="ab").race.start(NEVER)
        with pytest.raises(OSError, match="b is refused"):
            await nothing
        with pytest.raises(OSError, match="no address"):
            await Track().race.start(NEVER)

    run(main())


@both_loops
def test_a_timeout_names_those_that_did_not_answer(run: Run) -> None:
    async def main() -> None:
        track = Track((6, ("::1", 443, 0, 0)), (4, ("192.0.2.1", 443)), (4, ("192.0.2.2", 443)))
        result = track.race.start(NEVER, connect_timeout=IOLoop.current().time() + NEVER)
        track.race.on_timeout()
        await track.fail(("192.0.2.1", 443))
        track.race.on_connect_timeout()
        with pytest.raises(
            TimeoutError, match=r"^Timeout while connecting to 192\.0\.2\.2:443, \[::1\]:443$"
        ):
            result.result()
        assert all(runner.closed for runner in track.runners.values())
        track.race.on_timeout()
        track.race.on_connect_timeout()
        assert len(track.runners) == 3

    run(main())


@given(st.lists(st.tuples(st.sampled_from([4, 6]), st.integers()), max_size=8))
def test_split_keeps_order_and_loses_nothing(addresses: list[tuple[int, int]]) -> None:
    first, second = ConnectRace.split(addresses)
    assert {kind for kind, _ in first} == {kind for kind, _ in addresses[:1]}
    assert first == [place for place in addresses if place[0] == addresses[0][0]]
    assert second == [place for place in addresses if place[0] != addresses[0][0]]


def test_addresses_are_written_as_usual() -> None:
    assert format_address(("10.0.0.1", 80)) == "10.0.0.1:80"
    assert format_address(("::1", 80, 0, 0)) == "[::1]:80"
    assert format_address("/run/app.sock") == "/run/app.sock"


class Known(Resolver):
    """Resolves everything to the same."""

    def initialize(self, *places: tuple[int, Any]) -> None:
        self.places = list(places)

    async def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> Any:
        return self.places


@both_loops
def test_a_socket_is_connected(run: Run) -> None:
    async def main() -> None:
        before = descriptors()
        with listening() as server:
            address = server.getsockname()
            refusing = new_socket(socket.AF_INET, "127.0.0.1", 0)
            places = [(socket.AF_INET, refusing.getsockname()), (socket.AF_INET, address)]
            sock = await connect_socket(places, source_ip="127.0.0.1", timeout=NEVER)
            peer, source = server.accept()
            assert sock.gettimeout() == 0.0
            assert sock.getsockname() == source
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            reader, writer = await asyncio.open_connection(sock=sock)
            peer.sendall(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.close()
            await writer.wait_closed()
            peer.close()
            refusing.close()
        assert descriptors() == before

    run(main())


@both_loops
def test_a_source_port_is_taken(run: Run) -> None:
    async def main() -> None:
        with listening() as server, new_socket(socket.AF_INET, "127.0.0.1", 0) as free:
            port = free.getsockname()[1]
            free.close()
            place = (socket.AF_INET, server.getsockname())
            sock = await connect_socket([place], source_port=port)
            assert sock.getsockname()[1] == port
            sock.close()

    run(main())


@both_loops
def test_nothing_is_left_of_what_fails(run: Run) -> None:
    async def main() -> None:
        before = descriptors()
        refusing = new_socket(socket.AF_INET, "127.0.0.1", 0)
        place = (socket.AF_INET, refusing.getsockname())
        with pytest.raises(ConnectionRefusedError, match=r"cannot connect to 127\.0\.0\.1:"):
            await connect_socket([place])
        with pytest.raises(OSError, match=r"assign requested address|address"):
            await connect_socket([place], source_ip="192.0.2.7")
        with pytest.raises(ConnectionRefusedError):
            await connect_host(Known(place), "anything", 80, timeout=NEVER)
        refusing.close()
        assert descriptors() == before

    run(main())


@both_loops
def test_a_path_is_an_address(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with bind_unix_socket(tmp_path / "socket") as server:
            place = (socket.AF_UNIX, str(tmp_path / "socket"))
            sock = await connect_socket([place], timeout=NEVER)
            peer, _ = server.accept()
            peer.close()
            sock.close()
            stream = await TCPClient(Known(place)).connect("anything", 80)
            stream.close()
            server.accept()[0].close()
        with pytest.raises(FileNotFoundError, match="cannot connect to /"):
            await connect_socket([(socket.AF_UNIX, str(tmp_path / "nothing"))])

    run(main())


def full_backlog() -> tuple[socket.socket, list[socket.socket]]:
    """Returns a socket whose backlog is full, so that it does not answer, and who fills it."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    crowd = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(server.getsockname())
        crowd.append(sock)
    return server, crowd


@both_loops
def test_cancelled_and_timed_out_attempts_are_closed(run: Run) -> None:
    async def main() -> None:
        before = descriptors()
        server, crowd = full_backlog()
        place = (socket.AF_INET, server.getsockname())
        held = descriptors()
        task = asyncio.ensure_future(connect_socket([place]))
        await asyncio.sleep(0)
        assert descriptors() == held + 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert descriptors() == held
        with pytest.raises(TimeoutError, match=r"Timeout while connecting to 127\.0\.0\.1:"):
            await connect_socket([place], timeout=0.001)
        assert descriptors() == held
        for sock in (server, *crowd):
            sock.close()
        assert descriptors() == before

    run(main())


class Silent(Resolver):
    async def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> Any:
        await asyncio.Future()


@both_loops
def test_resolving_has_its_part_of_the_time(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError, match=r"^Timeout while resolving example\.org$"):
            await connect_host(Silent(), "example.org", 80, timeout=0.001)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
        gc.collect()
