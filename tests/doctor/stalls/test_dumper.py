"""Stacks that faulthandler dumps, and the timer that has it do so."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from eyewall.doctor.places import Place
from eyewall.doctor.stalls import dumper

TEXT = """Stack (most recent call first):
  File "/usr/lib/python3.11/re/__init__.py", line 166 in match
  File "/app/names.py", line 12 in check
Stack (most recent call first):
  File "/app/stra\\xdfe/\\u2603.py", line 3 in <lambda>
Stack (most recent call first):
  File "/app/names.py", line 12 in che"""


def test_dumps_are_read() -> None:
    assert dumper.parse(TEXT) == [
        (Place("/app/names.py", 12, "check"), Place("/usr/lib/python3.11/re/__init__.py", 166, "match")),
        (Place("/app/straße/☃.py", 3, "<lambda>"),),
    ]
    assert dumper.parse("") == []
    assert dumper.parse("half a line") == []


PROGRAM = """
import ctypes, threading
from eyewall.doctor.stalls.dumper import Dumper

dumper = Dumper(threading.get_native_id())
assert dumper.start()
assert not Dumper(threading.get_native_id()).start(), "there is one in a process"
dumper.arm(60)
assert dumper.read() == []

def stand_still():
    ctypes.PyDLL(None).usleep(200_000)  # keeps the interpreter

dumper.arm(0.01)
stand_still()
dumper.disarm()
[first, *others] = dumper.read()
assert first[-1].function == "stand_still", first
assert first[-1].line == 12, first
dumper.stop()
dumper.stop()
again = Dumper(threading.get_native_id())
assert again.start()
again.stop()
"""

TAKEN = """
import faulthandler, signal, threading
from eyewall.doctor.stalls.dumper import Dumper, SIGNAL

{take}
dumper = Dumper(threading.get_native_id())
assert not dumper.start()
dumper.arm(0.001)
dumper.disarm()
assert dumper.read() == []
dumper.stop()
"""

LATER = """
import signal, threading
from eyewall.doctor.stalls.dumper import Dumper, SIGNAL

came = []
dumper = Dumper(threading.get_native_id())
assert dumper.start()
assert not dumper.was_replaced()
signal.signal(SIGNAL, lambda *args: came.append(args))
assert dumper.was_replaced()
dumper.stop()
signal.raise_signal(SIGNAL)
assert len(came) == 1, "the program's handler stays"
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a timer of Linux")
@pytest.mark.parametrize(
    "program",
    [
        PROGRAM,
        TAKEN.format(take="signal.signal(SIGNAL, lambda *args: None)"),
        TAKEN.format(take="faulthandler.register(SIGNAL)"),
        LATER,
    ],
    ids=["dumps", "taken by Python", "taken by C", "taken later"],
)
def test_in_a_process_of_its_own(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr


def test_the_signal_does_nothing_to_a_process_that_does_not_expect_it() -> None:
    assert dumper.SIGNAL == signal.SIGURG
