import asyncio
import errno
import gc
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from eyewall.http import spool
from eyewall.http.errors import DiskFull, SpoolError
from eyewall.http.headers import HTTPHeaders
from eyewall.http.multipart import PartBegin
from eyewall.http.spool import WRITE_BYTES, SpooledPart

from ..waiting import until


def make(memory_bytes=10, **options):
    return SpooledPart(PartBegin("n", "f", HTTPHeaders({"Content-Type": "a/b"})), memory_bytes, **options)


async def write(part, *chunks):
    for chunk in chunks:
        waiting = part.write(chunk)
        if waiting is not None:
            await waiting
    waiting = part.end()
    if waiting is not None:
        await waiting


def descriptors():
    """Returns how many files without a name are open: others may come and go, with what other tests run beside this."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").endswith(" (deleted)")
        except FileNotFoundError:  # the descriptor of this very listing
            continue
    return count


class Disk(io.BytesIO):
    """A file that misbehaves: takes a few bytes at a time, or none any more."""

    def __init__(self, room=None, error=errno.ENOSPC):
        super().__init__()
        self.room = room
        self.error = error

    def write(self, data):
        if self.room is not None:
            if self.room < len(data):
                raise OSError(self.error, os.strerror(self.error))
            self.room -= len(data)
        return super().write(bytes(data[:3]) if self.room is None else data)


def test_small_parts_stay_in_memory():
    part = make()
    assert part.write(b"12345") is None
    assert part.write(b"67890") is None
    assert part.end() is None
    assert not part.on_disk
    assert (part.name, part.filename, part.content_type, part.size) == ("n", "f", "a/b", 10)
    assert part.body == part.file.read() == b"1234567890"
    assert asyncio.run(part.read()) == b"1234567890"


@pytest.mark.parametrize("size", [11, WRITE_BYTES + 11, 3 * WRITE_BYTES])
def test_larger_parts_go_to_a_file_without_a_name(tmp_path, size):
    async def main():
        data = os.urandom(size)
        with make(directory=str(tmp_path)) as part:
            await write(part, *[data[at : at + 5000] for at in range(0, size, 5000)])
            assert part.on_disk
            assert os.listdir(tmp_path) == []
            assert part.size == size
            assert await part.read() == part.body == part.file.read() == data
            assert part.file.read(3) == data[:3]

    before = descriptors()
    asyncio.run(main())
    assert descriptors() == before


@pytest.mark.parametrize("own", [True, False])
def test_files_are_touched_in_the_executor_only(monkeypatch, own):
    threads = set()

    class Watched(Disk):
        def write(self, data):
            threads.add(threading.current_thread().name)
            return super().write(data)

        def read(self, *size):
            threads.add(threading.current_thread().name)
            return super().read(*size)

    monkeypatch.setattr(spool, "_open_file", lambda directory: Watched())

    async def main():
        with ThreadPoolExecutor(1, "own") as executor:
            part = make(executor=executor if own else None)
            await write(part, b"x" * 100, b"y" * WRITE_BYTES)
            assert await part.read() == b"x" * 100 + b"y" * WRITE_BYTES

    asyncio.run(main())
    assert threads
    # Without one: the threads for files, not the loop's own.
    assert all(name.startswith("own" if own else "eyewall-files") for name in threads)


@pytest.mark.parametrize("spooled", [False, True])
def test_save_to(tmp_path, spooled):
    async def main():
        target = tmp_path / "target"
        target.write_bytes(b"old")
        part = make(memory_bytes=0 if spooled else 100)
        await write(part, b"new content")
        assert part.on_disk is spooled
        await part.save_to(target)
        await part.save_to(str(target))
        assert target.read_bytes() == b"new content"
        assert os.listdir(tmp_path) == ["target"]
        part.close()

    asyncio.run(main())


def test_save_to_leaves_nothing_behind_when_it_fails(tmp_path):
    async def main():
        part = make()
        await write(part, b"x")
        directory = tmp_path / "directory"
        directory.mkdir()
        for target in (directory, tmp_path / "missing" / "x"):
            with pytest.raises(SpoolError) as caught:
                await part.save_to(target)
            assert isinstance(caught.value.__cause__, OSError)
        assert os.listdir(tmp_path) == ["directory"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("number", "kind", "status"),
    [
        (errno.ENOSPC, DiskFull, 507),
        (errno.EDQUOT, DiskFull, 507),
        (errno.EIO, SpoolError, 500),
    ],
)
def test_disk_errors(monkeypatch, number, kind, status):
    disk = Disk(room=WRITE_BYTES, error=number)
    monkeypatch.setattr(spool, "_open_file", lambda directory: disk)

    async def main():
        part = make()
        waiting = part.write(b"x" * 11)
        await waiting
        waiting = part.write(b"x" * (WRITE_BYTES + 1))
        with pytest.raises(kind) as caught:
            await waiting
        assert type(caught.value) is kind
        assert caught.value.status == status
        assert disk.closed
        with pytest.raises(ValueError, match="closed"):
            part.write(b"x")

    asyncio.run(main())


def test_a_directory_that_is_not_there():
    async def main():
        part = make(directory="/nonexistent")
        with pytest.raises(SpoolError):
            await part.write(b"x" * 11)

    asyncio.run(main())


def test_short_writes_are_continued(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(spool, "_open_file", lambda directory: disk)

    async def main():
        part = make()
        await write(part, b"0123456789abcdef")
        assert part.body == b"0123456789abcdef"

    asyncio.run(main())


def test_misuse():
    async def main():
        part = make()
        with pytest.raises(ValueError, match="not complete"):
            part.body  # noqa: B018
        waiting = part.write(b"x" * 11)
        task = asyncio.ensure_future(waiting)
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="awaited"):
            part.write(b"y")
        await task
        assert part.end() is None
        with pytest.raises(ValueError, match="complete"):
            part.write(b"z")
        part.close()
        part.close()
        with pytest.raises(ValueError, match="closed"):
            await part.read()

    asyncio.run(main())


def test_closing_during_a_write_waits_for_it(monkeypatch):
    started, go_on = threading.Event(), threading.Event()

    class Slow(Disk):
        def write(self, data):
            started.set()
            assert go_on.wait(10)
            assert not self.closed
            return super().write(data)

    disk = Slow()
    monkeypatch.setattr(spool, "_open_file", lambda directory: disk)

    async def main():
        part = make()
        task = asyncio.ensure_future(part.write(b"x" * 11))
        await asyncio.get_running_loop().run_in_executor(None, started.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not disk.closed
        go_on.set()
        await until(lambda: disk.closed)

    asyncio.run(main())


def test_a_forgotten_part_closes_its_file():
    async def main():
        await write(make(), b"x" * 11)

    # What others have left is gone before.
    gc.collect()
    before = descriptors()
    asyncio.run(main())
    gc.collect()
    assert descriptors() == before
