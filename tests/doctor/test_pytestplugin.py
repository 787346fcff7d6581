"""The plugin of pytest, in sessions of its own: each style of test, each kind of fault, and healthy tests."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_build

pytest_plugins = ["pytester"]

PLUGIN = "eyewall.doctor.pytestplugin"
ROOT = Path(__file__).resolve().parent.parent.parent
#: A second is long for everything but what is meant to be found.
LONG = "--eyewall-doctor-threshold=1"

HEADER = """
import asyncio
import socket
import time
import unittest

import pytest

kept = []

async def work(): ...

async def fails():
    raise LookupError("nothing there")

def breaks():
    raise LookupError("nothing there")
"""

#: By what is to be found: the body of a coroutine that does it, and the line that the finding names.
FAULTS = {
    "coroutine-never-awaited": ("work()", "work()"),
    "task-exception-unread": (
        "kept.append(asyncio.ensure_future(fails()))\nawait asyncio.sleep(0)",
        'raise LookupError("nothing there")',
    ),
    "callback-failed": (
        "asyncio.get_running_loop().call_soon(breaks)\nawait asyncio.sleep(0)",
        'raise LookupError("nothing there")',
    ),
    "task-leaked": (
        "kept.append(asyncio.ensure_future(asyncio.sleep(1000)))",
        "kept.append(asyncio.ensure_future(asyncio.sleep(1000)))",
    ),
    "connection-leaked": ("kept.append(socket.socket())", "kept.append(socket.socket())"),
    "descriptor-leaked": ("kept.append(open(__file__))", "kept.append(open(__file__))"),
}

#: Tests whose body is a coroutine, in the ways that there are to write one.
STYLES = {
    "asyncio.run": """
        def test_it():
            async def main():
        {body}
            asyncio.run(main())
        """,
    "uvloop": """
        import uvloop
        def test_it():
            async def main():
        {body}
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main())
        """,
    "unittest": """
        class ItTest(unittest.IsolatedAsyncioTestCase):
            async def test_it(self):
        {body}
        """,
    "tornado": """
        from tornado.testing import AsyncTestCase, gen_test
        class ItTest(AsyncTestCase):
            @gen_test
            async def test_it(self):
        {body}
        """,
    "eyewall": """
        from eyewall.testing import AsyncTestCase, gen_test
        class ItTest(AsyncTestCase):
            @gen_test
            async def test_it(self):
        {body}
        """,
    "pytest-asyncio": """
        if True:
            @pytest.mark.asyncio
            async def test_it():
        {body}
        """,
    "anyio": """
        @pytest.fixture
        def anyio_backend():
            return "asyncio"
        if True:
            @pytest.mark.anyio
            async def test_it():
        {body}
        """,
}


def run(pytester: pytest.Pytester, source: str, *args: str) -> pytest.RunResult:
    """Runs tests in a process of their own, with the plugin loaded however it may be, and turned on."""
    pytester.makepyfile(HEADER + textwrap.dedent(source))
    # Of what is on the path, these sources are first; the plugin may also be an entry point of what is installed.
    return pytester.runpytest_subprocess(
        "-p", PLUGIN, "-p", "no:cacheprovider", LONG, "--eyewall-doctor", *args
    )


def program(style: str, body: str) -> str:
    return textwrap.dedent(STYLES[style]).replace("{body}", textwrap.indent(body, " " * 8))


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    return {name: count for name, count in result.parseoutcomes().items() if not name.startswith("warning")}


#: It is part of the extra `test`; an environment that was made before has it not.
needs_asyncio = pytest.mark.skipif(
    importlib.util.find_spec("pytest_asyncio") is None, reason="pytest-asyncio is not installed"
)


@pytest.mark.parametrize(
    "style", [pytest.param(each, marks=needs_asyncio if each == "pytest-asyncio" else ()) for each in STYLES]
)
def test_all_faults_in_each_style(pytester: pytest.Pytester, style: str) -> None:
    """Each in a module of its own, so that one process tells of all."""
    files = {}
    for rule, (body, _) in FAULTS.items():
        files[f"test_{rule.replace('-', '_')}"] = HEADER + program(style, body)
    files["test_healthy"] = HEADER + program(style, "await asyncio.sleep(0)\nawait work()")
    pytester.makepyfile(**files)
    result = pytester.runpytest_subprocess(
        "-p", PLUGIN, "-p", "no:cacheprovider", LONG, "--eyewall-doctor", "-rA"
    )
    text = result.stdout.str()
    found = outcomes(result)
    # What may still be cleaned up by a fixture is an error of the clean-up, so that the test itself has passed.
    assert found.get("failed", 0) + found.get("errors", 0) == len(FAULTS), text
    for rule, (_, line) in FAULTS.items():
        name = f"test_{rule.replace('-', '_')}"
        assert f"[{rule}]" in text
        assert f"     {line}" in text
        assert any(
            each.startswith(("FAILED", "ERROR")) and f"{name}.py" in each for each in text.splitlines()
        ), f"{rule}:\n{text}"
    assert any(each.startswith("PASSED test_healthy.py") for each in text.splitlines())


def test_a_loop_that_is_blocked(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        def test_sleeps():
            async def main():
                await asyncio.sleep(0.3)
                time.sleep(1.0)
            asyncio.run(main())

        def test_holds_the_lock_of_the_interpreter():
            async def main():
                await asyncio.sleep(0.3)
                end = time.thread_time() + 1.0
                while time.thread_time() < end:
                    pow(3, 200000)
            asyncio.run(main())

        def test_waits():
            async def main():
                await asyncio.sleep(1.0)
            asyncio.run(main())

        @pytest.mark.eyewall_doctor(threshold=100)
        def test_may():
            async def main():
                await asyncio.sleep(0.3)
                time.sleep(1.0)
            asyncio.run(main())
        """,
        "--eyewall-doctor-threshold=0.5",
    )
    assert outcomes(result) == {"failed": 2, "passed": 2}
    result.stdout.fnmatch_lines(
        ["*[[]loop-blocked[]]", "*in test_sleeps.<locals>.main", "     time.sleep(1.0)"]
    )


