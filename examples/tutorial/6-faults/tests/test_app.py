"""What clients see of the application."""

from __future__ import annotations

import pytest

from chat.app import make_app
from chat.store import Message
from eyewall.client import HTTPClientError
from eyewall.testing import AsyncHTTPTestCase, gen_test
from eyewall.web import Application
from tests.client import Browser


class ChatTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        app = make_app(database=":memory:")
        self.store = app.settings["store"]
        self.addCleanup(self.store.close)
        return app

    async def visitor(self, name: str) -> Browser:
        """Somebody who has signed in."""
        browser = Browser(self.get_url(""))
        response = await browser.send("/signin", name=name, password=f"{name}'s secret")
        assert (response.code, response.headers["Location"]) == (303, "/")
        return browser

    @gen_test
    async def test_who_has_not_signed_in_is_sent_there(self) -> None:
        stranger = Browser(self.get_url(""))
        response = await stranger.get("/")
        assert (response.code, response.headers["Location"]) == (302, "/signin?next=%2F")
        with pytest.raises(HTTPClientError, match="403"):
            await stranger.connect("/socket")

    @gen_test
    async def test_a_name_is_its_first_user_s(self) -> None:
        await self.visitor("ada")
        await self.visitor("ada")
        thief = Browser(self.get_url(""))
        assert (await thief.send("/signin", name="ada", password="a guess")).code == 403
        assert "user" not in thief.cookies

    @gen_test
    async def test_a_cookie_that_was_changed(self) -> None:
        ada = await self.visitor("ada")
        ada.cookies["user"] = ada.cookies["user"].replace("|4:user|", "|4:eve |")
        assert (await ada.get("/")).code == 302

    @gen_test
    async def test_signing_out(self) -> None:
        ada = await self.visitor("ada")
        assert (await ada.send("/", "/signout")).headers["Location"] == "/signin"
        assert (await ada.get("/")).code == 302

    @gen_test
    async def test_what_is_said_is_shown(self) -> None:
        ada = await self.visitor("ada")
        assert (await ada.send("/", text="<b>hello</b>")).code == 303
        assert b"<b>ada</b> &lt;b&gt;hello&lt;/b&gt;" in (await ada.get("/")).body
        assert (await ada.send("/", text="x" * 501)).code == 400

    @gen_test
    async def test_a_form_of_another_site(self) -> None:
        ada = await self.visitor("ada")
        assert (await ada.post("/", text="hello")).code == 403
        assert await self.store.latest() == []

    @gen_test
    async def test_everybody_in_the_room_hears_it(self) -> None:
        ada = await (await self.visitor("ada")).connect("/socket")
        bob = await (await self.visitor("bob")).connect("/socket")
        await ada.write_message("hello")
        for socket in (ada, bob):
            assert await socket.read_message() == '{"who": "ada", "text": "hello"}'
        await bob.write_message("x" * 501)
        assert await bob.read_message() is None
        assert bob.close_code == 1008
        ada.close()
        assert await self.store.latest() == [Message("ada", "hello")]

    @gen_test
    async def test_words_that_need_a_look(self) -> None:
        ada = await (await self.visitor("ada")).connect("/socket")
        await ada.write_message("A storm comes")
        assert await ada.read_message() == '{"who": "ada", "text": "A storm comes"}'
        ada.close()
