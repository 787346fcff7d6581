"""The options of the process: the public names of `tornado.options`.

Any module may `define` some; the main program parses them:

    define("port", default=8000, help="where to listen")

    def main() -> None:
        parse_command_line()
        app.listen(options.port)

The logging options are defined from the start, and take effect when parsing is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

from eyewall.base.logsetup import define_logging
from eyewall.base.optionparser import Error, OptionParser

__all__ = [
    "Error",
    "OptionParser",
    "add_parse_callback",
    "define",
    "options",
    "parse_command_line",
    "parse_config_file",
    "print_help",
]

#: The one set of options that the functions here work on.
options = OptionParser()


def define(
    name: str,
    default: Any = None,
    type: type | None = None,
    help: str | None = None,
    metavar: str | None = None,
    multiple: bool = False,
    group: str | None = None,
    callback: Callable[[Any], object] | None = None,
) -> None:
    """Defines an option of the process; see `OptionParser.define`."""
    options.define(name, default, type, help, metavar, multiple, group, callback)


def parse_command_line(args: list[str] | None = None, final: bool = True) -> list[str]:
    """Sets the options of the process from the command line; see `OptionParser.parse_command_line`."""
    return options.parse_command_line(args, final=final)


def parse_config_file(path: str, final: bool = True) -> None:
    """Sets the options of the process from a file; see `OptionParser.parse_config_file`."""
    options.parse_config_file(path, final=final)


def print_help(file: TextIO | None = None) -> None:
    """Writes the options of the process to `file` (None: standard error)."""
    options.print_help(file)


def add_parse_callback(callback: Callable[[], object]) -> None:
    """Calls `callback` when the options of the process are parsed."""
    options.add_parse_callback(callback)


define_logging(options)
