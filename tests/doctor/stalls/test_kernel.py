"""What the kernel says of threads: of real ones, which wait."""

from __future__ import annotations

import os
import platform
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eyewall.doctor.stalls import kernel, kernelfile

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


def test_a_number_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "schedstat"
    file.write_bytes(b"12345678901 9876543210 77\n")
    empty = tmp_path / "empty"
    empty.write_bytes(b"1\n")
    with file.open("rb") as opened:
        assert kernelfile.second_number(opened.fileno()) == 9876543210.0
        # From its beginning, as often as it is asked for.
        assert kernelfile.second_number(opened.fileno()) == 9876543210.0
        assert kernelfile.pread(opened.fileno(), 5) == b"12345"
        assert kernelfile.pread(opened.fileno(), 512) == file.read_bytes()
    with empty.open("rb") as opened, pytest.raises(ValueError, match="no second number"):
        kernelfile.second_number(opened.fileno())
    for read in (kernelfile.second_number, lambda number: kernelfile.pread(number, 1)):
        with pytest.raises(OSError, match="Bad file descriptor"):
            read(-1)


FilesOf = Callable[[int], kernel.ThreadFiles]


@pytest.fixture
def files_of() -> Iterator[FilesOf]:
    made: dict[int, kernel.ThreadFiles] = {}
    yield lambda thread: made.setdefault(thread, kernel.ThreadFiles(thread))
    for each in made.values():
        each.close()


def test_a_thread_that_reads(files_of: FilesOf) -> None:
    reading, writing = os.pipe()
    ids: list[int] = []

    def read() -> None:
        ids.append(threading.get_native_id())
        os.read(reading, 1)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        # It is on its way there.
        while not ids or files_of(ids[0]).system_call() != ("read", reading):
            time.sleep(0.001)
    finally:
        os.write(writing, b"x")
        thread.join()
        os.close(reading)
        os.close(writing)
    assert files_of(ids[0]).system_call() is None
    # It is joined before it is gone.
    while files_of(ids[0]).waited_for_cpu() is not None:
        time.sleep(0)


def test_a_thread_that_polls_says_what(files_of: FilesOf) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(60)
    ids: list[int] = []

    def receive() -> None:
        ids.append(threading.get_native_id())
        ours.recv(1)

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        while not ids or (call := files_of(ids[0]).system_call()) is None or call.descriptor != ours.fileno():
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


def test_the_time_without_a_cpu(files_of: FilesOf) -> None:
    own = files_of(threading.get_native_id()).waited_for_cpu()
    assert own is None or own >= 0.0


def test_a_thread_that_is_ready_and_one_that_waits(files_of: FilesOf) -> None:
    assert files_of(threading.get_native_id()).is_ready()
    reading, writing = os.pipe()
    ids: list[int] = []

    def read() -> None:
        ids.append(threading.get_native_id())
        os.read(reading, 1)

    thread = threading.Thread(target=read, name=") R (")
    thread.start()
    try:
        # It is on its way there.
        while not ids or files_of(ids[0]).is_ready():
            time.sleep(0)
    finally:
        os.close(writing)
        thread.join()
        os.close(reading)
    # It is joined before it is gone.
    while files_of(ids[0]).is_ready():
        time.sleep(0)


def test_the_files_of_a_thread_stay_open_until_they_are_closed(files_of: FilesOf) -> None:
    files = files_of(threading.get_native_id())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        files.is_ready()
        files.waited_for_cpu()
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    files.close()
    assert len(os.listdir("/proc/self/fd")) == before
    # Nothing is opened again.
    assert not files.is_ready()
    assert files.waited_for_cpu() is None
    assert files.system_call() is None
    assert len(os.listdir("/proc/self/fd")) == before