def test_what_is_healthy(pytester: pytest.Pytester) -> None:
    """Tests that do much and clean up, in each style; some of what they do looks like a fault."""
    result = run(
        pytester,
        """
        import contextlib, logging, subprocess, sys, tempfile, threading
        from concurrent.futures import ThreadPoolExecutor
        from tornado.testing import AsyncHTTPTestCase
        from tornado.web import Application, RequestHandler

        async def echo(reader, writer):
            while data := await reader.read(100):
                writer.write(data)
                await writer.drain()
            writer.close()
            await writer.wait_closed()

        async def talk():
            async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
                writer.close()
                await writer.wait_closed()

        def test_talks():
            asyncio.run(talk())

        async def group():
            async with asyncio.TaskGroup() as tasks:
                for _ in range(10):
                    tasks.create_task(asyncio.sleep(0.001))
            task = asyncio.create_task(asyncio.sleep(1000))
            await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with pytest.raises(LookupError):
                await asyncio.create_task(fails())
            results = await asyncio.gather(fails(), work(), return_exceptions=True)
            assert isinstance(results[0], LookupError)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.sleep(1000), 0.01)
            cancelled = asyncio.create_task(asyncio.sleep(1000))
            await asyncio.sleep(0)
            cancelled.cancel()

        def test_groups():
            asyncio.run(group())

        async def jobs():
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(2) as pool:
                assert await loop.run_in_executor(pool, sum, [1, 2]) == 3
            assert await asyncio.to_thread(len, "ab") == 2
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(1)", stdout=subprocess.PIPE)
            assert (await process.communicate())[0] == b"1\\n"

        def test_jobs():
            asyncio.run(jobs())

        def test_files(tmp_path):
            with open(tmp_path / "a", "w") as file:
                file.write("x")
            assert open(tmp_path / "a").read() == "x"
            with tempfile.TemporaryFile() as file:
                file.write(b"x")
            logging.getLogger().warning("said")

        @pytest.fixture(scope="module")
        def loop():
            # Outlives the test that it is made for, with what runs in it.
            loop = asyncio.new_event_loop()
            task = loop.create_task(asyncio.sleep(1000))
            loop.run_until_complete(asyncio.sleep(0))
            opened = open(__file__)
            yield loop
            opened.close()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
            loop.close()

        def test_shares(loop):
            loop.run_until_complete(work())

        def test_shares_again(loop):
            loop.run_until_complete(work())

        @pytest.fixture
        def server():
            runner = asyncio.Runner()
            runner.__enter__()
            task = runner.get_loop().create_task(asyncio.sleep(1000))
            yield runner
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                runner.get_loop().run_until_complete(task)
            runner.close()

        def test_cleans_up_in_a_fixture(server):
            server.run(work())

        @pytest.mark.asyncio
        async def test_with_pytest_asyncio():
            await talk()
            await group()
            await jobs()

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_with_anyio():
            await talk()
            await group()
            await jobs()

        class IsolatedTest(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                self.task = asyncio.create_task(asyncio.sleep(1000))
                self.file = open(__file__)

            async def asyncTearDown(self):
                self.task.cancel()
                self.file.close()

            async def test_all(self):
                await talk()
                await group()
                await jobs()

        class Hello(RequestHandler):
            async def get(self):
                await asyncio.sleep(0)
                self.write("hello")

        class SiteTest(AsyncHTTPTestCase):
            def get_app(self):
                return Application([("/", Hello)])

            def test_hello(self):
                for _ in range(3):
                    assert self.fetch("/").body == b"hello"

        def test_a_thread():
            def run():
                asyncio.run(group())
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        """,
    )
    assert outcomes(result) == {"passed": 12}, result.stdout.str()


