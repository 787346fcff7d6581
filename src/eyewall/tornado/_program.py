"""Running a program as the interpreter itself would, under the alias.

The program is the module `__main__`, for as long as the process lives: its threads, what it pickles and the children
that `multiprocessing` makes of it find what they would find without us.
"""

from __future__ import annotations

import io
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader, SourcelessFileLoader
from importlib.util import find_spec
from types import CodeType, ModuleType
from typing import Any

from eyewall.tornado import _alias

NAME = "python -m eyewall.tornado"
USAGE = f"""\
Usage: {NAME} SCRIPT [ARGS...]
       {NAME} -m MODULE [ARGS...]
       {NAME} -c CODE [ARGS...]

Runs a Tornado program on Eyewall: in it, and in the processes it starts, `tornado` means `eyewall.tornado`.
SCRIPT is a file, or a folder or zip file with a `__main__.py`.

EYEWALL_LOOP=asyncio in the environment asks for asyncio's own event loop instead of uvloop's.
"""


class ProgramError(Exception):
    """There is no such program. The text says so as the interpreter does."""


def main() -> None:
    """Runs what the command line names; exits with 2 where it names nothing, with 1 where that is not there."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return
    option = arguments[0] if arguments else "-"
    wanted = option in ("-m", "-c")
    if len(arguments) < 1 + wanted or (option.startswith("-") and not wanted):
        sys.stderr.write(USAGE)
        sys.exit(2)
    try:
        _alias.install()
        inherit()
        code, module = found(arguments)
    except (ProgramError, _alias.AliasError) as error:
        sys.exit(f"{sys.executable}: {error}")
    execute(code, module)


def found(arguments: list[str]) -> tuple[CodeType, ModuleType]:
    """Returns the program that `arguments` name, as the interpreter's own do, and the module that it is to be.

    `sys.argv` and the beginning of `sys.path` are then as it expects them. Raises ProgramError where there is none.
    """
    if arguments[0] == "-m":
        return _module(arguments[1], arguments[2:])
    if arguments[0] == "-c":
        return _command(arguments[1], arguments[2:])
    return _script(arguments[0], arguments[1:])


def execute(code: CodeType, module: ModuleType) -> None:
    """Runs the program."""
    sys.modules["__main__"] = module
    exec(code, module.__dict__)  # noqa: S102 - the program that was asked for


def inherit() -> None:
    """Hands the alias on to the processes that this one starts, by whatever way they come to their path.

    Those that inherit the environment find it on PYTHONPATH, those of `multiprocessing` get a copy of `sys.path`.
    """
    folder = _alias.INHERITED
    known = os.environ.get("PYTHONPATH", "")
    if folder not in known.split(os.pathsep):
        os.environ["PYTHONPATH"] = folder + os.pathsep + known if known else folder
    if folder not in sys.path:
        sys.path.insert(_first_entry(), folder)


def _first_entry() -> int:
    """The place in `sys.path` behind what belongs to the program itself."""
    return 0 if sys.flags.safe_path else 1


def _start_of_path(entry: str) -> None:
    """Sets what `sys.path` begins with, unless the interpreter was told to prepend nothing unsafe."""
    if not sys.flags.safe_path:
        sys.path[0] = entry


# -- what is run ---------------------------------------------------------------------------------------


def _module(name: str, arguments: list[str]) -> tuple[CodeType, ModuleType]:
    sys.argv = ["-m", *arguments]
    spec = _spec_of(name)
    if spec.submodule_search_locations is not None:
        if name == "__main__" or name.endswith(".__main__"):
            raise ProgramError("Cannot use package as __main__ module")
        package = name
        try:
            spec = _spec_of(f"{name}.__main__")
        except ProgramError as error:
            raise ProgramError(f"{error}; {package!r} is a package and cannot be directly executed") from None
    code = _code_of(spec)
    sys.argv[0] = spec.origin or name
    return code, _main_module(spec, spec.origin, spec.parent)


def _spec_of(name: str) -> ModuleSpec:
    if name.startswith("."):
        raise ProgramError("Relative module names not supported")
    parent = name.rpartition(".")[0]
    try:
        spec = find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (parent == error.name or parent.startswith(error.name + ".")):
            # The package is there, but needs what is not.
            raise
        spec = None
    except (ValueError, AttributeError) as error:
        raise ProgramError(f"Error while finding module specification for {name!r} ({error})") from error
    if spec is None:
        raise ProgramError(f"No module named {name}")
    return spec


def _code_of(spec: ModuleSpec) -> CodeType:
    loader: Any = spec.loader
    code: CodeType | None = loader.get_code(spec.name) if hasattr(loader, "get_code") else None
    if code is None:
        raise ProgramError(f"No code object available for {spec.name}")
    return code


def _command(source: str, arguments: list[str]) -> tuple[CodeType, ModuleType]:
    sys.argv = ["-c", *arguments]
    _start_of_path("")
    return compile(source, "<string>", "exec", dont_inherit=True), _main_module(None, None, None)


def _script(path: str, arguments: list[str]) -> tuple[CodeType, ModuleType]:
    sys.argv = [path, *arguments]
    full = os.path.abspath(path)
    # What can hold modules is run by the `__main__` in it.
    spec = PathFinder.find_spec("__main__", [full])
    if spec is not None:
        _start_of_path(full)
        return _code_of(spec), _main_module(spec, spec.origin, "")
    if os.path.isdir(full):
        raise ProgramError(f"can't find '__main__' module in {full!r}")
    # As it was given, but for the beginning.
    full = os.path.join(os.getcwd(), path)
    _start_of_path(os.path.dirname(os.path.realpath(full)))
    try:
        code, loader = _file(full)
    except OSError as error:
        raise ProgramError(f"can't open file {full!r}: [Errno {error.errno}] {error.strerror}") from None
    module = _main_module(None, full, None)
    module.__loader__ = loader
    return code, module


def _file(path: str) -> tuple[CodeType, SourceFileLoader | SourcelessFileLoader]:
    if path.endswith(".pyc"):
        compiled = SourcelessFileLoader("__main__", path)
        code = compiled.get_code("__main__")
        if code is None:
            raise ProgramError(f"No code object available for {path}")
        return code, compiled
    with io.open_code(path) as file:
        text = file.read()
    return compile(text, path, "exec", dont_inherit=True), SourceFileLoader("__main__", path)


def _main_module(spec: ModuleSpec | None, file: str | None, package: str | None) -> ModuleType:
    module = ModuleType("__main__")
    module.__spec__ = spec
    module.__package__ = package
    if spec is not None:
        module.__loader__ = spec.loader
        module.__cached__ = spec.cached  # type: ignore[attr-defined]
    if file is not None:
        module.__file__ = file
    module.__dict__["__builtins__"] = sys.modules["builtins"]
    return module
