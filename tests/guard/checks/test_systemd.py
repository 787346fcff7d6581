"""systemd's notification protocol, against a real socket; the watchdog's timer, without any."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.guard.checks.systemd import STATUS_CHARS, Notifier, WatchdogTimer


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What plays systemd: the address as the environment has it, and the socket."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@eyewall-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + address[1:] if address[0] == "@" else address)
        sock.settimeout(20.0)
        yield address, sock


def test_what_is_told(manager: tuple[str, socket.socket]) -> None:
    address, sock = manager
    environ = {"NOTIFY_SOCKET": address, "PATH": "/bin"}
    notifier = Notifier.from_environment(environ)
    assert notifier is not None
    assert notifier.watchdog_timeout is None
    # Programs that are started from here do not speak for this one.
    assert environ == {"PATH": "/bin"}
    notifier.ready("Serving\non port 80")
    assert sock.recv(1000) == f"READY=1\nMAINPID={os.getpid()}\nSTATUS=Serving on port 80".encode()
    notifier.status("Serving on port 80")
    notifier.status("Serving, more or less")
    assert sock.recv(1000) == b"STATUS=Serving, more or less"
    before = time.monotonic()
    notifier.reloading("Reloading")
    first, at, status = sock.recv(1000).decode().split("\n")
    assert (first, status) == ("RELOADING=1", "STATUS=Reloading")
    assert before <= int(at.removeprefix("MONOTONIC_USEC=")) / 1e6 + 1e-6 <= time.monotonic() + 1e-6
    notifier.watchdog()
    assert sock.recv(1000) == b"WATCHDOG=1"
    notifier.stopping("x" * 1000)
    assert sock.recv(1000) == b"STOPPING=1\nSTATUS=" + b"x" * STATUS_CHARS
    notifier.close()
    notifier.close()


@pytest.mark.parametrize(
    ("limit", "process", "timeout"),
    [
        ("30000000", None, 30.0),
        ("500000", str(os.getpid()), 0.5),
        ("30000000", "1", None),
        ("", None, None),
    ],
    # Names that are the same in each process that runs tests.
    ids=["not-said", "this", "another", "none"],
)
def test_a_watchdog_that_is_meant_for_this_process(
    limit: str, process: str | None, timeout: float | None
) -> None:
    environ = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": limit}
    if process is not None:
        environ["WATCHDOG_PID"] = process
    notifier = Notifier.from_environment(environ)
    assert notifier is not None
    assert notifier.watchdog_timeout == timeout
    assert environ == {}


@pytest.mark.parametrize("limit", ["0", "-1", "30s", "1e6", "٣"])
def test_a_watchdog_that_is_no_number_is_none(limit: str, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": limit})
    assert notifier is not None
    assert notifier.watchdog_timeout is None
    assert "there is no watchdog" in caplog.text


@pytest.mark.parametrize("address", ["notify", "@", "vsock:2:1234"])
def test_what_is_no_unix_socket_is_not_used(address: str, caplog: pytest.LogCaptureFixture) -> None:
    assert Notifier.from_environment({"NOTIFY_SOCKET": address}) is None
    assert "no Unix socket" in caplog.text


def test_outside_of_systemd_there_is_nobody_to_tell() -> None:
    assert Notifier.from_environment({"WATCHDOG_USEC": "1"}) is None


def test_a_manager_that_does_not_listen_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    with caplog.at_level(logging.ERROR, "tornado.general"):
        assert not notifier.send("READY=1")
        notifier.watchdog()
    assert [record.getMessage() for record in caplog.records] == [
        "systemd could not be told READY=1: [Errno 2] No such file or directory"
    ]
    notifier.close()


def test_a_manager_that_stands_still_holds_nobody_up(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        notifier = Notifier(address)
        for _ in range(100_000):
            if not notifier.send("WATCHDOG=1"):
                break
        else:
            pytest.fail("the queue of a socket has an end")
        notifier.close()


def test_the_watchdog_is_fed_at_half_of_its_time() -> None:
    timer = WatchdogTimer(30.0, 100.0)
    assert timer.interval == 15.0
    assert timer.feed(100.0, [])
    assert (timer.wait(100.0), timer.wait(120.0)) == (15.0, 0.0)
    assert not timer.feed(114.0, [])
    assert timer.feed(115.0, [])
    with pytest.raises(ValueError, match="above 0"):
        WatchdogTimer(0.0, 0.0)


def test_it_is_not_fed_while_anybody_is_silent() -> None:
    timer = WatchdogTimer(30.0, 100.0)
    assert timer.feed(100.0, [100.0, 95.0])
    assert not timer.feed(115.0, [115.0, 95.0])
    assert 0.0 < timer.wait(115.0) < 5.0
    assert not timer.feed(118.0, [118.0, 95.0])
    assert timer.feed(120.0, [118.0, 120.0])


@given(
    st.floats(0.1, 100.0),
    st.lists(st.tuples(st.floats(0.0, 50.0), st.lists(st.floats(0.0, 60.0), max_size=3)), max_size=30),
)
def test_it_is_fed_when_it_is_time_and_all_are_well_and_only_then(
    timeout: float, steps: list[tuple[float, list[float]]]
) -> None:
    timer, now, fed_at = WatchdogTimer(timeout, 0.0), 0.0, None
    for passed, silent in steps:
        now += passed
        fed = timer.feed(now, [now - each for each in silent])
        well = all(now - (now - each) <= timeout / 2 for each in silent)
        if fed:
            assert well
            assert fed_at is None or now - fed_at >= timeout / 2 - 1e-6
            fed_at = now
        elif well and fed_at is not None:
            # Not later than an eighth after it could have been.
            assert now - fed_at < timeout / 2 + 1e-6 or timer.wait(now) <= timeout / 16 + 1e-6
