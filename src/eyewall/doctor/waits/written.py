"""What is written before an instruction: a name, with attributes and items of that, and what it is in a frame.

    self.locks[key].acquire()        Written("local", "self", ("locks", Item(Written("local", "key"))))

It is found out without running anything of the program's: attributes are looked up in what objects and classes have,
items in the containers of the interpreter, by keys of which it is known how they compare.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType, MemberDescriptorType
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

#: Since 3.13, two instructions can be one: what is stored comes first, what is loaded last.
_STORES_AND_LOADS = "STORE_FAST_LOAD_FAST"
#: Instructions that stand before arguments, and load nothing.
_NOTHING = ("PUSH_NULL", "PRECALL", "CACHE", "EXTENDED_ARG")
#: Names, attributes and items in one thing that is written.
DEPTH = 10
_PLAIN = (str, bytes, int, float, bool, type(None))


class Constant(NamedTuple):
    """A key that is a constant."""

    value: object


class Item(NamedTuple):
    """An item of a container, and its key."""

    key: Constant | Written


class Written(NamedTuple):
    """A name (`scope`: "global", or else one of the function), and attributes and items that follow it."""

    scope: str
    name: str
    steps: tuple[str | Item, ...] = ()

    def names(self) -> set[str]:
        """All names in it."""
        found = {self.name}
        for each in self.steps:
            if isinstance(each, str):
                found.add(each)
            elif isinstance(each.key, Written):
                found |= each.key.names()
        return found


def written(instructions: Sequence[dis.Instruction], number: int) -> tuple[Written | None, str]:
    """Returns what is written before the instruction with this number, which takes it, and which name, or attribute,
    was loaded before that: it may be that of a function of which this is the first argument."""
    atoms = _atoms(instructions, number)
    found = _expression(atoms, DEPTH)
    if not isinstance(found, Written):
        return None, ""
    name, argument, _ = next(atoms, _NONE)
    return found, str(argument) if name.startswith("LOAD_") else ""


def arguments(instructions: Sequence[dis.Instruction], number: int) -> list[Constant | Written] | None:
    """Returns what the method, or the function, is called with that the instruction with this number loads: its object
    first; None where that is not written as above, or has names of its own."""
    load = instructions[number]
    for index in range(number + 1, len(instructions)):
        each = instructions[index]
        if not each.opname.startswith("CALL"):
            continue
        if each.opname != "CALL":
            return None
        atoms = _atoms(instructions, index)
        found = [_expression(atoms, DEPTH) for _ in range(each.arg or 0)]
        if any(each is None for each in found) or next(atoms, _NONE).number != number:
            # It belongs to an argument.
            continue
        if is_method(load):
            owner, _ = written(instructions, number)
            found.append(owner)
        return None if None in found else [each for each in reversed(found) if each is not None]
    return None


def is_method(load: dis.Instruction) -> bool:
    """Whether what is loaded is a method to be called, and not handed to somebody."""
    return load.opname == "LOAD_METHOD" or (
        load.opname in ("LOAD_ATTR", "LOAD_SUPER_ATTR")
        and sys.version_info >= (3, 12)
        and bool((load.arg or 0) & 1)
    )


def value_of(thing: Written, frame: FrameType, variables: Mapping[str, object]) -> object:
    """Returns what it is in `frame`, whose own variables are `variables`; None where that is not known."""
    value: object = (frame.f_globals if thing.scope == "global" else variables).get(thing.name)
    for each in thing.steps:
        if isinstance(each, str):
            value = _attribute_of(value, each)
        elif isinstance(each.key, Constant):
            value = _item_of(value, each.key.value)
        else:
            value = _item_of(value, value_of(each.key, frame, variables))
    return value


def value_in(thing: Written, owner: object) -> object:
    """Returns what it is where all its names are `owner`, as those of the first argument of a method are; None where
    that is not known, or there are others."""
    value = owner
    for each in thing.steps:
        if isinstance(each, str):
            value = _attribute_of(value, each)
        elif isinstance(each.key, Constant):
            value = _item_of(value, each.key.value)
        elif each.key[:2] == thing[:2]:
            value = _item_of(value, value_in(each.key, owner))
        else:
            return None
    return value


def _attribute_of(thing: object, name: str) -> object:
    """Returns an attribute that an object, or its class, has; None for what would have to be computed."""
    own = getattr(thing, "__dict__", {})
    if name in own and not isinstance(thing, type):
        return own[name]
    for base in thing.__mro__ if isinstance(thing, type) else type(thing).__mro__:
        found = vars(base).get(name)
        if isinstance(found, MemberDescriptorType) and not isinstance(thing, type):
            try:
                return found.__get__(thing)
            except AttributeError:
                return None
        if found is not None:
            return None if hasattr(type(found), "__get__") else found
    return None


def _item_of(thing: Any, key: object) -> object:
    if isinstance(thing, dict):
        return dict.get(thing, key) if is_plain(key) else None
    if type(thing) is WeakValueDictionary:
        references: Any = vars(thing).get("data")
        reference = references.get(key) if is_plain(key) and type(references) is dict else None
        return None if reference is None else reference()
    if type(thing) in (list, tuple) and type(key) is int and -len(thing) <= key < len(thing):
        return thing[key]
    return None


def is_plain(key: object) -> bool:
    """Whether to look for it, or to compare it, runs nothing of the program's."""
    if type(key) is tuple:
        return all(map(is_plain, key))
    return type(key) in _PLAIN or type(key).__hash__ is object.__hash__


class _Atom(NamedTuple):
    """An instruction, or what it loads as one of two."""

    name: str
    argument: object
    number: int


_NONE = _Atom("", None, -1)


def _atoms(instructions: Sequence[dis.Instruction], number: int) -> Iterator[_Atom]:
    """What comes before an instruction, backwards: the kind of each load, and what it loads."""
    for index in range(number - 1, -1, -1):
        each = instructions[index]
        if each.opname in _NOTHING:
            continue
        if each.opname == "BINARY_OP" and each.argrepr == "[]":
            yield _Atom("BINARY_SUBSCR", None, index)
        elif isinstance(each.argval, tuple) and each.opname.startswith(("LOAD_FAST", _STORES_AND_LOADS)):
            yield _Atom("LOAD_FAST", each.argval[-1], index)
            first = "" if each.opname == _STORES_AND_LOADS else "LOAD_FAST"
            yield _Atom(first, each.argval[0], index)
        else:
            yield _Atom(each.opname, each.argval, index)


def _expression(atoms: Iterator[_Atom], depth: int) -> Constant | Written | None:
    name, argument, _ = next(atoms, _NONE)
    if depth == 0:
        return None
    if name == "LOAD_ATTR":
        inner = _expression(atoms, depth - 1)
        return inner._replace(steps=(*inner.steps, str(argument))) if isinstance(inner, Written) else None
    if name == "BINARY_SUBSCR":
        key = _expression(atoms, depth - 1)
        inner = _expression(atoms, depth - 1)
        if key is None or not isinstance(inner, Written):
            return None
        return inner._replace(steps=(*inner.steps, Item(key)))
    if name in ("LOAD_CONST", "LOAD_SMALL_INT"):
        return Constant(argument)
    if name in ("LOAD_GLOBAL", "LOAD_NAME"):
        return Written("global", str(argument))
    return Written("local", str(argument)) if name.startswith(("LOAD_FAST", "LOAD_DEREF")) else None
