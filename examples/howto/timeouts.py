"""A limit for every wait of a request. Run it: eyewall run examples/howto/timeouts.py"""

import asyncio

from eyewall.client import AsyncHTTPClient
from eyewall.guard import remaining, timeout, unbounded
from eyewall.web import Application, RequestHandler

lock = asyncio.Lock()


class Stock(RequestHandler):
    """Another service, which takes its time."""

    REQUEST_TIMEOUT = 0

    async def get(self) -> None:
        await asyncio.sleep(float(self.get_argument("seconds")))
        self.write("7 left\n")


class Shop(RequestHandler):
    async def get(self) -> None:
        url = f"http://{self.request.host}/stock?seconds={self.get_argument('seconds')}"
        # No timeout of its own: what remains of the request's deadline is.
        response = await AsyncHTTPClient().fetch(url)
        self.write(response.body)


class Order(RequestHandler):
    async def get(self) -> None:
        # A wait that may be shorter than the request.
        async with timeout(0.2), lock:
            await asyncio.sleep(float(self.get_argument("seconds")))
        with unbounded():
            # Goes on, whatever becomes of the request.
            self.spawn(self.record(), at_end="await")
        self.write(f"ordered with {remaining():.1f} s left\n")

    async def record(self) -> None:
        await asyncio.sleep(0.1)


app = Application([("/stock", Stock), ("/shop", Shop), ("/order", Order)], request_timeout=2.0)
