"""Whatever happens to the doctor, the program goes on: it ends as it would alone, and says what it would say alone."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LOOP_KINDS

PATIENCE = 50.0

#: What each program begins with. `loop_main` runs a coroutine in a loop of the kind that is tested.
BEGINNING = """
import asyncio, gc, logging, os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore")
from eyewall import doctor
if KIND == "uvloop":
    import uvloop

def loop_main(coro):
    factory = uvloop.new_event_loop if KIND == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coro)

async def save():
    pass

def forget():
    coro = save()
    del coro

def rules():
    return sorted((each.rule, each.count) for each in doctor.findings())

async def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, rules()
        await asyncio.sleep(0.01)
"""


@pytest.fixture(params=LOOP_KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Runs the test with each kind of loop."""
    found: str = request.param
    return found


@pytest.fixture(autouse=True)
def _own_sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sockets").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "sockets"))


def program(kind: str, source: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs `source`, and returns how it ended."""
    text = f"KIND = {kind!r}\n{BEGINNING}\n{textwrap.dedent(source)}"
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )


def said(kind: str, source: str, **options: Any) -> list[str]:
    """Runs `source`, which must end well, and returns the lines that it has printed."""
    done = program(kind, source, **options)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.splitlines()


def test_a_log_that_cannot_be_written(kind: str) -> None:
    source = """
    logging.basicConfig(stream=open("/dev/full", "w", buffering=1))
    async def main():
        forget()
        await until(doctor.findings)
    doctor.enable(interval=0.01)
    loop_main(main())
    print(rules())
    # The interpreter says of a file that it can't close.
    logging.getLogger().handlers[0].stream = sys.stdout
    """
    assert said(kind, source) == ["[('coroutine-never-awaited', 1)]"]


@pytest.mark.parametrize(
    "close", ["sys.stderr.close()", "sys.stderr = None", "os.dup2(os.open('/dev/full', 1), 2)"]
)
def test_nobody_to_tell(kind: str, close: str) -> None:
    source = f"""
    {close}
    async def main():
        forget()
        await until(doctor.findings)
    doctor.enable(interval=0.01)
    loop_main(main())
    print(rules())
    """
    assert said(kind, source) == ["[('coroutine-never-awaited', 1)]"]


def test_an_end_in_the_middle(kind: str) -> None:
    source = """
    async def main():
        forget()
        loop = asyncio.get_running_loop()
        loop.call_soon(sys.exit, 5)
        await asyncio.sleep(100)
    doctor.enable(interval=0.001)
    loop_main(main())
    """
    done = program(kind, source)
    assert done.returncode == 5
    assert "coroutine-never-awaited" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_loop_that_nobody_closes(kind: str) -> None:
    source = """
    doctor.enable(interval=0.001)
    loop = uvloop.new_event_loop() if KIND == "uvloop" else asyncio.new_event_loop()
    loop.run_until_complete(asyncio.sleep(0.01))
    print("end")
    """
    assert said(kind, source) == ["end"]


def test_a_child_that_is_forked_in_a_loop(kind: str, tmp_path: Path) -> None:
    source = """
    async def child():
        print("child begins", rules(), flush=True)
        forget()
        await until(doctor.findings)
        print("child", rules(), flush=True)
        print("child's socket", os.path.exists(f"{folder}/{os.getpid()}.sock"), flush=True)
    async def main():
        forget()
        await until(doctor.findings)
        pid = os.fork()
        if pid == 0:
            # Not in the loop that its parent is in.
            thread = threading.Thread(target=lambda: loop_main(child()))
            thread.start()
            thread.join()
            os._exit(3)
        print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        forget()
        await until(lambda: rules() == [("coroutine-never-awaited", 2)])
        print("parent", rules())
        print("parent's socket", os.path.exists(f"{folder}/{os.getpid()}.sock"))
    folder = os.environ["XDG_RUNTIME_DIR"] + "/eyewall"
    doctor.enable(interval=0.01, log_level="never")
    loop_main(main())
    """
    assert said(kind, source) == [
        "child begins []",
        "child [('coroutine-never-awaited', 1)]",
        "child's socket True",
        "status 3",
        "parent [('coroutine-never-awaited', 2)]",
        "parent's socket True",
    ]


def test_processes_of_multiprocessing(kind: str) -> None:
    source = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    async def main():
        context = multiprocessing.get_context("fork")
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            print(await asyncio.gather(*(loop.run_in_executor(pool, abs, -each) for each in range(5))))
    doctor.enable(interval=0.001)
    loop_main(main())
    print(rules())
    """
    assert said(kind, source) == ["[0, 1, 2, 3, 4]", "[]"]


def test_another_program_takes_the_process_over(kind: str, tmp_path: Path) -> None:
    folder = "os.environ['XDG_RUNTIME_DIR'] + '/eyewall'"
    again = f"import os; print(os.listdir({folder}) == [f'{{os.getpid()}}.sock'])"
    source = f"""
    async def main():
        os.execv(sys.executable, [sys.executable, "-c", {again!r}])
    doctor.enable()
    loop_main(main())
    """
    # What it leaves is taken over, or removed, by the next one that is enabled.
    assert said(kind, source) == ["True"]
    assert said(kind, "doctor.enable()\nloop_main(save())") == []
    assert list((tmp_path / "sockets" / "eyewall").iterdir()) == []


def test_a_second_loop_in_a_thread(kind: str) -> None:
    source = """
    async def main(name):
        forget()
        await until(lambda: rules() == [("coroutine-never-awaited", 2)])
        return name
    async def first():
        return await asyncio.gather(main("first"), asyncio.to_thread(lambda: loop_main(main("second"))))
    doctor.enable(interval=0.001, log_level="never")
    print(loop_main(first()))
    """
    assert said(kind, source) == ["['first', 'second']"]


def test_disabled_in_another_thread(kind: str) -> None:
    source = """
    async def main():
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        await asyncio.to_thread(doctor.disable)
        await until(lambda: loop.get_exception_handler() is None)
        print(before is not None, doctor.enabled(), sys.get_coroutine_origin_tracking_depth())
    doctor.enable()
    loop_main(main())
    """
    assert said(kind, source) == ["True False 0"]


def test_a_loop_that_is_closed_by_a_callback(kind: str) -> None:
    source = """
    doctor.enable(interval=0.001)
    loop = uvloop.new_event_loop() if KIND == "uvloop" else asyncio.new_event_loop()
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    loop.close()
    loop_main(asyncio.sleep(0.01))
    doctor.disable()
    print(rules())
    """
    assert said(kind, source) == ["[]"]


def test_collections_at_any_moment(kind: str) -> None:
    source = """
    class Loop:
        # Garbage with a coroutine in it, in circles.
        def __init__(self):
            self.myself, self.coro = self, save()
    async def main():
        for _ in range(200):
            Loop()
            await asyncio.sleep(0)
        gc.collect()
        await until(lambda: rules() == [("coroutine-never-awaited", 200)])
        print(rules())
    gc.set_threshold(1)
    doctor.enable(interval=0.0001, log_level="never")
    loop_main(main())
    """
    assert said(kind, source) == ["[('coroutine-never-awaited', 200)]"]


@pytest.mark.parametrize("error", ["ValueError", "RecursionError", "MemoryError"])
def test_a_receiver_that_fails(kind: str, error: str) -> None:
    source = f"""
    def fails(finding):
        raise {error}("of the receiver")
    async def main():
        forget()
        await until(lambda: len(doctor.findings()) == 2)
        print([each.rule for each in doctor.findings()])
    doctor.enable(interval=0.001)
    doctor.add_sink(fails)
    loop_main(main())
    """
    assert sorted(eval(said(kind, source)[0])) == ["coroutine-never-awaited", "doctor-failed"]


def test_no_stack_left(kind: str) -> None:
    source = """
    def deeper(count):
        try:
            deeper(count + 1)
        except RecursionError:
            forget()
            raise
    async def main():
        try:
            deeper(0)
        except RecursionError as error:
            print(type(error).__name__)
        await asyncio.sleep(0.05)
        forget()
        await until(doctor.findings)
        print("goes on")
    doctor.enable(interval=0.001, log_level="never")
    loop_main(main())
    """
    assert said(kind, source) == ["RecursionError", "goes on"]


def test_what_the_program_sets_itself_counts(kind: str) -> None:
    source = """
    seen = []
    class Task(asyncio.Task):
        pass
    def breaks():
        raise LookupError
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **options: Task(coro, loop=loop, **options))
        loop.set_exception_handler(lambda loop, context: seen.append(context["exception"]))
        await asyncio.sleep(0.05)
        loop.call_soon(breaks)
        task = asyncio.create_task(save())
        await until(lambda: seen and doctor.findings())
        print(type(task) is Task, seen, rules())
    class Policy(asyncio.DefaultEventLoopPolicy):
        pass
    doctor.enable(interval=0.001, log_level="never")
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy() if KIND == "uvloop" else Policy())
    asyncio.run(main())
    """
    assert said(kind, source) == ["True [LookupError()] [('callback-failed', 1)]"]


def test_a_loop_of_the_programs_own_kind(kind: str) -> None:
    source = """
    class Own(uvloop.Loop if KIND == "uvloop" else asyncio.SelectorEventLoop):
        def run_forever(self):
            print("own")
            super().run_forever()
    async def main():
        forget()
        await until(doctor.findings)
    doctor.enable(interval=0.001, log_level="never")
    loop = Own()
    loop.run_until_complete(main())
    loop.close()
    print(rules())
    """
    assert said(kind, source) == ["own", "[('coroutine-never-awaited', 1)]"]


@pytest.mark.parametrize("spoil", ["os.chmod(folder, 0o500)", "os.symlink('/tmp', folder + '/eyewall')"])
def test_no_place_for_a_socket(kind: str, spoil: str) -> None:
    source = f"""
    from eyewall.doctor.control import places
    folder = os.environ["XDG_RUNTIME_DIR"]
    {spoil}
    # Root may write anywhere.
    places._SHARED = "/dev/null"
    places.os.access = lambda *arguments: os.geteuid() and False or "symlink" in {spoil!r}
    async def main():
        forget()
        await until(doctor.findings)
    doctor.enable(interval=0.001)
    logging.basicConfig(stream=sys.stdout, level="INFO", format="%(levelname)s %(message)s")
    loop_main(main())
    """
    lines = said(kind, source)
    assert lines[0].startswith("INFO `eyewall doctor` can't ask this process")
    assert any("coroutine-never-awaited" in line for line in lines)


def test_out_of_descriptors(kind: str) -> None:
    source = """
    import resource
    from eyewall.doctor.control.client import Client, NoDoctor
    def ask():
        with Client(os.getpid()) as client:
            return len(client.call("findings")["findings"])
    async def main():
        await until(lambda: doctor.enabled())
        taken = []
        try:
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        forget()
        await until(doctor.findings)
        for each in taken:
            os.close(each)
        # Not in the loop, which that would block.
        print(await asyncio.to_thread(ask))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    doctor.enable(interval=0.001, log_level="never")
    loop_main(main())
    """
    assert said(kind, source) == ["1"]
