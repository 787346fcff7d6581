"""The tests of the shop on Eyewall."""

from after import make_app

from eyewall.base import json_decode
from eyewall.testing import AsyncHTTPTestCase
from eyewall.web import Application


class ShopTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        app = make_app()
        # Hooks are run by who serves it: `eyewall run`, or a test that wants them.
        self.io_loop.run_sync(app.lifecycle.startup)
        return app

    def test_an_item(self) -> None:
        response = self.fetch("/items/1")
        assert response.code == 200
        assert json_decode(response.body) == {"number": 1, "name": "tea"}
