from chat import app

from eyewall.client import websocket_connect
from eyewall.testing import AsyncHTTPTestCase, gen_test
from eyewall.web import Application


class ChatTest(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return app

    def test_the_page(self) -> None:
        assert b"<title>Chat</title>" in self.fetch("/").body

    @gen_test
    async def test_everybody_hears_everybody(self) -> None:
        url = f"ws://127.0.0.1:{self.get_http_port()}/socket"
        ada, bob = await websocket_connect(url), await websocket_connect(url)
        await ada.write_message("hello")
        assert await ada.read_message() == "hello"
        assert await bob.read_message() == "hello"
        ada.close()
        bob.close()
