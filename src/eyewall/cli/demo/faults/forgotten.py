"""A handler calls a coroutine and forgets to await it: the order is confirmed, and never stored."""

from eyewall.cli.demo.customers import Customers
from eyewall.web import RequestHandler


async def store(order: bytes) -> None:
    print("stored", order)


class OrderHandler(RequestHandler):
    async def post(self) -> None:
        store(self.request.body)  # type: ignore[unused-coroutine]  # finding: coroutine-never-awaited
        self.write("thank you")


routes = [("/order", OrderHandler)]


async def press(customers: Customers) -> None:
    await customers.post("/order", b"one tea")
