"""Several things at once, within a time. Run it: eyewall run examples/gather.py"""

import asyncio

from eyewall.web import Application, HTTPError, RequestHandler


async def price_at(shop: str, item: str) -> float:
    """Stands for a request to another service."""
    await asyncio.sleep(0.02)
    return 10.0 + len(shop + item) / 10


class Prices(RequestHandler):
    SHOPS = ("north", "south", "harbour")

    async def get(self, item: str) -> None:
        patience = float(self.get_argument("patience", "1.0"))
        try:
            async with asyncio.timeout(patience), asyncio.TaskGroup() as group:
                prices = {shop: group.create_task(price_at(shop, item)) for shop in self.SHOPS}
        except TimeoutError:
            raise HTTPError(504, "no prices for %s within %g s", item, patience) from None
        self.write({shop: price.result() for shop, price in prices.items()})


app = Application([(r"/prices/(\w+)", Prices)])
