"""Pipes of a subprocess as streams."""

from __future__ import annotations

import sys

import pytest

from eyewall.loop.process import CalledProcessError
from eyewall.net.errors import StreamClosedError
from eyewall.net.pipestream import PipeIOStream
from eyewall.net.subprocess import Subprocess

from .loops import Run, both_loops

STREAM = Subprocess.STREAM
ECHO = "import sys\nfor line in sys.stdin:\n    print(line.upper(), end='', flush=True)"


@both_loops
def test_a_conversation(run: Run) -> None:
    async def main() -> None:
        process = Subprocess([sys.executable, "-c", ECHO], stdin=STREAM, stdout=STREAM)
        assert type(process.stdin) is type(process.stdout) is PipeIOStream
        for word in (b"wind", b"calm"):
            await process.stdin.write(word + b"\n")
            assert await process.stdout.read_until(b"\n") == word.upper() + b"\n"
        process.stdin.close()
        assert await process.stdout.read_until_close() == b""
        assert await process.wait_for_exit() == 0

    run(main())


@both_loops
def test_what_goes_wrong_is_read_and_told(run: Run) -> None:
    async def main() -> None:
        code = "import sys; sys.stderr.write('wrong'); sys.exit(3)"
        process = Subprocess([sys.executable, "-c", code], stderr=STREAM)
        assert await process.stderr.read_until_close() == b"wrong"
        with pytest.raises(CalledProcessError) as caught:
            await process.wait_for_exit()
        assert caught.value.returncode == 3

    run(main())


@both_loops
def test_a_process_that_does_not_listen(run: Run) -> None:
    async def main() -> None:
        process = Subprocess([sys.executable, "-c", "pass"], stdin=STREAM)
        assert await process.wait_for_exit() == 0
        with pytest.raises(StreamClosedError):
            await process.stdin.write(b"x" * 1_000_000)

    run(main())
