"""The application: what is served, and by whom."""

from __future__ import annotations

from typing import Any

from eyewall.web import Application, RequestHandler

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Chat</title>
<h1>Chat</h1>
<p>It works. <a href="/api/greeting/you">And greets you.</a></p>
"""


class Home(RequestHandler):
    def get(self) -> None:
        self.write(PAGE)


class Greeting(RequestHandler):
    # A coroutine may await whatever works with asyncio.
    async def get(self, name: str) -> None:
        self.write({"greeting": f"Hello, {name}!"})


def make_app(**settings: Any) -> Application:
    """Returns the application; `eyewall run` calls this, and so do the tests."""
    return Application([("/", Home), ("/api/greeting/([^/]+)", Greeting)], **settings)
