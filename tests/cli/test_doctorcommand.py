"""`eyewall doctor`: running programs with it, and asking processes that have it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eyewall.cli import main
from eyewall.doctor.control import outside

from .program import PATIENCE, Program, get, until, write_app

pytestmark = pytest.mark.one_build

DOCTOR = [sys.executable, "-m", "eyewall", "doctor"]

SICK = """
import asyncio, sys

async def save(): pass

async def main():
    save()
    await asyncio.sleep(0)

print(sys.argv, __name__, __file__, sys.path[0])
asyncio.run(main())
"""
WAITING = """
import asyncio, sys

async def save(): pass

async def main():
    save()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    first = save()
    del first
    await asyncio.sleep(0)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def _own_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sockets").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "sockets"))


def write(folder: Path, source: str, name: str = "program.py") -> Path:
    file = folder / name
    file.write_text(textwrap.dedent(source))
    return file


def doctor(
    *arguments: str | Path, cwd: Path | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DOCTOR, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )


# -- run ------------------------------------------------------------------------------------------------


def test_a_program_is_as_it_is_alone(tmp_path: Path) -> None:
    file = write(tmp_path, SICK)
    arguments = [str(file), "-m", "x", "--report", "y"]
    alone = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    done = doctor("run", *arguments)
    assert done.returncode == 0
    assert done.stdout == alone.stdout
    assert done.stderr.startswith(alone.stderr.partition("RuntimeWarning: Enable")[0])
    assert "program.py:7 in main" in done.stderr


def test_a_module(tmp_path: Path) -> None:
    write(tmp_path, SICK)
    alone = subprocess.run(
        [sys.executable, "-m", "program", "--status"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    done = doctor("run", "--status", "-m", "program", "--status", cwd=tmp_path)
    assert done.returncode == 12
    assert done.stdout == alone.stdout


def test_a_report(tmp_path: Path) -> None:
    file = write(tmp_path, "import os\nos.chdir('/')\n" + SICK)
    doctor("run", "--report", "report.json", "program.py", cwd=tmp_path)
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["program"] == ["program.py"]
    [finding] = document["findings"]
    assert (finding["rule"], finding["place"]["line"]) == ("coroutine-never-awaited", 9)
    assert os.path.basename(finding["place"]["file"]) == file.name


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    done = doctor("run", "--report", tmp_path / "missing" / "report.json", write(tmp_path, SICK))
    assert done.returncode == 0
    assert "cannot write" in done.stderr


def test_it_ends_at_a_finding(tmp_path: Path) -> None:
    file = write(tmp_path, SICK.replace("sleep(0)", "sleep(1000)") + "print('never')\n")
    report = tmp_path / "report.json"
    done = doctor("run", "--exit-on", "coroutine-never-awaited", "--report", report, file)
    assert done.returncode == 12
    assert "never\n" not in done.stdout
    assert json.loads(report.read_text())["findings"]
    assert list((tmp_path / "sockets" / "eyewall").iterdir()) == []


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", 12),
        ("sys.exit(0)", 12),
        ("sys.exit(5)", 5),
        ("sys.exit('message')", 1),
        ("raise ValueError", 1),
        ("import os; os._exit(7)", 7),
        ("import os; os.kill(os.getpid(), 15)", -15),
    ],
)
def test_statuses(tmp_path: Path, end: str, status: int) -> None:
    file = write(tmp_path, SICK + end)
    assert doctor("run", "--status", file).returncode == status
    alone = subprocess.run([sys.executable, str(file)], capture_output=True, check=False)
    assert doctor("run", file).returncode == alone.returncode


