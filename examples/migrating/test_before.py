"""The tests of the shop on aiohttp."""

from aiohttp import web
from aiohttp.test_utils import AioHTTPTestCase
from before import make_app


class ShopTest(AioHTTPTestCase):
    async def get_application(self) -> web.Application:
        return make_app()

    async def test_an_item(self) -> None:
        async with self.client.get("/items/1") as response:
            assert response.status == 200
            assert await response.json() == {"number": 1, "name": "tea"}
