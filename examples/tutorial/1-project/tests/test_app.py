"""What clients see of the application."""

from __future__ import annotations

import json

from eyewall.testing import AsyncHTTPTestCase
from eyewall.web import Application

from chat.app import make_app


class AppTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return make_app()

    def test_the_home_page(self) -> None:
        response = self.fetch("/")
        assert response.code == 200
        assert b"It works" in response.body

    def test_a_greeting(self) -> None:
        response = self.fetch("/api/greeting/Ada%20L.")
        assert json.loads(response.body) == {"greeting": "Hello, Ada L.!"}

    def test_what_is_not_there(self) -> None:
        assert self.fetch("/nothing").code == 404
