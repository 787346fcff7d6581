from __future__ import annotations

import pytest

from eyewall.base.lazy import lazy_attribute


class Page:
    def __init__(self) -> None:
        self.computed = 0

    @lazy_attribute
    def size(self) -> int:
        """How large it is."""
        self.computed += 1
        return 40 + self.computed

    @lazy_attribute
    def broken(self) -> int:
        self.computed += 1
        raise LookupError("not yet")

    other_name = lazy_attribute(lambda self: self.size * 2)


def test_it_is_computed_once_and_by_instance() -> None:
    page, other = Page(), Page()
    assert (page.size, page.size) == (41, 41)
    assert page.computed == 1
    assert other.computed == 0
    assert page.__dict__["size"] == 41


def test_it_can_be_assigned_and_deleted() -> None:
    page = Page()
    page.size = 7
    assert page.size == 7
    assert page.computed == 0
    del page.size
    assert page.size == 41


def test_an_exception_leaves_nothing_behind() -> None:
    page = Page()
    for _ in range(2):
        with pytest.raises(LookupError):
            _ = page.broken
    assert page.computed == 2


def test_the_name_is_that_of_the_attribute() -> None:
    page = Page()
    assert page.other_name == 82
    assert page.__dict__["other_name"] == 82


def test_the_class_shows_the_descriptor_with_its_docstring() -> None:
    assert isinstance(Page.size, lazy_attribute)
    assert Page.size.__doc__ == "How large it is."


def test_subclasses_may_override_it() -> None:
    class Small(Page):
        @lazy_attribute
        def size(self) -> int:
            return 1

    assert Small().size == 1
