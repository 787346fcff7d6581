"""Options that any module of a program defines, and the command line or a configuration file sets.

An `OptionParser` is a set of `Option`s by name. `-` and `_` are the same in a name: `--max-age`,
`options.max_age` and `options["max-age"]` are one option. It is parsed in one or several rounds; at the end
of the last, the functions that asked for it are called.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from eyewall.base.errors import EyewallError
from eyewall.base.optionvalue import parse_list, parser_of

#: Columns that the help text of options begins at and ends before.
_HELP_FROM = 35
_HELP_TO = 79

#: The module whose `define` passes on what others call it with.
_PROCESS_OPTIONS = "eyewall.base.options"

_UNSET = object()


class Error(EyewallError):
    """An option is defined twice, unknown, or set to something it does not take."""


class BadValue(Error, ValueError):
    """The text for an option is not a value of its type; programs written for Tornado look for a ValueError."""


def _normal(name: str) -> str:
    return name.replace("_", "-")


class Option:
    """One option: what it is called, what it takes, and what it is set to."""

    def __init__(
        self,
        name: str,
        default: Any,
        type: type,
        help: str | None,
        metavar: str | None,
        multiple: bool,
        file_name: str,
        group_name: str,
        callback: Callable[[Any], object] | None,
    ) -> None:
        self.name = name
        self.default = [] if default is None and multiple else default
        self.type = type
        self.help = help
        self.metavar = metavar
        self.multiple = multiple
        self.file_name = file_name
        self.group_name = group_name
        self.callback = callback
        self._value: Any = _UNSET

    @property
    def value(self) -> Any:
        """What it was set to, or its default."""
        return self.default if self._value is _UNSET else self._value

    def parse(self, text: str) -> None:
        """Sets it to what `text` says, and tells its callback. Raises Error for text that its type does not
        take.
        """
        try:
            value = parse_list(text, self.type) if self.multiple else parser_of(self.type)(text)
        except (ValueError, TypeError, OverflowError) as error:
            raise BadValue(
                f"Option {self.name!r} must be {self._expected()}, not {text!r}: {error}"
            ) from error
        self._keep(value)

    def set(self, value: Any) -> None:
        """Sets it to `value` and tells its callback. Raises Error for a value that is not of its type."""
        if self.multiple:
            if not isinstance(value, list):
                raise Error(f"Option {self.name!r} must be {self._expected()}, not {value!r}")
            items = value
        else:
            items = [value]
        for item in items:
            if item is not None and not isinstance(item, self.type):
                raise Error(
                    f"Option {self.name!r} must be {self._expected()}, not {type(item).__name__}: {item!r}"
                )
        self._keep(value)

    def _expected(self) -> str:
        return f"a list of {self.type.__name__}" if self.multiple else f"of type {self.type.__name__}"

    def _keep(self, value: Any) -> None:
        self._value = value
        if self.callback is not None:
            self.callback(value)


class OptionParser:
    """A set of options with attribute and item access. Programs mostly use the one in
    `eyewall.base.options`.
    """

    _known: dict[str, Option]
    _when_parsed: list[Callable[[], object]]

    def __init__(self) -> None:
        # Past our own __setattr__, which is for options.
        self.__dict__["_known"] = {}
        self.__dict__["_when_parsed"] = []
        self.define(
            "help",
            type=bool,
            help="show this help information",
            group="",
            callback=self._show_help,
        )

    # -- reading and setting ----------------------------------------------------------------------------

    def _find(self, name: str) -> Option | None:
        return self._known.get(_normal(name))

    def __getattr__(self, name: str) -> Any:
        option = None if name.startswith("__") else self._find(name)
        if option is None:
            raise AttributeError(f"no option {name!r} is defined")
        return option.value

    def __setattr__(self, name: str, value: Any) -> None:
        option = self._find(name)
        if option is None:
            raise AttributeError(f"no option {name!r} is defined")
        option.set(value)

    def __iter__(self) -> Iterator[str]:
        return (option.name for option in self._known.values())

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def __getitem__(self, name: str) -> Any:
        option = self._find(name)
        if option is None:
            raise KeyError(name)
        return option.value

    def __setitem__(self, name: str, value: Any) -> None:
        option = self._find(name)
        if option is None:
            raise KeyError(name)
        option.set(value)

    def items(self) -> list[tuple[str, Any]]:
        """Returns the names, as they were defined, with the values."""
        return [(option.name, option.value) for option in self._known.values()]

    def groups(self) -> set[str]:
        """Returns the names of the groups that options were defined in."""
        return {option.group_name for option in self._known.values()}

    def group_dict(self, group: str) -> dict[str, Any]:
        """Returns the options of `group` with their values; all of them for an empty name.

        A handy way to hand options to an application: `Application(routes,
        **options.group_dict("application"))`.
        """
        return {
            option.name: option.value
            for option in self._known.values()
            if not group or option.group_name == group
        }

    def as_dict(self) -> dict[str, Any]:
        """Returns all options with their values."""
        return dict(self.items())

    def mockable(self) -> _Patchable:
        """Returns an object for `unittest.mock.patch.object`, whose attributes are the options.

        The parser itself cannot be patched, because deleting an attribute does not bring its default back.
        """
        return _Patchable(self)

    # -- defining ---------------------------------------------------------------------------------------

    def define(
        self,
        name: str,
        default: Any = None,
        type: type | None = None,
        help: str | None = None,
        metavar: str | None = None,
        multiple: bool = False,
        group: str | None = None,
        callback: Callable[[Any], object] | None = None,
    ) -> None:
        """Defines an option.

        `type` is that of its value, or of the items of the list if `multiple`; by default that of `default`,
        or str. `help` and `metavar` are for the help page. `group` is where it is shown there and what
        `group_dict` selects by, by default the file that defines it. `callback` is called with the new value
        whenever it is set.

        Raises Error for a name that is taken.
        """
        key = _normal(name)
        taken = self._known.get(key)
        if taken is not None:
            raise Error(f"Option {key!r} already defined in {taken.file_name}")
        file_name = _defining_file()
        if type is None:
            type = str if default is None or multiple else default.__class__
        self._known[key] = Option(
            name=name,
            default=default,
            type=type,
            help=help,
            metavar=metavar,
            multiple=multiple,
            file_name=file_name,
            group_name=group if group is not None else file_name,
            callback=callback,
        )

    # -- parsing ----------------------------------------------------------------------------------------

    def parse_command_line(self, args: list[str] | None = None, final: bool = True) -> list[str]:
        """Sets options from `args` (None: those of the process) and returns what is left behind them.

        The first element is the name of the program and skipped. Options are `--name=value`, or `--name` for
        one of type bool; they end at the first argument that does not begin with `-`, or behind `--`. The
        parse callbacks run if this is the `final` source of options.

        Raises Error, behind the help page on standard error, for an option that is not defined; and Error
        for a value that is missing or not of its type.
        """
        if args is None:
            args = sys.argv
        rest: list[str] = []
        for at, arg in enumerate(args[1:], 1):
            if not arg.startswith("-"):
                rest = args[at:]
                break
            if arg == "--":
                rest = args[at + 1 :]
                break
            name, equals, text = arg.lstrip("-").partition("=")
            option = self._find(name)
            if option is None:
                self.print_help()
                raise Error(f"Unknown option {arg!r}: nothing defines it")
            if not equals:
                if option.type is not bool:
                    raise Error(f"Option {arg!r} needs a value: {arg}=VALUE")
                text = "true"
            option.parse(text)
        if final:
            self.run_parse_callbacks()
        return rest

    def parse_config_file(self, path: str, final: bool = True) -> None:
        """Sets options from the global names of the Python file `path`, which is executed.

        `__file__` is its absolute path. A string is parsed as on the command line where the option is not
        one of text; a `multiple` option takes a list, or such a string. Names that are no options mean
        nothing. The parse callbacks run if this is the `final` source of options.

        Raises OSError where the file cannot be read, whatever executing it raises, and Error for a value
        that an option does not take.
        """
        names: dict[str, Any] = {"__file__": os.path.abspath(path)}
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec", dont_inherit=True), names)  # noqa: S102 - as documented
        for name, value in names.items():
            option = self._find(name)
            if option is None:
                continue
            if option.multiple and not isinstance(value, (list, str)):
                raise Error(
                    f"Option {option.name!r} takes a list, or a string with commas in it, not {value!r}"
                )
            if isinstance(value, str) and (option.multiple or not issubclass(option.type, str)):
                option.parse(value)
            else:
                option.set(value)
        if final:
            self.run_parse_callbacks()

    def add_parse_callback(self, callback: Callable[[], object]) -> None:
        """Calls `callback` when parsing is done."""
        self._when_parsed.append(callback)

    def run_parse_callbacks(self) -> None:
        """Calls the parse callbacks, in the order in which they were added."""
        for callback in list(self._when_parsed):
            callback()

    # -- help -------------------------------------------------------------------------------------------

    def print_help(self, file: TextIO | None = None) -> None:
        """Writes all options, by group, to `file` (None: standard error)."""
        out = sys.stderr if file is None else file
        lines = [f"Usage: {sys.argv[0] if sys.argv else 'program'} [OPTIONS]", "", "Options:", ""]
        groups: dict[str, list[Option]] = {}
        for option in self._known.values():
            groups.setdefault(option.group_name, []).append(option)
        for group in sorted(groups):
            if group:
                lines += ["", f"{os.path.normpath(group)} options:", ""]
            for option in sorted(groups[group], key=lambda each: each.name):
                lines += _help_lines(option)
        lines.append("")
        print("\n".join(lines), file=out)

    def _show_help(self, wanted: bool) -> None:
        if wanted:
            self.print_help()
            sys.exit(0)


def _help_lines(option: Option) -> list[str]:
    left = "--" + _normal(option.name)
    if option.metavar:
        left += "=" + option.metavar
    about = option.help or ""
    if option.default is not None and option.default != "":
        about = f"{about} (default {option.default})".strip()
    width = _HELP_FROM - 3
    wrapped = textwrap.wrap(about, _HELP_TO - _HELP_FROM) or [""]
    if len(left) > width:
        wrapped.insert(0, "")
    first = f"  {left:<{width}} {wrapped[0]}".rstrip()
    return [first] + [" " * _HELP_FROM + line for line in wrapped[1:]]


def _defining_file() -> str:
    """The file whose code called `define`: the method, or the function for the options of the process."""
    frame = sys._getframe(2)
    if frame.f_back is not None and frame.f_globals.get("__name__") == _PROCESS_OPTIONS:
        frame = frame.f_back
    return frame.f_code.co_filename


class _Patchable:
    """Sets options as attributes and puts the earlier value back where an attribute is deleted."""

    _parser: OptionParser
    _earlier: dict[str, list[Any]]

    def __init__(self, parser: OptionParser) -> None:
        self.__dict__["_parser"] = parser
        self.__dict__["_earlier"] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._earlier.setdefault(name, []).append(getattr(self._parser, name))
        setattr(self._parser, name, value)

    def __delattr__(self, name: str) -> None:
        if not self._earlier.get(name):
            raise AttributeError(f"{name!r} is not patched")
        setattr(self._parser, name, self._earlier[name].pop())
