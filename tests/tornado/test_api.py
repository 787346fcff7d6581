"""The whole of Tornado's public API is there: every entry of the listing that its wheel carries."""

from __future__ import annotations

import pytest

from tests.tornado.listing import Entry, differences, entries

LISTED = entries()


def test_the_listing_is_the_one_that_is_known() -> None:
    assert sum(map(len, LISTED.values())) == 1193
    assert len(LISTED) == 34


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("module", LISTED)
def test_every_entry_matches(module: str) -> None:
    assert list(differences(module, LISTED[module])) == []


@pytest.mark.parametrize(
    "line",
    [
        "tornado.escape.nothing: function(x)",
        "tornado.nothing.x: data",
        "tornado.escape.utf8: function(x)",
        "tornado.escape.utf8: class()",
        "tornado.gen.Future: alias of tornado.gen.Return",
        "tornado.ioloop.IOLoop: class(builtins.Exception)",
        "tornado.ioloop.IOLoop.current: classmethod(cls, instance=True)",
        "tornado.ioloop.IOLoop.current: staticmethod(instance=False)",
        "tornado.ioloop.IOLoop.start: staticmethod(self)",
        "tornado.ioloop.IOLoop.nothing: attribute",
        "tornado.ioloop.IOLoop.start: property",
    ],
)
def test_what_does_not_match_is_found(line: str) -> None:
    assert len(list(differences("tornado.escape", [Entry.of_line(line)]))) == 1
