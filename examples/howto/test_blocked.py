"""Run it: pytest --eyewall-doctor examples/howto/test_blocked.py"""

from blocked import app

from eyewall.testing import AsyncHTTPTestCase
from eyewall.web import Application


class PicturesTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return app

    def test_waiting(self) -> None:
        assert self.fetch("/waiting/storm.png").body == b"small-storm.png\n"

    def test_blocking(self) -> None:
        assert self.fetch("/blocking/storm.png").body == b"small-storm.png\n"
