"""Reading files: from memory at once, from disk in a thread."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyewall.net import files
from eyewall.net.files import CACHED_BYTES, load_range, probe_cached, read_cached, read_range

from ..waiting import until
from .loops import Run, both_loops, descriptors

CONTENT = bytes(range(256)) * 4096 + b"the end"


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """A file in memory."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    fd = os.open(path, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def cached(fd: int) -> int:
    """The same, skipping where the file system cannot tell."""
    if read_cached(fd, 0, 1) is None:
        pytest.skip("this file system does not tell what is in memory")
    return fd


@settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(offset=st.integers(0, len(CONTENT) + 10), count=st.integers(0, CACHED_BYTES))
def test_cached_bytes(cached: int, offset: int, count: int) -> None:
    assert read_cached(cached, offset, count) == CONTENT[offset : offset + count]
    assert len(files._buffers) == 1


def test_too_much_for_the_loop(cached: int) -> None:
    assert read_cached(cached, 0, CACHED_BYTES + 1) is None


def test_what_is_on_disk_is_not_read(cached: int) -> None:
    os.fsync(cached)
    os.posix_fadvise(cached, 0, 0, os.POSIX_FADV_DONTNEED)
    if probe_cached(cached, 0, CACHED_BYTES) is not False:
        pytest.skip("this file system keeps what it is told to drop, or a part of it")
    assert read_cached(cached, 0, CACHED_BYTES) is None
    assert asyncio.run(read_range(cached, 10, 100)) == CONTENT[10:110]
    asyncio.run(load_range(cached, 0, len(CONTENT)))
    assert probe_cached(cached, 0, len(CONTENT))
    assert read_cached(cached, 0, CACHED_BYTES) == CONTENT[:CACHED_BYTES]


def test_a_range_half_in_memory_is_not_in_memory(cached: int) -> None:
    os.fsync(cached)
    os.posix_fadvise(cached, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(cached, 0, 0, os.POSIX_FADV_RANDOM)  # no reading ahead
    os.pread(cached, 4096, 0)
    if probe_cached(cached, 0, 4096) is not True or probe_cached(cached, CACHED_BYTES - 10, 10) is not False:
        pytest.skip("this file system keeps what it is told to drop")
    assert read_cached(cached, 0, 4096) == CONTENT[:4096]
    assert read_cached(cached, 0, CACHED_BYTES) is None
    assert probe_cached(cached, 0, CACHED_BYTES) is False


@both_loops
@pytest.mark.parametrize("reason", [errno.EAGAIN, errno.EOPNOTSUPP])
def test_other_reads_do_not_block_the_loop(
    run: Run, reason: int, fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is asked in a thread, which may take as long as it likes."""

    def not_now(*_: Any) -> int:
        raise OSError(reason, "made up")

    go = threading.Event()
    real = os.pread
    started = threading.Event()

    def slow(*args: Any) -> bytes:
        started.set()
        assert go.wait(10)
        return real(*args)

    async def main() -> None:
        monkeypatch.setattr(os, "preadv", not_now)
        monkeypatch.setattr(os, "pread", slow)
        assert read_cached(fd, 0, 10) is None
        assert probe_cached(fd, 0, 10) is (False if reason == errno.EAGAIN else None)
        reading = asyncio.ensure_future(read_range(fd, 5, 500_000))
        loading = asyncio.ensure_future(load_range(fd, 0, 500_000))
        await until(started.is_set)
        assert not reading.done()
        go.set()
        assert await reading == CONTENT[5:500_005]
        await loading

    run(main())


def test_without_the_system_call(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_NOWAIT", 0)
    assert read_cached(fd, 0, 10) is None
    assert probe_cached(fd, 0, 10) is None
    assert asyncio.run(read_range(fd, 0, 10)) == CONTENT[:10]
    assert asyncio.run(read_range(fd, len(CONTENT) - 3, 10)) == b"end"


@both_loops
def test_a_cancelled_read_keeps_its_file(run: Run, fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller closes its file, and the number becomes another file's, before the thread has read."""
    monkeypatch.setattr(files, "_NOWAIT", 0)
    started, go = threading.Event(), threading.Event()
    read: list[bytes] = []
    real = files._read_blocking

    def slow(*args: Any) -> bytes:
        started.set()
        assert go.wait(10)
        read.append(real(*args))
        return read[0]

    monkeypatch.setattr(files, "_read_blocking", slow)

    async def main() -> None:
        before = descriptors()
        mine = os.dup(fd)
        reading = asyncio.ensure_future(read_range(mine, 0, 10))
        # One that no thread has begun with is not read at all.
        await until(started.is_set)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        os.close(mine)
        other = os.open("/dev/zero", os.O_RDONLY)
        assert other == mine
        go.set()
        await until(lambda: read)
        os.close(other)
        await until(lambda: descriptors() <= before + 2)  # the thread pool may have brought some of its own

    run(main())
    assert read == [CONTENT[:10]]


@both_loops
def test_what_keeps_the_loops_executor_busy_delays_no_reading(
    fd: int, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    # Name resolution and what applications do there; and the other way round, a disk that hangs delays none of it.
    names: list[str] = []
    real = os.pread
    go = threading.Event()

    def noted(*args: Any) -> bytes:
        names.append(threading.current_thread().name)
        return real(*args)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            loop.set_default_executor(pool)
            busy = loop.run_in_executor(None, go.wait, 10)
            monkeypatch.setattr(files, "_NOWAIT", 0)
            monkeypatch.setattr(os, "pread", noted)
            assert await read_range(fd, 5, 500) == CONTENT[5:505]
            await load_range(fd, 0, 500)
            assert not busy.done()
            go.set()
            assert await busy

    try:
        run(main())
    finally:
        go.set()
    assert names
    assert all(name.startswith("eyewall-files") for name in names)


def test_errors_are_raised(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)  # a directory cannot be read
    try:
        with pytest.raises(OSError):
            asyncio.run(read_range(fd, 0, 10))
    finally:
        os.close(fd)
    with pytest.raises(OSError):
        read_cached(fd, 0, 10)
    with pytest.raises(OSError):
        probe_cached(fd, 0, 10)
