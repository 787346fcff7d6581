"""The first page, and the visitor's name."""

from __future__ import annotations

from eyewall.cli.demo.handlers.base import DemoHandler, JSONHandler, Page, Problem
from eyewall.cli.demo.source import highlighted
from eyewall.cli.demo.visitors import Visitor, name_problem, new_visitor, tidy


class Home(Page):
    """Says what Eyewall is."""

    def get(self) -> None:
        hello = highlighted("hello.py")  # eyewall: ignore[EW205] - once
        self.render("home.html", hello=hello)


class Name(JSONHandler):
    """Changes the name of a visitor, whose id stays."""

    def put(self) -> None:
        given = self.body().get("name")
        if not isinstance(given, str):
            raise Problem(400, "There is no name.", name="Please give a name.")
        name = tidy(given)
        problem = name_problem(name)
        if problem is not None:
            raise Problem(400, problem, name=problem)
        known = self.current_user or new_visitor()
        self.remember(Visitor(known.id, name))
        self.write({"name": name})


class Ping(DemoHandler):
    """As little as a handler can do, for those who count requests."""

    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish("pong")
