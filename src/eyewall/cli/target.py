"""From the text of a target, `module:app` or `path/app.py:app`, to the object it names.

Whatever is wrong with it is said as the person who typed it sees it: which module, looked for where, what
else there is. An exception that the application's own code raises while it is imported is shown from that
code on.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any

from eyewall.cli.exits import ExitCode, StartError

#: Where no attribute is named, the first of these that the module has.
USUAL_NAMES = ("app", "application", "make_app", "create_app", "get_app")
#: Names in one message.
_MOST_OFFERED = 5


class TargetError(StartError):
    """The application can't be found or loaded."""

    def __init__(self, message: str) -> None:
        super().__init__(ExitCode.TARGET, message)


@dataclass(frozen=True, slots=True)
class Target:
    """A target taken apart: a `module` or the `path` of a file, and the `attribute`, "" for a usual one."""

    module: str
    path: str
    attribute: str

    @property
    def place(self) -> str:
        """What a person calls the module."""
        return self.path or self.module


def parse(text: str) -> Target:
    """Takes the text of a target apart. Raises TargetError for what can't be one."""
    place, colon, attribute = text.rpartition(":")
    if not colon:
        place, attribute = text, ""
    elif not all(part.isidentifier() for part in attribute.split(".")):
        raise TargetError(f"{attribute!r} in the target {text!r} is not a name in Python")
    if place.endswith(".py") or os.sep in place:
        return Target("", place, attribute)
    if not place or not all(part.isidentifier() for part in place.split(".")):
        raise TargetError(
            f"{text!r} is not a target: it must be like package.module:app, or like path/app.py:app"
        )
    return Target(place, "", attribute)


def load(text: str, app_dir: str = ".") -> Any:
    """Imports the module and returns the object that the target names.

    `app_dir` is where modules are looked for first. Raises TargetError; its cause is what the application's
    own code raised, where it did.
    """
    target = parse(text)
    module = _import_file(target.path) if target.path else _import_module(target.module, app_dir)
    return _attribute(module, target)


# -- importing ------------------------------------------------------------------------------------------


def _import_module(name: str, app_dir: str) -> ModuleType:
    folder = os.path.abspath(app_dir)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise TargetError(_no_module(name, error.name, folder)) from None
        raise _raised(name, error) from _trimmed(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the application's code raises
        raise _raised(name, error) from _trimmed(error)


def _no_module(name: str, missing: str, folder: str) -> str:
    what = f"there is no module {missing!r}"
    if missing != name:
        what += f", which {name!r} would be in"
    message = f"{what}; looked in {folder} and on Python's path"
    if "." not in missing:
        known = [entry.removesuffix(".py") for entry in os.listdir(folder)] if os.path.isdir(folder) else []
        near = difflib.get_close_matches(missing, known, 1)
        if near:
            message += f". Did you mean {near[0]!r}?"
        else:
            message += "; --app-dir says where else to look"
    return message


def _import_file(path: str) -> ModuleType:
    """Imports a file under the name that other modules of its package or folder import it by."""
    full = os.path.abspath(path)
    if not os.path.isfile(full):
        raise TargetError(
            f"there is no file {path!r}" + (f" in {os.getcwd()}" if not os.path.isabs(path) else "")
        )
    folder, base = os.path.split(full)
    names = [base.removesuffix(".py")]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        names.insert(0, package)
    if names[-1] == "__init__":
        names.pop()
    name = ".".join(names)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        if len(names) > 1:
            return importlib.import_module(name)
        taken = sys.modules.get(name)
        if taken is not None and os.path.abspath(getattr(taken, "__file__", None) or "") == full:
            return taken
        # The name of a file may be one that the standard library has, too.
        return _execute(name if taken is None else f"__{name}__", full)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
        raise _raised(path, error) from _trimmed(error)


def _execute(name: str, path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _raised(place: str, error: BaseException) -> TargetError:
    if isinstance(error, TargetError):
        return error
    if isinstance(error, SystemExit):
        return TargetError(
            f"importing {place!r} ended the program (SystemExit). A program that starts a server of its own "
            "when it is imported needs `if __name__ == '__main__':` around that"
        )
    return TargetError(f"importing {place!r} raised {type(error).__name__}: {error}")


def _trimmed(error: BaseException) -> BaseException:
    """Returns `error` with a traceback that begins in the application's code."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None and _is_ours(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def _is_ours(filename: str) -> bool:
    return filename == __file__ or filename == importlib.__file__ or filename.startswith("<frozen importlib")


# -- the attribute --------------------------------------------------------------------------------------


def _attribute(module: ModuleType, target: Target) -> Any:
    if not target.attribute:
        for name in USUAL_NAMES:
            if hasattr(module, name):
                return getattr(module, name)
        raise TargetError(
            f"{target.place!r} has none of the usual names {', '.join(USUAL_NAMES)}; "
            f"say which one to serve: {target.place}:NAME{_offer(module, '')}"
        )
    found: Any = module
    for name in target.attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            holder = target.place if found is module else type(found).__name__
            offer = _offer(module, name) if found is module else ""
            raise TargetError(f"{holder!r} has no attribute {name!r}{offer}") from None
    return found


def _offer(module: ModuleType, wanted: str) -> str:
    """Returns what could have been meant: names that resemble `wanted`, or applications."""
    names = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, type | ModuleType)
    ]
    near = difflib.get_close_matches(wanted, names, 1) if wanted else []
    if not near:
        near = [name for name in names if hasattr(getattr(module, name), "find_handler")][:_MOST_OFFERED]
    return f". Did you mean {' or '.join(map(repr, near))}?" if near else ""
