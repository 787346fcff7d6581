"""What clients see of the application."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from chat.app import Room, make_app
from eyewall.testing import AsyncHTTPTestCase
from eyewall.web import Application


class RoomTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        Room.messages = []
        return make_app()

    def say(self, text: str) -> int:
        """Says something as a browser does; returns the status."""
        page = self.fetch("/")
        found = re.search('name="_xsrf" value="([^"]+)"', page.body.decode())
        assert found is not None
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        form = urlencode({"text": text, "_xsrf": found[1]})
        return self.fetch("/", method="POST", body=form, headers={"Cookie": cookie}).code

    def test_what_is_said_is_shown(self) -> None:
        assert self.say("<b>hello</b>") == 200
        assert b"<li>&lt;b&gt;hello&lt;/b&gt;</li>" in self.fetch("/").body

    def test_too_long_and_too_short(self) -> None:
        assert self.say("x" * 501) == 400
        assert self.say(" ") == 400
        assert Room.messages == []

    def test_a_form_of_another_site(self) -> None:
        assert self.fetch("/", method="POST", body="text=hello").code == 403
