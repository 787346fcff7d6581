"""The supplier does not answer, the handler asks without a timeout, and requests pile up behind it."""

import asyncio

from eyewall.cli.demo.customers import Customers
from eyewall.client import AsyncHTTPClient
from eyewall.web import RequestHandler


class SupplyHandler(RequestHandler):
    async def get(self) -> None:
        supplier = self.get_argument("supplier")
        answer = await AsyncHTTPClient().fetch(supplier, request_timeout=0)  # finding: route-waits
        self.write(answer.body)


class Supplier(asyncio.Protocol):
    """Accepts, and never says anything."""


routes = [("/supply", SupplyHandler)]


async def press(customers: Customers) -> None:
    async with await asyncio.get_running_loop().create_server(Supplier, "127.0.0.1", 0) as service:
        port = service.sockets[0].getsockname()[1]
        await customers.come(f"/supply?supplier=http://127.0.0.1:{port}/", every=0.25)
