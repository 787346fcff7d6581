"""The line that puts something where it stays, found in the source."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from eyewall.doctor.growth import writing

from ..lines import line_of


class Hub:
    """What fills its containers, in several ways."""

    def __init__(self) -> None:
        self.members: set[object] = set()
        self.rooms: dict[str, list[object]] = {}
        self.table: dict[str, dict[int, object]] = {"clients": {}}
        self.last: object = None

    def join(self, member: object) -> None:
        self.members.add(member)

    def enter(self, room: str, member: object) -> None:
        self.rooms[room].append(member)

    def note(self, member: object) -> None:
        self.table["clients"][id(member)] = member

    def same(self, member: object) -> bool:
        return self.members == {member}

    async def wait(self) -> None:
        await self.send("waited for")
        self.send("not waited for")

    def send(self, text: str) -> object:
        return self.last


class Other:
    """Has them by other names, and not for ever."""

    app: dict[str, Any] = {}

    def welcome(self, guest: object) -> None:
        guests = self.app["welcomed"]
        guests.add(guest)

    def leave(self, guest: object) -> None:
        self.app["welcomed"].discard(guest)

    def keep(self, guest: object) -> None:
        self.app["latest"][id(guest)] = open(str(guest))  # noqa: SIM115
        while len(self.app["latest"]) > 10:
            self.app["latest"].popitem()

    def count(self, most: int) -> bool:
        return len(self.app["welcomed"]) > most

    def hand(self, pipe: Any) -> None:
        pipe.sink = self.app["queue"].put_nowait


class Listener:
    """Hands itself, or a method, to a library."""

    bus: Any = None

    def __init__(self) -> None:
        self.hear("")

    def listen(self, topic: str) -> None:
        self.bus.subscribe(topic, self.hear)

    def enter(self, room: Any) -> None:
        room.welcome(self.bus, self)

    def hear(self, text: str) -> None:
        self.bus.publish("heard", text)

    def show(self) -> None:
        profile(self)


def profile(listener: Listener) -> None:
    """May be one that remembers what it was called with."""


FILE = sys.modules[__name__].__file__ or ""


def test_lines_that_add() -> None:
    assert writing.adding(["members"], [Hub]) == line_of(Hub.join, "members.add")
    assert writing.adding(["rooms"], [Hub]) == line_of(Hub.enter, "append")
    assert writing.adding(["clients"], [Hub]) == line_of(Hub.note, "clients")
    # The first name with a line is the one.
    assert writing.adding(["nothing", "table", "members"], [Hub]) == line_of(Hub.note, "clients")
    assert writing.adding(["last"], [Hub]) is None
    assert writing.adding([], [Hub]) is None


def test_lines_that_add_by_a_variable() -> None:
    class Rooms:
        def __init__(self) -> None:
            self.rooms: dict[str, set[object]] = {}
            self.halls: dict[str, dict[int, object]] = {}
            self.doors: dict[str, object] = {}

        def join(self, name: str) -> None:
            room = self.rooms.setdefault(name, set())
            if self not in room:
                room.add(self)

        def enter(self, name: str) -> None:
            hall = self.halls[name]
            hall[id(self)] = self

        def open(self, name: str) -> None:
            door = self.doors.setdefault(name, self)
            del door

    assert writing.adding(["rooms"], [Rooms]) == line_of(Rooms.join, "room.add")
    assert writing.adding(["halls"], [Rooms]) == line_of(Rooms.enter, "hall[id")
    assert writing.adding(["doors"], [Rooms]) == line_of(Rooms.open, "setdefault")


def test_lines_that_add_by_another_name() -> None:
    assert writing.adding(["welcomed"], (), [FILE]) == line_of(Other.welcome, "guests.add")
    assert FILE in writing.own_files()


def test_lines_that_take_out() -> None:
    assert writing.taking(["welcomed"], [Other]) == line_of(Other.leave, "discard")
    assert writing.takes(Other.leave.__code__, ["welcomed"])
    assert not writing.takes(Other.welcome.__code__, ["welcomed"])
    assert writing.evicting(["latest"], [Other]) == line_of(Other.keep, "while len")
    assert writing.evicting(["welcomed"], [Other]) is None
    assert writing.closes_some(line_of(Other.keep, "open("))
    assert not writing.closes_some(line_of(Hub.same, "return"))


def test_a_queue_whose_method_somebody_is_given() -> None:
    assert writing.putting(["queue"], [Other]) == line_of(Other.hand, "put_nowait")


def test_lines_elsewhere_in_a_file() -> None:
    place = writing.adding(["members"], [], [FILE])
    assert place is not None
    assert place.line == line_of(Hub.join, "members.add").line
    assert place.function == "Hub.join"
    # What is installed is not the application's.
    assert writing.adding(["members"], [int], [sys.modules["pytest"].__file__ or ""]) is None


def test_what_hands_itself_to_a_library() -> None:
    assert writing.handing(["subs", "bus"], ["hear"], Listener) == line_of(Listener.listen, "subscribe")
    assert writing.handing(["members", "room"], [], Listener) == line_of(Listener.enter, "welcome")
    assert writing.handing(["profile"], [], Listener) == line_of(Listener.show, "profile(self")
    # Neither a call of the method, nor one of something else of its own.
    assert writing.handing(["bus"], [], Listener) is None
    assert writing.handing(["members"], ["enter"], Listener) is None


def test_calls_that_are_not_awaited() -> None:
    assert writing.calling("send", [Hub]) == line_of(Hub.wait, '"waited for"')
    assert writing.calling("send", [Hub], awaited=False) == line_of(Hub.wait, '"not waited for"')


def test_where_a_class_is_defined() -> None:
    place = writing.definition_of(Hub)
    assert place is not None
    assert place.source.startswith("class Hub")
    assert writing.definition_of(int) is None
    assert writing.file_of(Hub()) == FILE
    assert writing.file_of(3) is None


def test_what_is_done_again_and_again_is_the_line() -> None:
    def once(out: Any) -> None:
        out.write("head")
        out.write("body")

    def often(out: Any) -> None:
        out.write("head")
        while True:
            out.write("more")

    async def waits(out: Any) -> None:
        await out.write("head")
        out.write("body"), await out.drain()

    assert writing.within(once.__code__, "write") == line_of(once, '"head"')
    assert writing.within(often.__code__, "write") == line_of(often, '"more"')
    assert writing.within(waits.__code__, "write|send") == line_of(waits, '"body"')
    assert writing.within(often.__code__, "nothing") is None


def test_the_only_line_that_does_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clients.py"
    # In pieces, so that this file has no such lines.
    one, more = "One" + "Maker", "More" + "Makers"
    file.write_text(
        f"from all import {one}\n\ndef make():\n    # {one}()\n    return {one}()\n\n{more}()\n{more}()\n"
    )
    module = ModuleType("clients")
    module.__file__ = str(file)
    # As it is where it is what is run.
    for name in ("clients", "__clients__"):
        monkeypatch.setitem(sys.modules, name, module)
    assert writing.only(one) == (str(file), 5, "make")
    assert writing.only(more) is None
    assert writing.only("") is None
