"""Names for a chain of references: `app.ChatHandler.clients (set)`, `jobs.pool.callbacks[3] (method Job.done)`.

No code of the application runs for that: attributes are looked up where the interpreter keeps them, keys are shown
where they are strings or numbers.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import OrderedDict, deque
from functools import partial
from types import (
    AsyncGeneratorType,
    CellType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any

from eyewall.doctor.waits.links import frame_of
from eyewall.guard.deadlines.awaiting import coroutine_of

#: Items of a container that are looked through for the one that is meant.
ITEMS = 10_000
#: Characters of a key, or of a name, that are shown.
LENGTH = 40

#: How a variable of a function around another one is shown.
_VARIABLE = re.compile(r" \(variable (\w+) of ")
_PLAIN = (str, int, float, bool, bytes, type(None))
_SEQUENCES = (list, tuple, deque)
_CONTAINERS = (*_SEQUENCES, dict, set, frozenset)


def chain_text(path: list[object], module: ModuleType | None) -> tuple[str, tuple[str, ...]]:
    """Returns the references from the first of `path` to its last, and the names in them, from the last to the first.

    `module`: the one whose variables the first of `path` is, if it is that of one.
    """
    text, names = _root(path[0], module), []
    for index in range(len(path) - 1):
        owner, thing = path[index], path[index + 1]
        step = _step(path, index, owner, thing)
        if step is None:
            continue
        text += step if step.startswith(("[", " ", "(")) else f".{step}"
        variable = _VARIABLE.match(step)
        name = step.strip("[]'\"") if variable is None else variable[1]
        if name.isidentifier():
            names.append(name)
    if is_collected(path, module):
        text += f" ({type(path[-2]).__name__})"
    return text, tuple(reversed(names))


def is_collected(path: list[object], module: ModuleType | None) -> bool:
    """Whether the last of `path` is in a container."""
    if len(path) < 2 or (len(path) == 2 and module is not None):
        return False
    return isinstance(path[-2], _CONTAINERS) and not _is_namespace(path, len(path) - 2, module)


def type_name(thing: type) -> str:
    """Returns the name by which somebody finds a class."""
    return (
        thing.__qualname__ if thing.__module__ == "builtins" else f"{thing.__module__}.{thing.__qualname__}"
    )


def _root(thing: object, module: ModuleType | None) -> str:
    if module is not None:
        return module.__name__
    if isinstance(thing, ModuleType):
        return thing.__name__
    if isinstance(thing, type):
        return type_name(thing)
    if isinstance(thing, (CoroutineType, GeneratorType, AsyncGeneratorType)):
        return f"{thing.__qualname__}()"
    if isinstance(thing, asyncio.Task):
        return f"the task {thing.get_name()}"
    if type(thing).__name__ == "TimerHandle":
        return "a timer of the loop"
    if type(thing).__name__ == "Handle":
        return "a callback of the loop"
    return f"a {type_name(type(thing))}"


def _step(path: list[object], index: int, owner: object, thing: object) -> str | None:
    """Returns how `owner` refers to `thing`; None where that goes without saying."""
    if isinstance(owner, dict):
        return _key(owner, thing, named=_is_namespace(path, index, None) or index == 0)
    if isinstance(owner, _SEQUENCES):
        if isinstance(owner, tuple) and index and isinstance(path[index - 1], (FunctionType, partial)):
            return None
        return _position(owner, thing)
    if isinstance(owner, (set, frozenset)):
        return None
    if isinstance(owner, CellType):
        return None
    if isinstance(owner, FunctionType):
        return _of_function(path, index, owner, thing)
    if isinstance(owner, MethodType):
        return f" (method {owner.__func__.__qualname__})" if thing is owner.__self__ else None
    if isinstance(owner, BaseException) and isinstance(thing, TracebackType):
        return " (traceback)"
    if isinstance(owner, TracebackType):
        return None
    if isinstance(owner, FrameType):
        return f" (variable of {owner.f_code.co_qualname})"
    if isinstance(owner, partial):
        return " (partial)"
    if isinstance(owner, (CoroutineType, GeneratorType, AsyncGeneratorType)):
        return _variable(owner, thing, path, index)
    if isinstance(owner, (type, ModuleType)):
        return (
            None
            if isinstance(thing, dict) and _is_namespace(path, index + 1, None)
            else _attribute(owner, thing)
        )
    if isinstance(owner, asyncio.Task) and thing is coroutine_of(owner):
        return f" ({getattr(thing, '__qualname__', 'coroutine')})"
    if isinstance(thing, dict) and _own_dict(owner) is thing:
        return None
    if type(owner).__name__ == "_lru_cache_wrapper":
        return " (cache)"
    return _attribute(owner, thing) or f" ({type_name(type(owner))})"


def _is_namespace(path: list[object], index: int, module: ModuleType | None) -> bool:
    """Whether that of `path` is a dict of variables or attributes, whose keys are names."""
    thing = path[index]
    if not isinstance(thing, dict):
        return False
    if index == 0:
        return True
    owner = path[index - 1]
    if isinstance(owner, type):
        # A class shows a proxy of its dict.
        return "__module__" in thing and "__doc__" in thing
    return _own_dict(owner) is thing


def _own_dict(owner: object) -> object:
    """Returns the dict of the attributes of `owner`, None for none."""
    if isinstance(owner, (dict, *_SEQUENCES, set, frozenset, type)):
        return None
    try:
        return object.__getattribute__(owner, "__dict__")
    except AttributeError:
        return None


def _key(owner: dict[Any, Any], thing: object, *, named: bool) -> str:
    for count, (key, value) in enumerate(_items(owner)):
        if count >= ITEMS:
            break
        if value is thing:
            if named and isinstance(key, str):
                return key
            return f"[{_shown(key)}]"
        if key is thing:
            return " (a key)"
    return "[…]"


def _shown(key: object) -> str:
    if isinstance(key, _PLAIN):
        return f"{key!r:.{LENGTH}}"
    # The keys of an application of aiohttp.
    name = getattr(key, "_name", None) if type(key).__name__ == "AppKey" else None
    if not isinstance(name, str):
        return f"a {type_name(type(key))}"
    # In the source it has the name of a variable, which may be another one.
    module, _, name = name.rpartition(".")
    variables = vars(sys.modules[module]) if module in sys.modules else {}
    return next((variable for variable, value in list(variables.items()) if value is key), name)


def _items(owner: dict[Any, Any]) -> list[tuple[Any, Any]]:
    # Not `owner.items()`: somebody's subclass may do anything.
    return list((OrderedDict if isinstance(owner, OrderedDict) else dict).items(owner))


def _position(owner: list[Any] | tuple[Any, ...] | deque[Any], thing: object) -> str:
    for position, item in enumerate(owner):
        if position >= ITEMS:
            break
        if item is thing:
            return f"[{position}]"
    return "[…]"


def _of_function(path: list[object], index: int, owner: FunctionType, thing: object) -> str | None:
    """A variable of a function around it, a default, an attribute of a function."""
    cells = owner.__closure__
    below = path[index + 2] if index + 2 < len(path) else None
    if cells is not None and thing is cells:
        for name, cell in zip(owner.__code__.co_freevars, cells, strict=False):
            if cell is below:
                return f" (variable {name} of {owner.__qualname__})"
    if thing is owner.__defaults__ or thing is owner.__kwdefaults__:
        return f" (default of {owner.__qualname__})"
    if thing is owner.__dict__:
        return None
    return f" ({owner.__qualname__})"


def _variable(
    owner: CoroutineType[Any, Any, Any] | GeneratorType[Any, Any, Any] | AsyncGeneratorType[Any, Any],
    thing: object,
    path: list[object],
    index: int,
) -> str | None:
    if isinstance(thing, CellType):
        # A variable that an inner function has, too.
        thing = path[index + 2] if index + 2 < len(path) else thing
    return variable_of(owner, thing)


def variable_of(owner: object, thing: object) -> str | None:
    """Returns the name of the variable by which a coroutine or generator has `thing`; None for none."""
    frame = frame_of(owner)
    if frame is None:
        return None
    variables = frame.f_locals
    try:
        for name, value in variables.items():
            if value is thing:
                return str(name)
        return None
    finally:
        # Until Python 3.13 it is a copy that the frame keeps, and that would keep the values alive.
        if type(variables) is dict:
            variables.clear()


def _attribute(owner: object, thing: object) -> str | None:
    own = vars(owner) if isinstance(owner, (type, ModuleType)) else _own_dict(owner)
    if own is not None:
        for name, value in dict(own).items():  # type: ignore[call-overload]
            if value is thing:
                return str(name)
    for base in type(owner).__mro__:
        for name, member in list(vars(base).items()):
            if isinstance(member, MemberDescriptorType):
                try:
                    if member.__get__(owner) is thing:
                        return name
                except AttributeError:
                    # A slot that is not set.
                    continue
    return None
