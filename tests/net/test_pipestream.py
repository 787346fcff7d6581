"""Streams over pipes and terminals."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from eyewall.net.errors import StreamClosedError
from eyewall.net.pipestream import PipeIOStream

from ..waiting import until
from .loops import Run, both_loops


@both_loops
def test_a_pipe(run: Run) -> None:
    async def main() -> None:
        reader, writer = map(PipeIOStream, os.pipe())
        assert isinstance(reader.fileno(), int)
        assert not os.get_blocking(reader.fileno())
        future = writer.write(b"x" * 1_000_000 + b"\n")
        assert not future.done()
        assert len(await reader.read_until(b"\n")) == 1_000_001
        await future
        writer.write(b"rest")
        writer.close()
        assert await reader.read_until_close() == b"rest"
        assert reader.closed()

    run(main())


@both_loops
def test_a_reader_that_leaves(run: Run) -> None:
    async def main() -> None:
        reader, writer = map(PipeIOStream, os.pipe())
        closed: list[bool] = []
        writer.set_close_callback(lambda: closed.append(True))
        reader.close()
        await until(lambda: closed)
        assert writer.closed()
        reader, writer = map(PipeIOStream, os.pipe())
        future = writer.write(b"x" * 1_000_000)
        reader.close()
        with pytest.raises(StreamClosedError):
            await future

    run(main())


@both_loops
def test_a_terminal(run: Run) -> None:
    async def main() -> None:
        master, slave = pty.openpty()
        child = subprocess.Popen(
            [sys.executable, "-c", "print(input()[::-1])"], stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        stream = PipeIOStream(master)
        stream.write(b"abc\n")
        # What was typed is echoed.
        assert await stream.read_until_close() == b"abc\r\ncba\r\n"
        await until(lambda: child.poll() is not None)
        assert child.returncode == 0

    run(main())
