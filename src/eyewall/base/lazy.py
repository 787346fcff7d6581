"""Attributes that are computed when first read.

`functools.cached_property` does the same, but its typing loses the class-level access and up to Python 3.11
it takes a lock on every first read. A request object has several such attributes and belongs to one loop, so
neither is wanted here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy_attribute(Generic[T]):
    """Turns a method into an attribute that calls it once and keeps the result in the instance's `__dict__`.

    Because it defines no `__set__`, the kept value is found first from then on, at the cost of a plain
    attribute. Assigning replaces the value, `del` makes the next read compute it again, and an exception
    leaves nothing behind. Two threads that read at the same moment may both compute; the last one's result
    stays. Classes with `__slots__` and no `__dict__` cannot use it (AttributeError on first read).
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> T | Self:
        if instance is None:
            return self
        value = self._compute(instance)
        instance.__dict__[self._name] = value
        return value
