"""Restarting a program when its source changes, for development; the public names of `tornado.autoreload`.

`start` watches the files of all modules that are loaded, and those given to `watch`, by their time of
modification. When one changes, the process replaces itself by the command line that it was started with: same
interpreter, same options, same process id.

    python -m eyewall.loop.autoreload [--until-success] [-m MODULE | SCRIPT] ARGS...

runs a program under the wrapper `main`, which survives what the program alone cannot: a syntax error while it
is imported. With `--until-success` it ends when the program ends well, as a test runner would want it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import runpy
import signal
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from eyewall.base.loggers import gen_log
from eyewall.loop import process
from eyewall.loop.ioloop import IOLoop
from eyewall.loop.periodic import PeriodicCallback

USAGE = """\
Usage:
  python -m {name} [--until-success] -m module.to.run [args...]
  python -m {name} [--until-success] path/to/script.py [args...]
"""

_watched_files: set[str] = set()
_reload_hooks: list[Callable[[], object]] = []
_watchers: WeakKeyDictionary[IOLoop, PeriodicCallback] = WeakKeyDictionary()
_reload_attempted = False


def start(check_time: int = 500) -> None:
    """Begins to watch, on the current loop, looking every `check_time` milliseconds.

    More than one watched loop in a process is a mistake that is logged. Processes made by `fork_processes` do
    not watch, because each would restart as the whole.
    """
    io_loop = IOLoop.current()
    if io_loop in _watchers:
        return
    if _watchers:
        gen_log.warning("tornado.autoreload started more than once in the same process")
    check = functools.partial(_check, {})
    _watchers[io_loop] = watcher = PeriodicCallback(check, check_time)
    watcher.start()


def wait() -> None:
    """Waits for a change, then restarts the process; for the end of a script. Does not return."""
    io_loop = IOLoop()
    io_loop.add_callback(start)
    io_loop.start()


def watch(filename: str) -> None:
    """Watches the file `filename`, which is not a loaded module, such as a template or a configuration."""
    _watched_files.add(filename)


def add_reload_hook(fn: Callable[[], object]) -> None:
    """Calls `fn` before the process restarts. Open files need none: Python's are not inherited."""
    _reload_hooks.append(fn)


def main() -> None:
    """Runs the program that the command line names, and restarts it when its source changes.

    Exits with status 1, and an explanation, when the command line names none.
    """
    wrapper = getattr(sys.modules["__main__"], "__spec__", None)
    name = __name__ if wrapper is None else wrapper.name
    arguments = sys.argv[1:]
    until_success = arguments[:1] == ["--until-success"]
    if until_success:
        del arguments[0]
    module: str | None = None
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        module = arguments[1]
        del arguments[0]
    elif not arguments or arguments[0].startswith("-"):
        sys.stderr.write(USAGE.format(name=name))
        sys.exit(1)
    # By this name the program can tell that it is wrapped.
    importlib.import_module(name)
    # The program is to see the command line it would see without us.
    sys.argv = arguments
    status = _run_program(module, arguments[0])
    if until_success and not status:
        return
    wait()


def _run_program(module: str | None, path: str) -> Any:
    """Runs `module`, or the file or folder `path`, as the main program. Returns its exit status."""
    status: Any = 1
    try:
        if module is not None:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        status = end.code
        gen_log.info("Script exited with status %s", status)
    except Exception as error:  # noqa: BLE001 - the program's, which may be mended and then run again
        gen_log.warning("Script exited with uncaught exception", exc_info=True)
        # A module that failed to be imported is not among the loaded ones.
        for frame in traceback.extract_tb(error.__traceback__):
            watch(frame.filename)
        if isinstance(error, SyntaxError) and error.filename is not None:
            watch(error.filename)
    else:
        status = 0
        gen_log.info("Script exited normally")
    for filename in _program_files(module, path):
        watch(filename)
    return status


def _program_files(module: str | None, path: str) -> list[str]:
    """The files of the main program, which is not among the loaded modules any more."""
    if module is None:
        return [path, os.path.join(path, "__main__.py")]
    files = []
    for name in (module, f"{module}.__main__"):
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, SyntaxError):
            continue
        if spec is not None and spec.origin is not None:
            files.append(spec.origin)
    return files


def _check(times: dict[str, float]) -> None:
    """Restarts the process if a file's time of modification is not what it was when first looked at."""
    if _reload_attempted or process.task_id() is not None:
        return
    for filename in _files():
        try:
            modified = os.stat(filename).st_mtime
        except OSError:
            # It was never there, or an editor is just replacing it.
            continue
        if times.setdefault(filename, modified) != modified:
            gen_log.info("%s modified; restarting server", filename)
            restart()
            return


def _files() -> set[str]:
    files = set(_watched_files)
    for module in tuple(sys.modules.values()):
        # Some programs put other things there, which may not like to be asked for attributes.
        if isinstance(module, types.ModuleType):
            filename = module.__dict__.get("__file__")
            if isinstance(filename, str):
                files.add(filename.removesuffix("c") if filename.endswith(".pyc") else filename)
    return files


def restart() -> None:
    """Calls the hooks, and replaces the process by a new one with the same command line."""
    global _reload_attempted
    _reload_attempted = True
    for hook in _reload_hooks:
        hook()
    # A timer would outlive this program, and its signal would end the next.
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0, 0)
    if not sys.executable or len(sys.orig_argv) < 1:
        raise RuntimeError("the interpreter does not know its own command line and cannot be restarted")
    command = [sys.executable, *sys.orig_argv[1:]]
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if sys.platform == "win32":
        # There, exec ends the process before the new one has begun, which its parent takes for the end.
        os.spawnv(os.P_NOWAIT, sys.executable, command)  # noqa: S606 - our own command line
        os._exit(0)
    os.execv(sys.executable, command)  # noqa: S606 - as above


if __name__ == "__main__":
    # Not the copy of this module that is the main one: the program has to find the same state.
    importlib.import_module("eyewall.loop.autoreload").main()
