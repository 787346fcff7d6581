"""Listening sockets, bound and inherited, and what is an IP address."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyewall.net import address
from eyewall.net.address import (
    InheritedSocketError,
    bind_sockets,
    bind_unix_socket,
    inherited_sockets,
    is_valid_ip,
)

from .loops import descriptors


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    """Sockets that are closed after the test."""
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


def reaches(sock: socket.socket) -> bool:
    with socket.socket(sock.family) as client:
        client.connect(sock.getsockname())
        connection, _ = sock.accept()
        connection.close()
    return True


def test_one_address(opened: list[socket.socket]) -> None:
    opened += bind_sockets(0, "127.0.0.1")
    (sock,) = opened
    assert sock.family == socket.AF_INET
    assert sock.gettimeout() == 0.0
    assert not sock.get_inheritable()
    assert reaches(sock)


@needs_ipv6
def test_all_interfaces_have_the_same_port(opened: list[socket.socket]) -> None:
    for nowhere in (None, ""):
        opened += bind_sockets(0, nowhere)
        v4, v6 = opened[-2:]
        assert (v4.family, v6.family) == (socket.AF_INET, socket.AF_INET6)
        assert v4.getsockname()[1] == v6.getsockname()[1]
        assert v6.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@needs_ipv6
def test_one_family(opened: list[socket.socket]) -> None:
    opened += bind_sockets(0, None, family=socket.AF_INET6)
    assert [sock.family for sock in opened] == [socket.AF_INET6]


def test_localhost(opened: list[socket.socket]) -> None:
    opened += bind_sockets(0, "localhost")
    assert len({sock.getsockname()[1] for sock in opened}) == 1


@needs_ipv6
def test_another_port_is_tried_when_one_family_has_it_taken(
    opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first port that the system chooses is taken for IPv6."""
    real = socket.socket.bind
    tried: list[int] = []

    class Socket(socket.socket):
        def bind(self, where: tuple[str, int]) -> None:
            if self.family == socket.AF_INET6:
                tried.append(where[1])
                if len(tried) == 1:
                    blocker = socket.socket(socket.AF_INET6)
                    opened.append(blocker)
                    real(blocker, where)
                    blocker.listen()
            real(self, where)

    monkeypatch.setattr(address.socket, "socket", Socket)
    sockets = bind_sockets(0)
    opened += sockets
    assert len(tried) == 2
    assert {sock.getsockname()[1] for sock in sockets} == {tried[1]}


def test_errors_name_the_address(opened: list[socket.socket]) -> None:
    opened += bind_sockets(0, "127.0.0.1")
    port = opened[0].getsockname()[1]
    before = descriptors()
    with pytest.raises(OSError, match=rf"127\.0\.0\.1 port {port}: Address already in use"):
        bind_sockets(port, "127.0.0.1")
    with pytest.raises(OSError, match=r"192\.0\.2\.1 port 0: Cannot assign"):
        bind_sockets(0, "192.0.2.1")
    assert descriptors() == before


def test_numeric_only(opened: list[socket.socket]) -> None:
    with pytest.raises(socket.gaierror):
        bind_sockets(0, "localhost", flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST)


def test_reuse_port(opened: list[socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    opened += bind_sockets(0, "127.0.0.1", reuse_port=True)
    port = opened[0].getsockname()[1]
    opened += bind_sockets(port, "127.0.0.1", reuse_port=True)
    assert {sock.getsockname()[1] for sock in opened} == {port}
    monkeypatch.delattr(address.socket, "SO_REUSEPORT")
    with pytest.raises(ValueError, match="SO_REUSEPORT"):
        bind_sockets(0, "127.0.0.1", reuse_port=True)


def test_unix_socket(tmp_path: Path, opened: list[socket.socket]) -> None:
    path = tmp_path / "socket"
    opened.append(bind_unix_socket(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert reaches(opened[0])
    # What is left over of another server is replaced.
    opened.append(bind_unix_socket(str(path), mode=0o666))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert reaches(opened[1])


def test_a_file_is_not_replaced_by_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("keep me")
    with pytest.raises(ValueError, match="precious exists and is not a socket"):
        bind_unix_socket(str(path))
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(ValueError, match="not a socket"):
        bind_unix_socket(str(link))
    assert path.read_text() == "keep me"


def test_unix_errors_name_the_path(tmp_path: Path) -> None:
    before = descriptors()
    with pytest.raises(OSError, match="missing/socket"):
        bind_unix_socket(str(tmp_path / "missing" / "socket"))
    with pytest.raises(OSError, match="too long"):
        bind_unix_socket(str(tmp_path / ("x" * 200)))
    assert descriptors() == before


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_abstract_unix_socket(opened: list[socket.socket]) -> None:
    opened.append(bind_unix_socket(f"\0eyewall-test-{os.getpid()}"))
    assert reaches(opened[0])


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "4.4.4.4", "::1", "::", "2620:0:1cfe:face:b00c::3", "fe80::1%eth0", "::ffff:1.2.3.4"]
)
def test_ip_addresses(ip: str) -> None:
    assert is_valid_ip(ip)


@pytest.mark.parametrize(
    "ip",
    [
        "www.google.com",
        "localhost",
        "4.4.4.4<",
        " 127.0.0.1",
        "127.0.0.1\n",
        "",
        " ",
        "\n",
        "\x00",
        "127.0.0.1\x00",
        "a" * 100,
        "127.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "2130706433",
        "1.2.3.4.5",
        "256.1.1.1",
        "[::1]",
        ":::",
        "fe80::1%",
        "fe80::1%a b",
        "127.0.0.1%eth0",
        "1.2.3.4:80",
        "１.2.3.4",
        "::1\ud800",
    ],
)
def test_what_is_no_ip_address(ip: str) -> None:
    assert not is_valid_ip(ip)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="0123456789abcdef:.% \n", max_size=24) | st.ip_addresses().map(str))
