"""The import alias: what `tornado` means in a program, and in what the program starts."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

import eyewall.tornado
from eyewall._version import TORNADO_API_VERSION
from tests.tornado.programs import ALIAS, aliased, python, write


def test_both_names_mean_the_same_module_objects() -> None:
    out = aliased(
        """
        import importlib, sys
        import tornado.web
        from tornado import gen, httputil
        import eyewall.tornado.ioloop
        import tornado.ioloop, tornado.platform.asyncio
        for name in ("", ".web", ".gen", ".httputil", ".ioloop", ".platform", ".platform.asyncio"):
            assert sys.modules["tornado" + name] is sys.modules["eyewall.tornado" + name], name
        assert tornado.gen is gen
        assert importlib.import_module("tornado.locks") is importlib.import_module("eyewall.tornado.locks")
        assert tornado.web.__name__ == tornado.web.__spec__.name == "eyewall.tornado.web"
        assert importlib.reload(tornado.web) is sys.modules["tornado.web"]
        assert tornado.web.RequestHandler is eyewall.tornado.web.RequestHandler
        print(tornado.version, tornado.version_info)
        """
    )
    assert out == "6.6.1 (6, 6, 1, 0)\n"


def test_modules_are_loaded_when_they_are_read_as_attributes() -> None:
    aliased(
        """
        import sys, tornado
        assert "tornado.web" not in sys.modules and "eyewall.tornado.web" not in sys.modules
        tornado.web.RequestHandler
        assert "eyewall.tornado.web" in sys.modules
        import tornado.web
        try:
            tornado.nothing
        except AttributeError as error:
            assert "nothing" in str(error)
        else:
            raise AssertionError
        """
    )


def test_names_in_strings_are_found() -> None:
    aliased(
        """
        from tornado.util import Configurable, import_object
        from tornado.netutil import Resolver
        import eyewall.net.resolver
        assert import_object("tornado.web.RequestHandler").__module__ == "eyewall.web.handler"
        assert import_object("tornado.escape") is import_object("eyewall.tornado.escape")
        Resolver.configure("tornado.netutil.BlockingResolver")
        assert Resolver.configured_class() is eyewall.net.resolver.BlockingResolver
        """
    )


def test_a_pickle_is_the_same_under_both_names_and_those_of_tornado_load() -> None:
    dumped = aliased(
        """
        import pickle, sys
        from tornado.util import ObjectDict
        from tornado.web import HTTPError
        assert ObjectDict.__module__ == "eyewall.base.objects"
        print(pickle.dumps([ObjectDict, HTTPError], 0).hex())
        """
    )
    from eyewall.tornado.util import ObjectDict
    from eyewall.tornado.web import HTTPError

    assert pickle.loads(bytes.fromhex(dumped)) == [ObjectDict, HTTPError]
    # As Tornado itself writes the name of a class.
    assert aliased('import pickle; print(pickle.loads(b"ctornado.util\\nObjectDict\\n.").__module__)') == (
        "eyewall.base.objects\n"
    )


def test_the_metadata_tell_the_version_whose_api_this_is() -> None:
    out = aliased(
        """
        import importlib.metadata as metadata, sys
        sys.path[:] = [entry for entry in sys.path if "site-packages" not in entry]
        print(metadata.version("tornado"), metadata.version("Tornado"), metadata.metadata("tornado")["Name"])
        try:
            metadata.version("tornado-x")
        except metadata.PackageNotFoundError:
            print("alone")
        """
    )
    assert out.split() == ["6.6.1", "6.6.1", "tornado", "alone"]


_WHOSE = """
import importlib.metadata as metadata, sys
found = metadata.distribution("tornado")
print(found.version, found.metadata["Summary"], metadata.version("tornado"), found.files, "tornado" in sys.modules)
"""


def test_children_are_told_the_same_as_their_parent(tmp_path: Path) -> None:
    """Before they import anything: packages look at versions first."""
    program = f"""