def test_findings_can_be_allowed(pytester: pytest.Pytester) -> None:
    source = """
        @pytest.mark.allow_findings("task-leaked")
        def test_this():
            async def main():
                kept.append(asyncio.ensure_future(asyncio.sleep(1000)))
            asyncio.run(main())

        @pytest.mark.allow_findings
        def test_all():
            kept.append(open(__file__))

        @pytest.mark.allow_findings("task-leaked")
        def test_another():
            kept.append(open(__file__))

        @pytest.mark.eyewall_doctor(False)
        def test_none():
            kept.append(open(__file__))
        """
    result = run(pytester, source)
    assert outcomes(result) == {"failed": 1, "passed": 3}
    result.stdout.fnmatch_lines(["FAILED *::test_another*"])
    result = run(pytester, source, "-o", "eyewall_doctor_allow=descriptor-leaked")
    assert outcomes(result) == {"passed": 4}


def test_a_test_that_fails_by_itself_says_so(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        def test_both():
            kept.append(open(__file__))
            assert not "this is what is wrong"
        """,
    )
    assert outcomes(result) == {"failed": 1}
    result.stdout.fnmatch_lines(
        ["E  *this is what is wrong*", "*eyewall doctor*", "*[[]descriptor-leaked[]]"]
    )


def test_a_clean_up_that_fails(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        @pytest.fixture
        def opened():
            yield open(__file__)

        def test_it(opened):
            pass
        """,
    )
    assert outcomes(result) == {"passed": 1, "errors": 1}


@pytest.mark.parametrize("args", [(), ("--eyewall-doctor",)])
def test_a_marker_or_the_configuration_turn_it_on(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    pytester.makepyfile(
        """
        import pytest
        kept = []

        @pytest.mark.eyewall_doctor
        def test_marked():
            kept.append(open(__file__))

        def test_not_marked():
            kept.append(open(__file__))
        """
    )
    result = pytester.runpytest_subprocess("-p", PLUGIN, "--strict-markers", *args)
    assert outcomes(result) == ({"failed": 2} if args else {"failed": 1, "passed": 1})
    pytester.makeini("[pytest]\neyewall_doctor = true\nfilterwarnings = error")
    assert outcomes(pytester.runpytest_subprocess("-p", PLUGIN, "-p", "no:asyncio")) == {"failed": 2}


def test_a_threshold_that_is_none(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_it(): ...", "--eyewall-doctor-threshold=0")
    assert result.ret != 0
    assert "must be a number of seconds above 0" in result.stdout.str() + result.stderr.str()


def test_it_works_in_several_processes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        @pytest.mark.parametrize("number", range(4))
        def test_it(number):
            if number % 2:
                kept.append(open(__file__))
        """,
        "-n",
        "2",
    )
    assert outcomes(result) == {"failed": 2, "passed": 2}


def test_it_does_nothing_and_loads_nothing_while_it_is_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "eyewall.doctor.pytestplugin" in sys.modules
            known = {"eyewall", "eyewall._face", "eyewall.doctor", "eyewall.doctor.pytestplugin"}
            assert {name for name in sys.modules if name.startswith("eyewall")} <= known | {"eyewall._version"}
        """
    )
    result = pytester.runpytest_subprocess("-p", PLUGIN)
    assert outcomes(result) == {"passed": 1}, result.stdout.str()


def test_what_it_changes_it_takes_back(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import sys, threading, warnings

        @pytest.mark.eyewall_doctor(False)
        def test_before():
            kept.append((asyncio.BaseEventLoop.run_forever, warnings._warn_unawaited_coroutine))

        def test_watched():
            asyncio.run(work())
            assert asyncio.BaseEventLoop.run_forever is not kept[0][0]

        @pytest.mark.eyewall_doctor(False)
        def test_after():
            assert (asyncio.BaseEventLoop.run_forever, warnings._warn_unawaited_coroutine) == kept[0]
            assert sys.get_coroutine_origin_tracking_depth() == 0
            assert "eyewall-examination" not in {each.name for each in threading.enumerate()}
        """,
    )
    assert outcomes(result) == {"passed": 3}, result.stdout.str()


def test_the_entry_point_has_the_name_of_its_module() -> None:
    """So that whoever loads it twice, by `-p` and by the entry point, loads one plugin."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", PLUGIN, "--version"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
