"""One message to many connections: the same bytes, and correct streams behind them."""

from __future__ import annotations

import pytest

from eyewall.guard.profile import NATIVE
from eyewall.websocket import broadcasting as module
from eyewall.websocket.broadcasting import Delivery, PreparedMessage, broadcast
from eyewall.websocket.codec import DeflateCodec
from eyewall.websocket.connection import WebSocketConnection
from eyewall.websocket.deflate import DeflateOptions, DeflateParameters
from eyewall.websocket.engine import MESSAGE, WebSocketEngine

from .fakes import Bench


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
    assert benches[0].connection.engine.message_bytes_out == 8


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