def test_ip_addresses_are_those_of_ipaddress(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        expected = False
    else:
        expected = True
    if "%" in text:  # which zones there are, the two see differently
        assert not is_valid_ip(text) or expected
    else:
        assert is_valid_ip(text) == expected


def test_nothing_is_inherited_without_an_announcement() -> None:
    assert inherited_sockets({}) == []
    environ = {"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web", "OTHER": "x"}
    assert inherited_sockets(environ) == []
    assert environ == {"OTHER": "x"}


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"LISTEN_FDS": "x"}, "LISTEN_FDS is 'x'"),
        ({"LISTEN_FDS": "-1"}, "LISTEN_FDS is '-1'"),
        ({"LISTEN_FDS": "1_0"}, "LISTEN_FDS is '1_0'"),
        ({"LISTEN_FDS": "9999999"}, "9999999 descriptors"),
        ({"LISTEN_FDS": "2", "LISTEN_FDNAMES": "one"}, "1 names for 2"),
        ({"LISTEN_PID": "me", "LISTEN_FDS": "1"}, "LISTEN_PID is 'me'"),
    ],
)
def test_wrong_announcements_are_refused(environ: dict[str, str], says: str) -> None:
    with pytest.raises(InheritedSocketError, match=says):
        inherited_sockets({"LISTEN_PID": str(os.getpid()), **environ})


INHERITING = """
import os, sys
# Out of the way first, as a place may be taken by another of them.
places = [os.dup(int(place)) for place in sys.argv[1:]]
for number, place in enumerate(places):
    os.dup2(place, 3 + number)
os.environ["LISTEN_PID"] = str(os.getpid())
from eyewall.net.address import inherited_sockets
for name, sock in inherited_sockets():
    print(name, sock.family.name, sock.getsockname()[1], sock.gettimeout(), sock.get_inheritable())
assert not any(name.startswith("LISTEN_") for name in os.environ)
"""


def inherit(places: list[int], names: str | None) -> subprocess.CompletedProcess[str]:
    """Runs a process that finds `places` as its descriptors 3, 4 …"""
    environ = {**os.environ, "LISTEN_FDS": str(len(places)), "PYTHONPATH": ":".join(sys.path)}
    if names is not None:
        environ["LISTEN_FDNAMES"] = names
    command = [sys.executable, "-c", INHERITING, *map(str, places)]
    return subprocess.run(
        command, pass_fds=places, env=environ, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no service manager of this kind")
def test_sockets_of_a_service_manager(tmp_path: Path, opened: list[socket.socket]) -> None:
    opened += bind_sockets(0, "127.0.0.1")
    port = opened[0].getsockname()[1]
    done = inherit([opened[0].fileno()], "web")
    assert done.stdout == f"web AF_INET {port} 0.0 False\n", done.stderr
    done = inherit([opened[0].fileno()], None)
    assert done.stdout == f"unknown AF_INET {port} 0.0 False\n", done.stderr
    with open(tmp_path / "file", "w") as file:
        done = inherit([file.fileno()], None)
    assert "descriptor 3 ('unknown') of the service manager is not a socket" in done.stderr
    with socket.socket() as sock:
        done = inherit([sock.fileno()], None)
    assert "does not listen" in done.stderr
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        done = inherit([sock.fileno()], None)
    assert "not a stream socket" in done.stderr


def test_who_has_the_port_is_in_a_note() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use") as caught:
            bind_sockets(port, "127.0.0.1")
    [note] = caught.value.__notes__
    assert note.startswith(f"Port {port} is taken by ")
    assert note.endswith("stop that, or listen on another port.")
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in note
