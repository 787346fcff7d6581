"""`python -m eyewall.tornado` runs programs as the interpreter itself does."""

from __future__ import annotations

import os
import py_compile
import zipfile
from pathlib import Path

import pytest

from tests.tornado.programs import ALIAS, python, write

#: What a program sees of how it was started. The path without what is not its own.
REPORT = """\
import os, sys
main = sys.modules["__main__"]
spec = main.__spec__
loader = getattr(main, "__loader__", None)
print(__name__, main.__dict__ is globals(), sys.argv, os.path.abspath(sys.path[0]))
print(globals().get("__file__"), globals().get("__package__"), spec and (spec.name, spec.origin))
print(getattr(loader, "name", None) or type(loader).__name__ == "zipimporter", "flags" in dir(sys))
"""


def both(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> tuple[str, str]:
    """What a program says when it is run under the alias, and without."""
    return (
        python(*ALIAS, *arguments, cwd=cwd, env=env).stdout,
        python(*arguments, cwd=cwd, env=env).stdout,
    )


def test_a_script(tmp_path: Path) -> None:
    write(tmp_path, sub__script=REPORT)
    (tmp_path / "link.py").symlink_to(tmp_path / "sub" / "script.py")
    for name in ("sub/script.py", "./sub/script.py", str(tmp_path / "sub" / "script.py"), "link.py"):
        aliased, plain = both(name, "--a", "b c", cwd=tmp_path)
        assert aliased == plain
        assert f"['{name}', '--a', 'b c'] {tmp_path / 'sub'}\n" in aliased


def test_a_module_and_a_package(tmp_path: Path) -> None:
    write(tmp_path, module=REPORT, package__FACE="", package__MAIN=REPORT, package__inner=REPORT)
    for name in ("module", "package", "package.inner"):
        aliased, plain = both("-m", name, "-m", "x", cwd=tmp_path)
        assert aliased == plain
        assert "'-m', 'x'" in aliased


def test_a_command(tmp_path: Path) -> None:
    for code in ("import sys; print(sys.argv, sys.path[0], __name__, globals().get('__file__'))", "print(1)"):
        aliased, plain = both("-c", code, "-c", "x", cwd=tmp_path)
        assert aliased == plain


def test_a_folder_a_zip_file_and_bytecode(tmp_path: Path) -> None:
    write(tmp_path, folder__MAIN=REPORT + "import beside\n", folder__beside="print('beside')")
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr("__main__.py", REPORT + "import beside\n")
        packed.writestr("beside.py", "print('beside')")
    write(tmp_path, source=REPORT)
    py_compile.compile(str(tmp_path / "source.py"), str(tmp_path / "code.pyc"))
    for name in ("folder", "packed.zip", "code.pyc"):
        aliased, plain = both(name, "x", cwd=tmp_path)
        assert aliased == plain
        assert "'x'" in aliased


def test_the_program_stays_the_main_module(tmp_path: Path) -> None:
    """For its threads, what it pickles, and what runs at its exit."""
    write(
        tmp_path,
        script="""
            import atexit, pickle, sys, threading, time
            class Thing:
                pass
            def late():
                threading.main_thread().join(20)
                assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
                print("thread", sys.modules["__main__"].Thing is Thing)
            atexit.register(lambda: print("exit", Thing.__module__))
            threading.Thread(target=late).start()
            """,
    )
    assert sorted(python(*ALIAS, "script.py", cwd=tmp_path).stdout.split("\n")) == [
        "",
        "exit __main__",
        "thread True",
    ]


def test_exit_codes_and_exceptions(tmp_path: Path) -> None:
    for code, status in (("import sys; sys.exit(3)", 3), ("import sys; sys.exit('no')", 1), ("1 / 0", 1)):
        done = python(*ALIAS, "-c", code, cwd=tmp_path, check=False)
        assert done.returncode == status
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.py"], "can't open file '{cwd}/missing.py': [Errno 2] No such file or directory"),
        (["."], "can't find '__main__' module in '{cwd}'"),
        (["-m", "missing"], "No module named missing"),
        (["-m", "missing.inner"], "No module named missing.inner"),
        (
            ["-m", "bare"],
            "No module named bare.__main__; 'bare' is a package and cannot be directly executed",
        ),
        (["-m", ".bare"], "Relative module names not supported"),
        (["-m", "tornado.nothing"], "No module named tornado.nothing"),
    ],
)
def test_what_cannot_be_found_is_said_without_a_traceback(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    write(tmp_path, bare__FACE="")
    done = python(*ALIAS, *arguments, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert said.format(cwd=tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_that_needs_what_is_missing_says_what(tmp_path: Path) -> None:
    write(tmp_path, package__FACE="import missing_one", package__inner="")
    done = python(*ALIAS, "-m", "package.inner", cwd=tmp_path, check=False)
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'missing_one'\n")


def test_usage() -> None:
    shown = python(*ALIAS, "--help").stdout
    assert shown.startswith("Usage: python -m eyewall.tornado SCRIPT [ARGS...]\n")
    for arguments in ([], ["-m"], ["-c"], ["--what"]):
        done = python(*ALIAS, *arguments, check=False)
        assert (done.returncode, done.stderr) == (2, shown)


def test_what_children_inherit_is_added_once(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['PYTHONPATH'].count('inherit'), sum('inherit' in p for p in sys.path))"
    nested = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-m', 'eyewall.tornado', '-c', {code!r}])"
    )
    assert python(*ALIAS, "-c", nested, cwd=tmp_path).stdout == "1 1\n"
    # Behind the program's own folder, before everything else.
    first = python(*ALIAS, "-c", "import sys; print(sys.path[1].endswith('inherit'))", cwd=tmp_path)
    assert first.stdout == "True\n"
    assert os.path.isfile(
        Path(python(*ALIAS, "-c", "import sys; print(sys.path[1])").stdout.strip()) / "tornado.py"
    )


def test_pytest_has_nothing_to_say_of_what_is_imported_before_it(tmp_path: Path) -> None:
    # As an installed Eyewall looks to pytest: a distribution with a plugin, whose packages it would rewrite.
    installed = tmp_path / "site" / "eyewall-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: eyewall\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(
        "[pytest11]\neyewall.doctor.pytestplugin = eyewall.doctor.pytestplugin\n"
    )
    (installed / "RECORD").write_text("eyewall/__init__.py,,\neyewall-1.dist-info/METADATA,,\n")
    write(tmp_path, test_something="def test_it():\n    import tornado.web\n    assert tornado.web.__doc__\n")
    paths = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    arguments = (
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:asyncio",
        "-p",
        "no:cacheprovider",
        "test_something.py",
    )
    done = python(*ALIAS, *arguments, cwd=tmp_path, env={"PYTHONPATH": paths})
    assert "1 passed" in done.stdout
