"""One message to many connections: the same bytes, and correct streams behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyewall.guard.profile import NATIVE, Profile
from eyewall.websocket import broadcasting as module
from eyewall.websocket.broadcasting import Delivery, PreparedMessage, broadcast
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.deflate import DeflateOptions, DeflateParameters
from eyewall.websocket.engine import MESSAGE, WebSocketEngine
from eyewall.websocket.frames import build_frame

from .fakes import Bench
from .peers import Collector, connect, serving


def deflating(**parameters: int) -> tuple[Bench, WebSocketEngine]:
    """A server's connection with compression, and the client at its other end."""
    agreed = DeflateParameters(**parameters)  # type: ignore[arg-type]
    bench = Bench(codec=DeflateCodec(agreed, DeflateOptions(), client=False))
    peer = WebSocketEngine(True, 1 << 20, 100, DeflateCodec(agreed, DeflateOptions(), client=True))
    return bench, peer


def received(bench: Bench, peer: WebSocketEngine) -> list[object]:
    peer.feed(bench.transport.take())
    found: list[object] = []
    while peer.next_event() == MESSAGE:
        found.append(peer.message)
    return found


def test_everyone_gets_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[bytes] = []
    real = module.build_frame

    def counting(first: int, payload: bytes) -> bytes:
        built.append(payload)
        return real(first, payload)

    monkeypatch.setattr(module, "build_frame", counting)
    benches = [Bench() for _ in range(5)]
    assert broadcast([bench.connection for bench in benches], "Grüße") == Delivery(5, 0, 0)
    assert [bench.said() for bench in benches] == [["Grüße"]] * 5
    assert len(built) == 1
    broadcast([bench.connection for bench in benches], b"\xff", binary=True)
    assert [bench.said() for bench in benches] == [[b"\xff"]] * 5
    connection = benches[0].connection
    assert (connection._message_bytes_out, connection._wire_bytes_out) == (8, 12)


def test_compressed_streams_go_on_correctly_behind_a_broadcast() -> None:
    pairs = [
        deflating(),
        deflating(server_no_context_takeover=True),
        deflating(server_max_window_bits=9),
        deflating(server_max_window_bits=8),
    ]
    text = "the same words again and again, the same words again and again"
    for _ in range(3):
        for bench, peer in pairs:
            bench.connection.write_message(text)
            assert received(bench, peer) == [text]
        assert broadcast([bench.connection for bench, _ in pairs], text + "!").sent == 4
        for bench, peer in pairs:
            bench.connection.write_message(text)
            assert received(bench, peer) == [text + "!", text]


def test_each_kind_of_compression_is_encoded_once() -> None:
    pairs = [deflating() for _ in range(3)] + [deflating(server_max_window_bits=10) for _ in range(3)]
    prepared = PreparedMessage("x" * 1000)
    broadcast([bench.connection for bench, _ in pairs], prepared)
    wires = [bench.transport.take() for bench, _ in pairs]
    assert all(len(wire) < 50 for wire in wires)
    assert wires[0] is not None
    assert len(set(wires[:3])) == 1
    plain = Bench()
    broadcast([plain.connection], prepared)
    assert plain.said() == ["x" * 1000]


def test_those_that_are_closed_are_skipped() -> None:
    closing, lost, fine = Bench(), Bench(), Bench()
    closing.connection.start_close(1000)
    lost.transport.lose(None)
    targets = [closing.connection, lost.connection, fine.connection]
    assert broadcast(targets, "a") == Delivery(1, 2, 0)
    assert fine.said() == ["a"]


def test_slow_ones() -> None:
    slow = Bench(NATIVE.replace(websocket_write_bytes=200000))
    slow.transport.full = True
    for _ in range(2):
        assert broadcast([slow.connection], bytes(80000), binary=True).sent == 1
    assert broadcast([slow.connection], bytes(80000), binary=True, skip_slow=True) == Delivery(0, 1, 0)
    assert broadcast([slow.connection], bytes(80000), binary=True) == Delivery(0, 0, 1)
    assert slow.transport.aborted


class Handler:
    def __init__(self, connection: WebSocketConnection | None) -> None:
        self.ws_connection = connection


def test_whatever_carries_a_connection_can_be_named() -> None:
    bench, client = Bench(), Bench(client=True)
    targets = {Handler(bench.connection), Handler(None), Handler(client.connection)}
    assert broadcast(targets, "a") == Delivery(2, 1, 0)
    assert bench.said() == ["a"]
    frame = client.transport.take()
    assert frame[:2] == b"\x81\x81"


def test_targets_may_change_while_it_runs() -> None:
    bench = Bench(NATIVE.replace(websocket_write_bytes=0, write_high_water=0))
    bench.transport.full = True
    targets = {Handler(bench.connection), Handler(Bench().connection)}
    bench.transport.abort = targets.clear  # type: ignore[method-assign]
    assert sum(broadcast(targets, "a")) == 2


def test_what_is_no_text_is_refused_before_anything_is_written() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="codec"):
        broadcast([bench.connection], b"\xff")
    assert bench.said() == []