import subprocess, sys
exec({_WHOSE!r})
subprocess.run([sys.executable, "-c", {_WHOSE!r}], check=True)
nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
subprocess.run([sys.executable, "-c", nested, {_WHOSE!r}], check=True)
"""
    # A standard output that is not shared out of turn.
    lines = python("-u", *ALIAS, "-c", program, cwd=tmp_path).stdout.splitlines()
    assert lines == ["6.6.1 Provided by Eyewall 6.6.1 None False"] * 3


def test_the_metadata_are_of_the_version_that_eyewall_says() -> None:
    folder = Path(eyewall.tornado.__file__).parent / "inherit"
    (found,) = distributions(path=[str(folder)])
    assert (found.name, found.version) == ("tornado", TORNADO_API_VERSION)


def test_what_eyewall_lacks_comes_from_an_installed_tornado_without_importing_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        tornado__FACE="raise AssertionError('the real one is imported')",
        tornado__test="from tornado import escape\nimport tornado.web\nplace = 'installed'",
        tornado__web="raise AssertionError('a module that Eyewall has is imported')",
        tornado__iostream="raise AssertionError('objects of the two do not mix')",
    )
    aliased(
        """
        import sys
        sys.path.insert(0, sys.argv[1])
        import tornado
        from tornado import test
        import tornado.test
        assert test is tornado.test is sys.modules["tornado.test"]
        assert tornado.test.place == "installed" and tornado.test.__name__ == "tornado.test"
        assert tornado.test.escape is sys.modules["eyewall.tornado.escape"]
        try:
            import tornado.iostream
        except ModuleNotFoundError as error:
            assert error.name == "tornado.iostream"
        try:
            import tornado.neither
        except ModuleNotFoundError as error:
            assert error.name == "tornado.neither"
        else:
            raise AssertionError
        """,
        str(tmp_path),
    )


def test_it_refuses_when_the_real_one_is_imported_already(tmp_path: Path) -> None:
    write(tmp_path, tornado__FACE="", early="import tornado")
    program = """
import sys
sys.path.insert(0, sys.argv[1])
import tornado
from eyewall.tornado._alias import AliasError, install
try:
    install()
except AliasError as error:
    print(error)
"""
    out = python("-c", program, tmp_path).stdout
    assert out.startswith("tornado cannot mean Eyewall any more: it is imported already, from ")
    assert str(tmp_path / "tornado" / "__init__.py") in out
    # The same on the command line, where something that runs at start-up was faster.
    (tmp_path / "sitecustomize.py").write_text("import tornado\n")
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    done = python(*ALIAS, "-c", "", env={"PYTHONPATH": path}, check=False)
    assert done.returncode == 1
    assert "imported already" in done.stderr
    assert "Traceback" not in done.stderr


# -- what the program starts ----------------------------------------------------------------------------


def test_children_inherit_it_and_those_that_do_not_use_it_pay_nothing(tmp_path: Path) -> None:
    out = aliased(
        """
        import subprocess, sys
        def child(source):
            return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
        print(child("import tornado.web; print(tornado.web.__name__)"), end="")
        print(child("import sys; print(*[n for n in sys.modules if n.startswith(('eyewall', 'tornado'))])"), end="")
        print(child("import subprocess, sys; subprocess.run([sys.executable, '-c', "
                    "'from tornado import gen; print(gen.__name__)'], check=True)"), end="")
        """,
        cwd=tmp_path,
    )
    assert out.splitlines() == ["eyewall.tornado.web", "", "eyewall.tornado.gen"]


def test_a_child_runs_modules_of_tornado_by_name(tmp_path: Path) -> None:
    out = aliased(
        """
        import subprocess, sys
        done = subprocess.run([sys.executable, "-m", "tornado.autoreload"], capture_output=True, text=True)
        print(done.returncode, done.stderr)
        """,
        cwd=tmp_path,
    )
    assert out.startswith("1 Usage:\n  python -m tornado.autoreload ")


def test_a_child_of_another_environment_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", tornado="place = 'its own'")
    (tmp_path / "elsewhere" / "tornado-5.0.dist-info").mkdir()
    (tmp_path / "elsewhere" / "tornado-5.0.dist-info" / "METADATA").write_text(
        "Name: tornado\nVersion: 5.0\n"
    )
    program = """
import subprocess, sys, os
folder = [entry for entry in os.environ["PYTHONPATH"].split(os.pathsep) if entry.endswith("inherit")]
path = os.pathsep.join([*folder, sys.argv[1]])
# -S: without the packages of this environment, Eyewall among them.
subprocess.run([sys.executable, "-S", "-c", "import tornado, importlib.metadata as m; print(tornado.place); "
                "print(m.version('tornado'))"],
               env={**os.environ, "PYTHONPATH": path}, check=True)
