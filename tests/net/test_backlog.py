"""A listening socket that lets nobody new in, and keeps those who wait."""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path

import pytest

from eyewall.net.backlog import seal

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the filter is Linux's")


@linux
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_nobody_new_is_answered_and_those_who_wait_are_served(
    family: socket.AddressFamily, host: str
) -> None:
    with socket.socket(family) as listening, socket.socket(family) as early, socket.socket(family) as late:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"there is no {host} here")
        listening.listen(8)
        place = listening.getsockname()[:2]
        early.connect(place)
        early.sendall(b"question")
        assert seal(listening)
        late.setblocking(False)
        assert late.connect_ex(place) == errno.EINPROGRESS
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.recv(100) == b"question"
            accepted.sendall(b"answer")
            assert early.recv(100) == b"answer"
        listening.setblocking(False)
        # Over the loopback a handshake is done when `connect` returns: this one has not begun.
        with pytest.raises(BlockingIOError):
            listening.accept()
        with pytest.raises(OSError, match="not connected") as caught:
            late.getpeername()
        assert caught.value.errno == errno.ENOTCONN


@linux
def test_closing_it_refuses_whoever_comes_then() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = listening.getsockname()
        assert seal(listening)
    with socket.socket() as late:
        assert late.connect_ex(place) == errno.ECONNREFUSED


def test_a_socket_that_has_no_syn_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as client:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        assert not seal(listening)
        client.connect(str(tmp_path / "s"))


def test_other_systems_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert not seal(listening)
        with socket.create_connection(listening.getsockname()):
            pass
