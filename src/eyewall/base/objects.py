"""Finding objects by name, and small helpers around objects, exceptions and code that Tornado's API has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import datetime


class ObjectDict(dict[str, Any]):
    """A dictionary whose items can be read and set as attributes too."""

    def __getattr__(self, name: str) -> Any:
        # Methods of dict are found before this is asked; an item of the same name needs the brackets.
        if name in self:
            return self[name]
        raise AttributeError(f"{type(self).__name__} has no item {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def import_object(name: str) -> Any:
    """Returns the module `name`, or what the last part of `name` means in the module before it.

    Raises ImportError where there is neither.
    """
    module_name, _, last = name.rpartition(".")
    if not module_name:
        return __import__(name)
    module = __import__(module_name, fromlist=[last])
    try:
        return getattr(module, last)
    except AttributeError:
        raise ImportError(f"No module named {last} in {module_name}, nor anything else", name=name) from None


def exec_in(code: str | CodeType, glob: dict[str, Any], loc: Mapping[str, Any] | None = None) -> None:
    """Executes `code`, source or compiled, with the global names `glob` and the local ones `loc` (None:
    `glob`).

    Source is compiled by the rules of its own `__future__` imports, not by those of the caller.
    """
    if isinstance(code, str):
        code = compile(code, "<string>", "exec", dont_inherit=True)
    exec(code, glob, glob if loc is None else loc)  # noqa: S102 - its whole purpose


def raise_exc_info(
    exc_info: tuple[type[BaseException] | None, BaseException | None, TracebackType | None],
) -> NoReturn:
    """Raises the exception that `sys.exc_info` returned, with its traceback; TypeError if there was none."""
    error = exc_info[1]
    if error is None:
        raise TypeError("raise_exc_info called with no exception")
    try:
        raise error.with_traceback(exc_info[2])
    finally:
        # The traceback refers to this frame, which would refer back to it.
        del error, exc_info


def errno_from_exception(e: BaseException) -> int | None:
    """Returns the error number of `e`: its `errno`, else its first argument, else None.

    Some exceptions are raised with the number as an argument and never get the attribute.
    """
    if hasattr(e, "errno"):
        number: int | None = e.errno
        return number
    return e.args[0] if e.args else None


def re_unescape(s: str) -> str:
    r"""Undoes `re.escape`, which made `s`. Raises ValueError for a string it cannot have made, as `\d` of a
    regular expression.
    """

    def literal(match: re.Match[str]) -> str:
        if match[1].isascii() and match[1].isalnum():
            raise ValueError(f"cannot unescape {match[0]!r} in {s!r}: that is not a literal")
        return match[1]

    return re.sub(r"\\(.)", literal, s, flags=re.DOTALL)


def timedelta_to_seconds(td: datetime.timedelta) -> float:
    """Returns the length of `td` in seconds."""
    return td.total_seconds()


class ArgReplacer:
    """Finds and replaces the argument `name` in calls of `func`, whether given by position or by keyword."""

    def __init__(self, func: Callable[..., Any], name: str) -> None:
        self.name = name
        #: The position that the argument may be given at; None where it is a keyword only.
        self.arg_pos: int | None = None
        names = _positional_names(func)
        if name in names:
            self.arg_pos = names.index(name)

    def get_old_value(self, args: Sequence[Any], kwargs: dict[str, Any], default: Any = None) -> Any:
        """Returns the argument's value in a call with `args` and `kwargs`, or `default` where it is not given."""
        if self._is_positional(args):
            return args[self._position()]
        return kwargs.get(self.name, default)

    def replace(
        self, new_value: Any, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Any, Sequence[Any], dict[str, Any]]:
        """Returns the old value (None if not given) and the arguments of the call with `new_value` instead.

        `args` and `kwargs` are those of the call. Positional arguments that change are a new list; `kwargs` is
        changed in place.
        """
        old = self.get_old_value(args, kwargs)
        if self._is_positional(args):
            changed = list(args)
            changed[self._position()] = new_value
            return old, changed, kwargs
        kwargs[self.name] = new_value
        return old, args, kwargs

    def _is_positional(self, args: Sequence[Any]) -> bool:
        return self.arg_pos is not None and self.arg_pos < len(args)

    def _position(self) -> int:
        assert self.arg_pos is not None
        return self.arg_pos


def _positional_names(func: Callable[..., Any]) -> list[str]:
    code = getattr(func, "__code__", None)
    if isinstance(code, CodeType):
        return list(code.co_varnames[: code.co_argcount])
    # Not a plain function. `inspect` is heavy, and this is rare.
    from inspect import Parameter, signature

    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in signature(func).parameters.values() if each.kind in positional]