@asynccontextmanager
async def collecting(profile: Profile = NATIVE) -> AsyncIterator[tuple[int, list[Collector]]]:
    """A server on a free port, and the receivers of its connections in their order."""
    servers: list[Collector] = []

    def make() -> Collector:
        servers.append(Collector())
        return servers[-1]

    async with serving(make, profile=profile) as port:
        yield port, servers


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["write", "broadcast", "turn"]), st.sampled_from([0, 1, 125, 70_000, 400_000])),
    max_size=20,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_past_the_transport_or_through_it_messages_come_whole_and_in_their_order(
    run: Callable[[Coroutine[Any, Any, None]], None], operations: list[tuple[str, int]]
) -> None:
    async def main() -> None:
        async with collecting() as (port, servers):
            clients = [Collector(), Collector()]
            ends = [await connect(port, client) for client in clients]
            ours = [server.connection for server in servers]
            assert len(ours) == 2
            sent: list[bytes] = []
            for number, (operation, size) in enumerate(operations):
                message = bytes([number]) * size
                if operation == "turn":
                    await asyncio.sleep(0)
                elif operation == "broadcast":
                    sent.append(message)
                    assert broadcast(ours, message, True) == Delivery(2, 0, 0)
                else:
                    sent.append(message)
                    for connection in ours:
                        connection.write_message(message, True)
            for client in clients:
                assert [await client.messages.get() for _ in sent] == sent
            wire = sum(len(build_frame(0x82, message)) for message in sent)
            assert [connection._wire_bytes_out for connection in ours] == [wire, wire]
            assert [connection.waiting() for connection in ours] == [0, 0]
            for end in ends:
                end.start_close(1000)
            for client in clients:
                await client.closed

    run(main())


def test_nothing_is_written_to_the_socket_of_a_connection_that_closes(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def main() -> None:
        async with collecting() as (port, servers):
            await connect(port, Collector())
            [server] = servers
            connection = server.connection
            # The answer to the handshake is out.
            while connection.waiting():
                await asyncio.sleep(0)
            assert connection.open_socket(-2.0) >= 0
            assert connection.transport is not None
            connection.transport.abort()
            assert connection.open_socket(-3.0) == -1
            await server.closed
            assert connection.open_socket(-4.0) == -1

    run(main())


def test_what_waits_in_the_transport_goes_first(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        async with collecting() as (port, servers):
            client = Collector()
            end = await connect(port, client)
            connection = servers[0].connection
            while connection.waiting():
                await asyncio.sleep(0)
            # Nothing waited, and nothing was written since: it is not asked again.
            assert connection.open_socket(1.0) >= 0
            assert connection.open_socket(2.0) >= 0
            connection.write_message(b"x" * 8_000_000, True)
            assert connection.waiting() > 0
            assert connection.open_socket(3.0) == -1
            await client.messages.get()
            while connection.waiting():
                await asyncio.sleep(0)
            assert connection.open_socket(4.0) >= 0
            # What was said to be written and was not takes the transport's way, where it may wait.
            written = connection.written
            connection.written_past(8_000_000)
            connection.send_rest(b"\x82\x7f" + (7_999_990).to_bytes(8, "big") + b"y" * 7_999_990)
            assert connection.written == written + 8_000_000
            assert connection.waiting() > 0
            assert connection.open_socket(5.0) == -1
            assert await client.messages.get() == b"y" * 7_999_990
            end.start_close(1000)
            await client.closed

    run(main())


def test_only_one_frame_in_a_turn_goes_past_the_transport(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def main() -> None:
        async with collecting() as (port, servers):
            client = Collector()
            end = await connect(port, client)
            connection = servers[0].connection
            while connection.waiting():
                await asyncio.sleep(0)
            assert connection.open_socket(1.0) >= 0
            assert connection.open_socket(1.0) == -1
            assert connection.open_socket(2.0) >= 0
            connection.outside = True
            assert connection.open_socket(3.0) == -1
            end.start_close(1000)
            await client.closed

    run(main())


def test_a_transport_that_changes_what_is_written_is_never_passed_by() -> None:
    # What has a socket, and does more than write to it: TLS, or a stream with a buffer of its own.
    bench = Bench()
    assert bench.connection.open_socket(1.0) == -1


def test_what_was_taken_over_is_written_whatever_a_later_one_raises(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    class Broken:
        @property
        def ws_connection(self) -> WebSocketConnection | None:
            raise LookupError("on purpose")

    async def main() -> None:
        async with collecting() as (port, servers):
            client = Collector()
            end = await connect(port, client)
            with pytest.raises(LookupError):
                broadcast([servers[0].connection, Broken()], "a")
            broadcast([servers[0].connection], "b")
            assert await client.messages.get() == "a"
            assert await client.messages.get() == "b"
            end.start_close(1000)
            await client.closed

    run(main())


def test_one_that_is_too_slow_for_the_rest_of_a_frame_counts_as_dropped(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def main() -> None:
        async with collecting(NATIVE.replace(websocket_write_bytes=1000)) as (port, servers):
            client = Collector()
            await connect(port, client)
            connection = servers[0].connection
            # More than a socket takes at once.
            assert broadcast([connection], bytes(1 << 25), True) == Delivery(0, 0, 1)
            assert broadcast([connection], "a") == Delivery(0, 1, 0)
            await client.closed

    run(main())
