"""A process that has a doctor but does not answer: a call keeps its interpreter, or it was stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.doctor.control import client, outside

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="py-spy, signals and /proc of Linux"
)

PROGRAM = """
import asyncio, re
from eyewall import doctor

def hopeless():
    print("begins", flush=True)
    re.match("(a+)+$", "a" * 60 + "b")

async def main():
    doctor.enable(log_level="never")
    hopeless()

asyncio.run(main())
"""

DUMP = """Process 7: python program.py
Python v3.11.7 (/usr/bin/python3.11)

Thread 7 (idle): "MainThread"
    select (selectors.py:468)
    run_forever (asyncio/base_events.py:607)
Thread 8 (active+gil): "worker"
    match (re/__init__.py:166)
        Arguments:
            pattern: "x"
    hopeless (program.py:6)
"""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    folder = tmp_path_factory.mktemp("sockets")
    folder.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.setattr(client, "AWAKE", 0.5)
        with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"begins\n"
            try:
                yield child
            finally:
                child.kill()


@pytest.mark.parametrize("command", [["doctor"], ["stacks"], ["top", "--once"]], ids=lambda each: each[0])
def test_what_is_seen_from_outside_is_shown(
    held: subprocess.Popen[bytes], command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyewall.doctor.top.source.TIMEOUT", 0.5)
    found = CliRunner().invoke(main, [*command, str(held.pid)])
    assert found.exit_code == 3
    assert f"process {held.pid} has a doctor, but does not answer" in found.stderr
    # py-spy may not be allowed to, where this runs.
    assert "hopeless (<string>:7)" in found.stdout or "py-spy" in found.stderr


def test_that_it_was_stopped_is_said_and_it_is_not_waited_for(held: subprocess.Popen[bytes]) -> None:
    held.send_signal(signal.SIGSTOP)
    try:
        while not outside.is_stopped(held.pid):
            pass
        said = outside.sentence_of(held.pid)
        found = CliRunner().invoke(main, ["stacks", str(held.pid)])
    finally:
        held.send_signal(signal.SIGCONT)
    assert said.startswith("It was stopped, by a signal or a debugger. ")
    assert "hopeless" in said or "py-spy" in said
    assert "It was stopped" in found.stderr
    assert found.exit_code == 3


def test_the_thread_that_keeps_the_interpreter_is_named() -> None:
    assert outside.in_words(DUMP) == (
        "Seen from outside, its thread worker keeps the interpreter: "
        "match (re/__init__.py:166), called by hopeless (program.py:6)."
    )
    assert outside.in_words(DUMP.replace("active+gil", "idle")).startswith(
        "Seen from outside, its thread MainThread is idle: select (selectors.py:468)"
    )
    assert outside.in_words("") == "From outside, no thread of Python is seen in it."
    assert not outside.is_stopped(2**22 + 1)
