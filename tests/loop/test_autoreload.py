from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import types

import pytest

from eyewall.loop import autoreload, process
from eyewall.loop.ioloop import IOLoop


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(autoreload, "_watched_files", set())
    monkeypatch.setattr(autoreload, "_reload_hooks", [])
    monkeypatch.setattr(autoreload, "_watchers", type(autoreload._watchers)())
    monkeypatch.setattr(autoreload, "_reload_attempted", False)


@pytest.fixture(autouse=True)
def modules(fresh, monkeypatch):
    """The loaded modules, as far as is watched. Not those of the tests, whose sources somebody may be editing."""
    own = types.SimpleNamespace(**vars(sys))
    own.modules = {}
    monkeypatch.setattr(autoreload, "sys", own)
    return own.modules


@pytest.fixture
def reloads(monkeypatch):
    """What would have been executed instead of this process."""
    commands = []
    monkeypatch.setattr(os, "execv", lambda path, command: commands.append((path, command)))
    return commands


def touch(path, time):
    path.write_text("")
    os.utime(path, (time, time))


def test_restarts_when_a_watched_file_changes(clock_loop, reloads, tmp_path, gen_records):
    path = tmp_path / "settings.ini"
    touch(path, 100)
    hooked = []
    autoreload.watch(str(path))
    autoreload.add_reload_hook(lambda: hooked.append(len(reloads)))
    autoreload.start(check_time=1000)
    autoreload.start(check_time=1000)
    clock_loop.call_later(10, clock_loop.stop)
    clock_loop.start()
    assert reloads == []
    touch(path, 50)
    clock_loop.call_later(10, clock_loop.stop)
    clock_loop.start()
    assert reloads == [(sys.executable, [sys.executable, *sys.orig_argv[1:]])]
    assert hooked == [0]
    assert gen_records.messages == [f"{path} modified; restarting server"]
    autoreload._watchers[clock_loop].stop()


def test_restarts_when_a_module_changes(clock_loop, reloads, tmp_path, modules):
    path = tmp_path / "module.py"
    touch(path, 100)
    module = types.ModuleType("module")
    module.__file__ = str(path)
    modules.update(module=module, other=object(), none=types.ModuleType("none"))
    times = {}
    autoreload._check(times)
    path.unlink()
    autoreload._check(times)
    assert reloads == []
    touch(path, 200)
    autoreload._check(times)
    assert len(reloads) == 1
    autoreload._check(times)
    assert len(reloads) == 1


def test_compiled_file_stands_for_its_source(modules):
    module = types.ModuleType("module")
    module.__file__ = "/somewhere/module.pyc"
    modules["module"] = module
    assert autoreload._files() == {"/somewhere/module.py"}


def test_forked_processes_do_not(reloads, tmp_path, monkeypatch):
    path = tmp_path / "file"
    touch(path, 100)
    autoreload.watch(str(path))
    times = {}
    monkeypatch.setattr(process, "_task_id", 0)
    autoreload._check(times)
    touch(path, 200)
    autoreload._check(times)
    assert reloads == []


def test_second_loop_is_a_mistake(clock_loop, new_loop, gen_records):
    autoreload.start()
    other = IOLoop(asyncio_loop=asyncio.SelectorEventLoop())
    autoreload.start()
    assert gen_records.messages == ["tornado.autoreload started more than once in the same process"]
    other.close()


def program(tmp_path, code):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    path = tmp_path / "app" / "__main__.py"
    path.write_text(textwrap.dedent(code))
    return path


ONCE_MORE = """
    import os, sys
    how = "wrapped" if wrapped else "bare"
    print(sys.argv[1:], __name__, getattr(__spec__, "name", None), how, flush=True)
    from eyewall.loop import autoreload
    if "AGAIN" not in os.environ:
        os.environ["AGAIN"] = "1"
        autoreload.restart()
    os._exit(0)
"""