# Without either.
path = os.pathsep.join(folder)
done = subprocess.run([sys.executable, "-S", "-c", "import tornado"], capture_output=True, text=True,
                      env={**os.environ, "PYTHONPATH": path})
print(done.stderr.splitlines()[-1])
"""
    assert aliased(program, str(tmp_path / "elsewhere"), cwd=tmp_path).splitlines() == [
        "its own",
        "5.0",
        "ModuleNotFoundError: No module named 'tornado'",
    ]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_of_multiprocessing_inherit_it(tmp_path: Path, method: str) -> None:
    write(
        tmp_path,
        program="""
            import multiprocessing, sys
            import tornado.escape

            def work(queue):
                import tornado.web
                queue.put((tornado.web.__name__, tornado.escape.__name__, __name__))

            if __name__ == "__main__":
                context = multiprocessing.get_context(sys.argv[1])
                queue = context.Queue()
                process = context.Process(target=work, args=(queue,))
                process.start()
                print(*queue.get(timeout=30))
                process.join()
            """,
    )
    expected = ["eyewall.tornado.web", "eyewall.tornado.escape", "__mp_main__"]
    assert python(*ALIAS, "program.py", method, cwd=tmp_path).stdout.split() == expected
    if method == "spawn":
        assert python(*ALIAS, "-m", "program", method, cwd=tmp_path).stdout.split() == expected


def test_tests_of_a_program_run_under_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        conftest="import tornado.web",
        test_it="""
            import sys
            from tornado import escape

            def test_the_alias():
                assert escape is sys.modules["eyewall.tornado.escape"]
            """,
    )
    done = python(*ALIAS, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", cwd=tmp_path)
    assert "1 passed" in done.stdout


# -- which loop -----------------------------------------------------------------------------------------

_LOOPS = """
import asyncio, sys
async def kind():
    return type(asyncio.get_running_loop()).__module__
import tornado.ioloop
print(asyncio.run(kind()))
loop = tornado.ioloop.IOLoop()
print(loop.run_sync(kind))
loop.close()
"""


@pytest.mark.parametrize(
    ("wanted", "expected"), [("", "uvloop"), ("uvloop", "uvloop"), ("asyncio", "asyncio.unix_events")]
)
def test_loops_that_a_program_makes_itself_are_of_the_kind_asked_for(wanted: str, expected: str) -> None:
    pytest.importorskip("uvloop")
    assert aliased(_LOOPS, env={"EYEWALL_LOOP": wanted}).split() == [expected, expected]


def test_a_policy_that_the_program_sets_counts() -> None:
    program = """
import asyncio
class Policy(asyncio.DefaultEventLoopPolicy):
    pass
asyncio.set_event_loop_policy(Policy())
"""
    early = python("-c", program + "import eyewall.tornado._alias as a; a.install()" + _LOOPS)
    assert early.stdout.split() == ["asyncio.unix_events"] * 2
    assert aliased("import tornado.web" + program + _LOOPS).split() == ["asyncio.unix_events"] * 2


# -- what it costs --------------------------------------------------------------------------------------


def test_importing_by_our_own_name_installs_nothing() -> None:
    out = python(
        "-c", "import sys, eyewall.tornado.web; print('tornado' in sys.modules, len(sys.meta_path))"
    ).stdout
    bare = python("-c", "import sys; print('tornado' in sys.modules, len(sys.meta_path))").stdout
    assert out == bare


def test_the_interpreter_flags_of_the_parent_do_not_matter(tmp_path: Path) -> None:
    """Isolated interpreters ignore the environment: they get no alias, and no error."""
    program = "import subprocess, sys; subprocess.run([sys.executable, '-I', '-c', 'print(1)'], check=True)"
    assert aliased(program, cwd=tmp_path) == "1\n"
    assert (
        subprocess.run(
            [sys.executable, "-P", *ALIAS, "-c", "import sys, tornado; print(sys.path[0])"],
            capture_output=True,
            text=True,
            check=True,
        )
        .stdout.strip()
        .endswith("inherit")
    )