def test_a_program_without_faults(tmp_path: Path) -> None:
    done = doctor("run", "--status", "-c", "import asyncio; asyncio.run(asyncio.sleep(0))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_interrupt_is_the_programs(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        import asyncio, os, signal
        # Who runs these tests in the background may ignore it, and that is inherited.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(100)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("interrupted")
            raise
        """,
    )
    done = doctor("run", file)
    assert done.stdout == "interrupted\n"
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")


def test_options_are_handed_on(tmp_path: Path) -> None:
    file = write(tmp_path, SICK)
    assert doctor("run", "--status", "--ignore", "coroutine-never-awaited", file).returncode == 0
    assert doctor("run", "--status", "--without", "Unawaited", file).returncode == 0
    assert "what to do" not in doctor("run", "--log-level", "never", file).stderr
    wrong = doctor("run", "--log-level", "loud", file)
    assert wrong.returncode == 2
    assert "log_level" in wrong.stderr


def test_the_environment_counts_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, SICK)
    monkeypatch.setenv("EYEWALL_DOCTOR", "0")
    assert doctor("run", "--status", file).returncode == 12


@pytest.mark.parametrize(("value", "told"), [("1", True), ("0", False), ("", False)])
def test_a_program_under_the_alias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, told: bool
) -> None:
    monkeypatch.setenv("EYEWALL_DOCTOR", value)
    done = subprocess.run(
        [sys.executable, "-m", "eyewall.tornado", str(write(tmp_path, SICK))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("program.py:7 in main" in done.stderr) is told


def test_the_alias(tmp_path: Path) -> None:
    program = "import tornado; print(tornado.__name__)"
    assert doctor("run", "--alias", "-c", program).stdout == "eyewall.tornado\n"
    assert doctor("run", "-c", program).stdout == "tornado\n"


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["run", "-m"], ["run", "missing.py"], ["run", "-m", "missing"], ["run", "--no-such", "x"]],
)
def test_there_is_nothing_to_run(arguments: list[str]) -> None:
    done = doctor(*arguments)
    assert done.returncode == 2
    assert done.stderr


# -- PID ------------------------------------------------------------------------------------------------


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with one fault; it has another one when it is sent a line, and ends with the next."""
    with subprocess.Popen(
        [*DOCTOR, "run", "--log-level", "never", str(write(tmp_path, WAITING))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_a_diagnosis(patient: subprocess.Popen[str]) -> None:
    done = doctor(str(patient.pid))
    assert done.returncode == 12
    assert f"Process {patient.pid}: " in done.stdout
    assert "1 error." in done.stdout
    assert "program.py:7 in main" in done.stdout
    done = doctor("--format", "json", str(patient.pid))
    assert json.loads(done.stdout)["findings"][0]["rule"] == "coroutine-never-awaited"
    assert doctor(str(patient.pid), "--format", "markdown").stdout.startswith("# Process")
    assert doctor(str(patient.pid), "--format", "html").stdout.startswith("<!DOCTYPE html>")


def test_which_processes_there_are(patient: subprocess.Popen[str]) -> None:
    done = doctor()
    assert done.returncode == 0
    # There may be others on this machine.
    [line] = [line for line in done.stdout.splitlines() if line.split()[:1] == [str(patient.pid)]]
    assert "1 finding " in line
    [found] = [each for each in json.loads(doctor("--format", "json").stdout) if each["pid"] == patient.pid]
    assert found["findings"] == 1


def test_no_process_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eyewall.doctor.control.client.processes", list)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0
    assert "No process" in done.output


def test_later_findings(patient: subprocess.Popen[str]) -> None:
    assert patient.stdin is not None
    with subprocess.Popen(
        [*DOCTOR, str(patient.pid), "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        seen = ""
        while "what to do" not in seen:
            seen += watching.stdout.readline()
        assert "program.py:7" in seen
        patient.stdin.write("\n")
        patient.stdin.flush()
        while seen.count("what to do") < 2:
            seen += watching.stdout.readline()
        assert "program.py:10" in seen
        patient.stdin.write("\n")
        patient.stdin.flush()
        assert watching.wait(PATIENCE) == 12
        assert watching.stderr is not None
        assert "has ended" in watching.stderr.read()


def test_a_process_without_a_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = doctor(str(process.pid))
        assert done.returncode == 3
        assert "runs no doctor" in done.stderr
        # py-spy may not be allowed to, where this runs.
        assert "<module>" in done.stdout or "py-spy" in done.stderr
        monkeypatch.setattr(outside, "spy", lambda: None)
        assert outside.stacks_from_outside(process.pid) == (
            False,
            "From outside nothing can be seen without py-spy: pip install 'eyewall[profile]'",
        )
        process.communicate(b"")
    gone = doctor(str(process.pid))
    assert gone.returncode == 3
    assert "no process" in gone.stderr


def test_a_process_that_is_stopped(patient: subprocess.Popen[str]) -> None:
    patient.send_signal(signal.SIGSTOP)
    try:
        [found] = [
            each for each in json.loads(doctor("--format", "json").stdout) if each["pid"] == patient.pid
        ]
        assert found["findings"] is None
        assert found["program"] is None
    finally:
        patient.send_signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--watch",), "--watch needs the PID"),
        (("--format", "html"), "--format html needs the PID"),
        (("one",), "'one' is not"),
    ],
)
def test_what_can_not_be_meant(arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(main, ["doctor", *arguments], prog_name="eyewall")
    assert done.exit_code == 2
    assert done.output.startswith("Usage: eyewall doctor [OPTIONS] [PID]\n")
    assert message in done.output


def test_help_has_the_options_for_a_process() -> None:
    said = CliRunner().invoke(main, ["doctor", "--help"], prog_name="eyewall").output
    assert "--watch" in said
    assert "--format [text|markdown|json|html]" in said
    assert "12  ... an error" in said


# -- servers --------------------------------------------------------------------------------------------

FORGETFUL = """
import os
from eyewall.web.application import Application
from eyewall.web.handler import RequestHandler

async def save():
    pass

class Forgetful(RequestHandler):
    def get(self):
        save()
        self.write(str(os.getpid()))

app = Application([("/", Forgetful)])
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_server_has_one(tmp_path: Path, loop: str) -> None:
    write_app(tmp_path, FORGETFUL)
    with Program(tmp_path, "app:app", "--port", "0", "--loop", loop) as program:
        pid = int(get(program.port())[2])
        program.wait_for(r"\[coroutine-never-awaited\]")
        program.wait_for(r"app\.py:11 in Forgetful\.get")
        done = doctor(str(pid))
        assert done.returncode == 12
        assert "request GET /" in done.stdout
        assert program.stop() == 0
    assert list((tmp_path / "sockets" / "eyewall").iterdir()) == []


def test_each_worker_has_one(tmp_path: Path) -> None:
    write_app(tmp_path, FORGETFUL)
    with Program(tmp_path, "app:app", "--port", "0", "--processes", "2") as program:
        program.port()
        sockets = tmp_path / "sockets" / "eyewall"
        until(lambda: sockets.exists() and len(list(sockets.iterdir())) == 2, "two sockets")
        assert program.process.pid not in [int(each.stem) for each in sockets.iterdir()]
        assert program.stop() == 0
    assert list(sockets.iterdir()) == []


def test_a_server_without(tmp_path: Path) -> None:
    write_app(tmp_path, FORGETFUL)
    with Program(tmp_path, "app:app", "--port", "0", "--no-doctor") as program:
        pid = int(get(program.port())[2])
        assert doctor(str(pid)).returncode == 3
        assert "what to do" not in program.output