def run_python(tmp_path, *arguments, **kwargs):
    environment = {name: value for name, value in os.environ.items() if name != "AGAIN"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **kwargs,
    )


WRAPPER = ("-m", "eyewall.loop.autoreload")


@pytest.mark.parametrize(
    ("wrapped", "how", "spec"),
    [
        (False, ("-m", "app"), "app.__main__"),
        (True, ("-m", "app"), "app.__main__"),
        (True, ("app/__main__.py",), "None"),
        (True, ("app",), "__main__"),
    ],
    ids=["bare", "module", "file", "folder"],
)
def test_keeps_the_command_line(tmp_path, wrapped, how, spec):
    program(tmp_path, '    import sys; wrapped = "eyewall.loop.autoreload" in sys.modules\n' + ONCE_MORE)
    result = run_python(tmp_path, *(WRAPPER if wrapped else ()), *how, "one", "-m", "--until-success")
    line = f"['one', '-m', '--until-success'] __main__ {spec} {'wrapped' if wrapped else 'bare'}\n"
    assert result.stdout == line * 2, result.stderr
    assert result.returncode == 0


def test_until_success(tmp_path):
    program(
        tmp_path,
        """
        import os, sys
        if "AGAIN" in os.environ:
            sys.exit(0)
        print("first", flush=True)
        os.environ["AGAIN"] = "1"
        from eyewall.loop import autoreload
        autoreload.restart()
        """,
    )
    result = run_python(tmp_path, *WRAPPER, "--until-success", "-m", "app")
    assert (result.returncode, result.stdout) == (0, "first\n"), result.stderr


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("syntax error", "SyntaxError"),
        ("import app.broken", "SyntaxError"),
        ("import sys; sys.exit(2)", ""),
    ],
    ids=["syntax", "import", "status"],
)
def test_waits_for_a_program_to_be_mended(tmp_path, broken, message):
    main = program(tmp_path, broken)
    faulty = main
    if "broken" in broken:
        faulty = tmp_path / "app" / "broken.py"
        faulty.write_text("syntax error")
    os.utime(faulty, (100, 100))
    child = subprocess.Popen(
        [sys.executable, *WRAPPER, "--until-success", "-m", "app"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "default", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        if message:
            # Its complaint tells that the file has been looked at; to be seen, a change may come after that.
            for line in child.stderr:
                if message in line:
                    break
        # Written once for each time that the wrapper may look before it has looked first; each time as a whole, as
        # a file that is being written is a program that does nothing.
        mended = tmp_path / "mended"
        for i in range(200):
            mended.write_text('print("mended", flush=True)')
            os.utime(mended, (200 + i, 200 + i))
            os.replace(mended, faulty)
            try:
                out, _ = child.communicate(timeout=0.25)
            except subprocess.TimeoutExpired:
                continue
            break
        assert out == "mended\n"
        assert child.returncode == 0
    finally:
        if child.returncode is None:
            child.kill()
            child.communicate()


@pytest.mark.parametrize("arguments", [(), ("-m",), ("--wrong", "app"), ("--until-success",)])
def test_usage(monkeypatch, capsys, arguments):
    monkeypatch.setattr(autoreload, "sys", sys)
    monkeypatch.setattr(sys, "argv", ["autoreload.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        autoreload.main()
    assert caught.value.code == 1
    assert "[--until-success] -m module.to.run" in capsys.readouterr().err


def test_wait_restarts(monkeypatch, reloads, tmp_path):
    path = tmp_path / "file"
    touch(path, 100)
    autoreload.watch(str(path))
    looked = []
    check = autoreload._check

    def check_and_change(times):
        check(times)
        touch(path, 200 + len(looked))
        looked.append(1)
        if reloads:
            IOLoop.current().stop()

    monkeypatch.setattr(autoreload, "_check", check_and_change)
    monkeypatch.setattr(autoreload.start, "__defaults__", (1,))
    autoreload.wait()
    IOLoop.current().close()
    assert len(reloads) == 1
