"""What the kernel says of threads: of real ones, which wait."""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
import time

import pytest

from eyewall.doctor.stalls import kernel

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or platform.machine() not in ("x86_64", "aarch64"),
    reason="the numbers of system calls are known of Linux on these machines",
)


def test_a_file_of_the_kernel() -> None:
    number = b"0" if platform.machine() == "x86_64" else b"63"
    fields = [number, b"0x7", b"0x0", b"0x0", b"0x0", b"0x0", b"0x0", b"0x7ffd", b"0x7f00"]
    assert kernel.parse(fields) == ("read", 7)
    for nothing in ([], [b"running"], [b"-1", b"0x0"], [b"99999", b"0x0"], [b"0", b"nonsense"]):
        assert kernel.parse(nothing) is None


def test_a_thread_that_reads() -> None:
    reading, writing = os.pipe()
    ids: list[int] = []

    def read() -> None:
        ids.append(threading.get_native_id())
        os.read(reading, 1)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        # It is on its way there.
        while not ids or kernel.system_call(ids[0]) != ("read", reading):
            time.sleep(0.001)
    finally:
        os.write(writing, b"x")
        thread.join()
        os.close(reading)
        os.close(writing)
    assert kernel.system_call(ids[0]) is None
    assert kernel.waited_for_cpu(ids[0]) is None


def test_a_thread_that_polls_says_what() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    ids: list[int] = []

    def receive() -> None:
        ids.append(threading.get_native_id())
        ours.recv(1)

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        while not ids or (call := kernel.system_call(ids[0])) is None or call.descriptor != ours.fileno():
            time.sleep(0.001)
        assert call.name in ("poll", "ppoll")
    finally:
        theirs.send(b"x")
        thread.join()
        ours.close()
        theirs.close()


def test_descriptors_for_people() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        with socket.create_connection((host, port)) as client:
            assert (
                kernel.describe(client.fileno())
                == f"descriptor {client.fileno()} (TCP socket to {host}:{port})"
            )
        assert kernel.describe(listening.fileno()) == f"descriptor {listening.fileno()} (TCP socket)"
    with open(__file__) as file:
        assert kernel.describe(file.fileno()) == f"descriptor {file.fileno()} ({__file__})"
    reading, writing = os.pipe()
    assert kernel.describe(writing) == f"descriptor {writing} (pipe)"
    os.close(reading)
    os.close(writing)
    assert kernel.describe(writing) == f"descriptor {writing}"


def test_a_name_server() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", 53))
        assert kernel.is_name_service(client.fileno())
        client.connect(("127.0.0.1", 5353))
        assert not kernel.is_name_service(client.fileno())


def test_the_time_without_a_cpu() -> None:
    own = kernel.waited_for_cpu(threading.get_native_id())
    assert own is None or own >= 0.0


def test_a_thread_that_is_ready_and_one_that_waits() -> None:
    assert kernel.is_ready(threading.get_native_id())
    reading, writing = os.pipe()
    ids: list[int] = []

    def read() -> None:
        ids.append(threading.get_native_id())
        os.read(reading, 1)

    thread = threading.Thread(target=read, name=") R (")
    thread.start()
    try:
        # It is on its way there.
        while not ids or kernel.is_ready(ids[0]):
            time.sleep(0)
    finally:
        os.close(writing)
        thread.join()
        os.close(reading)
    assert not kernel.is_ready(ids[0])
