"""Opening what is to be listened on, and saying why that is not possible."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eyewall.cli.addresses import AddressError, Addresses
from eyewall.cli.settings import Settings
from eyewall.net.occupant import occupant_of

BACKLOG = 16


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def opened(**options: Any) -> Addresses:
    return Addresses.open(Settings(target="app", **options), BACKLOG)


def test_hosts_share_the_port_that_was_chosen() -> None:
    addresses = opened(hosts=("127.0.0.1", "127.0.0.2"), port=0)
    try:
        names = [sock.getsockname() for sock in addresses.sockets]
        assert [name[0] for name in names] == ["127.0.0.1", "127.0.0.2"]
        assert names[0][1] == names[1][1]
        assert addresses.urls("https") == [f"https://{host}:{port}" for host, port in names]
    finally:
        addresses.close()


def test_everywhere() -> None:
    addresses = opened(hosts=("*",), port=0)
    try:
        urls = addresses.urls("http")
        assert f"http://0.0.0.0:{addresses.sockets[0].getsockname()[1]}" in urls
        if len(urls) > 1:
            assert urls[1].startswith("http://[::]:")
    finally:
        addresses.close()


def test_refusing_lets_nobody_new_in_and_keeps_what_is_somebody_elses(
    tmp_path: Path, listening: socket.socket
) -> None:
    path = tmp_path / "s"
    inherited = os.dup(listening.fileno())
    addresses = opened(hosts=("127.0.0.1",), port=0, unix=(str(path),), fds=(inherited,))
    try:
        addresses.refuse()
        assert not path.exists()
        own = addresses.sockets[-1]
        with socket.create_connection(listening.getsockname()), socket.socket() as late:
            late.setblocking(False)
            late.connect_ex(own.getsockname())
            addresses.close()
            with pytest.raises(OSError, match="not connected"):
                late.getpeername()
    finally:
        addresses.close()


def test_a_port_that_is_taken_names_its_holder(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    with pytest.raises(AddressError, match=rf"port {port} is taken, by .* \(pid {os.getpid()}\)") as caught:
        opened(port=port)
    assert caught.value.code == 4


def test_the_holder_is_found_in_proc(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    rows = ["  sl  local_address rem_address   st", "   0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 4711 1 0"]
    rows.append("   1: 0100007F:1F91 0100007F:1000 01 0 0 0 0 0 4712 1 0")
    (tmp_path / "net" / "tcp").write_text("\n".join(rows))
    for pid, inode in (("7", 4711), ("8", 4712)):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "comm").write_text("nginx\n")
        (tmp_path / pid / "fd" / "3").symlink_to(f"socket:[{inode}]")
    proc = str(tmp_path)
    assert occupant_of(0x1F90, proc) == "nginx (pid 7)"
    assert occupant_of(0x1F91, proc) == "", "a connection is no listener"
    assert occupant_of(80, proc) == ""
    assert occupant_of(80, str(tmp_path / "missing")) == ""


def test_a_unix_socket_is_replaced_only_when_nobody_answers(tmp_path: Path) -> None:
    path = str(tmp_path / "sock")
    first = opened(unix=(path,))
    with pytest.raises(AddressError, match="a running server listens"):
        opened(unix=(path,))
    # A server that was killed leaves the file behind.
    first.close()
    assert os.path.exists(path)
    second = opened(unix=(path,), unix_mode=0o640)
    try:
        assert second.urls("http") == [f"unix:{path}"]
        assert os.stat(path).st_mode & 0o777 == 0o640
        # It is the second one's now.
        first.remove_files()
        assert os.path.exists(path)
        second.remove_files()
        assert not os.path.exists(path)
    finally:
        second.close()


@pytest.mark.parametrize(("name", "said"), [("file", "not a socket"), ("no/folder", "No such file")])
def test_a_unix_socket_that_can_not_be(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(AddressError, match=said):
        opened(unix=(str(tmp_path / name),))
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.skipif(not os.path.exists("/proc/net/unix"), reason="Linux has abstract names")
def test_an_abstract_name() -> None:
    name = f"@eyewall-test-{os.getpid()}"
    addresses = opened(unix=(name,))
    try:
        assert addresses.urls("http") == [f"unix:{name}"]
        addresses.remove_files()
    finally:
        addresses.close()


def test_what_failed_leaves_nothing_open(tmp_path: Path, listening: socket.socket) -> None:
    path = str(tmp_path / "sock")
    with pytest.raises(AddressError):
        opened(unix=(path,), port=listening.getsockname()[1])
    assert not os.path.exists(path)


@pytest.mark.parametrize("what", ["nothing", "file", "connected"])
def test_descriptors_that_are_no_listening_sockets(tmp_path: Path, what: str) -> None:
    said = {"nothing": "not open", "file": "not a socket", "connected": "not a listening"}[what]
    with (tmp_path / "file").open("w") as file, socket.socket() as sock:
        number = {"nothing": 900, "file": file.fileno(), "connected": sock.fileno()}[what]
        with pytest.raises(AddressError, match=said):
            opened(fds=(number,))


def test_sockets_from_systemd(monkeypatch: pytest.MonkeyPatch, listening: socket.socket) -> None:
    if os.path.exists("/proc/self/fd/3"):
        kept = os.dup(3)
    else:
        kept = None
    os.dup2(listening.fileno(), 3)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    try:
        addresses = opened()
        assert [sock.getsockname() for sock in addresses.sockets] == [listening.getsockname()]
        assert "LISTEN_FDS" not in os.environ
        addresses.close()
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "one")
        with pytest.raises(AddressError, match="systemd"):
            opened(port=0)
    finally:
        if kept is not None:
            os.dup2(kept, 3)
            os.close(kept)
