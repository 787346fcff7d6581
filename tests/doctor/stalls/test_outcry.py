"""What is said while a call keeps the interpreter, in processes of their own: it ends when that was read, or never."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eyewall.doctor.options import Options
from eyewall.doctor.stalls import crier

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="timers and signals of Linux")

COMPILED = not crier.__file__.endswith(".py")

PROGRAM = """
import asyncio, re, sys
from eyewall import doctor

def hopeless():
    re.match("(a+)+$", "a" * 60 + "b")

async def main():
    doctor.enable(socket=False)
    await asyncio.sleep(0.1)
    hopeless()

asyncio.run(main())
"""


@contextmanager
def running(program: str, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", program], stderr=stderr, stdout=subprocess.PIPE) as child:
        try:
            yield child
        finally:
            child.kill()


def test_a_call_that_never_returns_is_told_of() -> None:
    with running(PROGRAM, subprocess.PIPE) as child:
        assert child.stderr is not None
        said: list[str] = []
        while not any("in main" in line for line in said):
            line = child.stderr.readline().decode()
            assert line, said
            said.append(line)
        assert any('File "<string>", line 6 in hopeless' in line for line in said), said
        if COMPILED:
            assert said[0].startswith(f"eyewall: no thread of process {child.pid} could run Python for "), (
                said
            )
        assert child.poll() is None


ENDINGS = """
import os, signal, sys, threading
from eyewall.doctor.stalls import outcry
from eyewall.doctor.stalls.outcry import Outcry

reading, stream = os.pipe()
before = len(os.listdir("/proc/self/fd"))

def made():
    cry = Outcry(threading.get_native_id(), stream)
    assert cry.start()
    cry.arm()
    return cry, cry._signal

def harmless(number):
    signal.raise_signal(number)  # ignored, or it would end the process
    assert len(os.listdir("/proc/self/fd")) == before

cry, number = made()
cry.check()
assert cry._timer is not None, "nothing has changed"
cry.stop(); cry.stop()
harmless(number)

cry, number = made()
other, another = os.pipe()
os.dup2(another, stream)
cry.check()
assert cry._timer is None, "standard error is another one"
os.close(other); os.close(another)
harmless(number)

cry, number = made()
[*_, mine] = sorted(cry._open)
null = os.open(os.devnull, os.O_RDONLY)
os.dup2(null, mine); os.close(null)
cry.check()
assert cry._timer is None, "it was given to somebody else"
os.fstat(mine)
os.close(mine)
harmless(number)

cry, number = made()
if (child := os.fork()) == 0:
    cry.forked()
    harmless(number)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert cry._timer is not None
came = []
signal.signal(number, lambda *_: came.append(1))
cry.arm()
assert cry._timer is None, "the program wants the signal"
signal.raise_signal(number)
assert came

os.close(stream)
assert not Outcry(threading.get_native_id(), stream).start(), "closed"
assert len(os.listdir("/proc/self/fd")) == before - 1
"""


def test_it_leaves_nothing_behind_and_writes_to_nobody_else() -> None:
    done = subprocess.run([sys.executable, "-c", ENDINGS], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr


FULL = """
import os, signal, sys, threading
from eyewall.doctor.stalls.outcry import Outcry

reading, stream = os.pipe()
os.set_blocking(stream, False)
try:
    while True:
        os.write(stream, b"x" * 4096)
except BlockingIOError:
    pass
os.set_blocking(stream, True)
cry = Outcry(threading.get_native_id(), stream)
assert cry.start()
for _ in range(4):
    signal.raise_signal(cry._signal)  # nobody reads, and nobody waits
os.close(reading)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
for _ in range(4):
    signal.raise_signal(cry._signal)
cry.stop()
"""


def test_a_full_stream_and_one_that_nobody_reads_do_not_matter() -> None:
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr


SAID = """
import os, signal, sys, threading
from eyewall.doctor.stalls.outcry import Outcry

cry = Outcry(threading.get_native_id(), int(sys.argv[1]))
assert cry.start()
for _ in range(int(sys.argv[2])):
    signal.raise_signal(cry._signal)
cry.arm()
signal.raise_signal(cry._signal)
cry.stop()
"""


@pytest.mark.skipif(not COMPILED, reason="without the handler in C, the kernel sends one signal only")
def test_it_is_said_less_and_less_often_and_not_at_the_first_signal(tmp_path: Path) -> None:
    file = tmp_path / "err"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        subprocess.run(
            [sys.executable, "-c", SAID, str(descriptor), "9"], pass_fds=(descriptor,), check=True, timeout=50
        )
    finally:
        os.close(descriptor)
    text = file.read_text()
    assert text.count("eyewall: no thread of process") == 3  # at 2, 4 and 8
    assert text.count("Stack (most recent call first)") == 3
    assert text.count('File "<string>", line 8 in <module>') == 3


@pytest.mark.parametrize(
    ("options", "cries"),
    [
        (Options(), True),
        (Options(log_level="warning"), True),
        (Options(log_level="error"), False),
        (Options(log_level="never"), False),
        (Options(ignore=("loop-blocked-native",)), False),
    ],
)
def test_it_is_said_where_the_finding_would_be_logged(options: Options, cries: bool) -> None:
    assert options.cries is cries
