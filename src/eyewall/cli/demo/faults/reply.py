"""A reply comes for what was given up: the error in it is put into a future that nobody has any more."""

import asyncio

from eyewall.cli.demo.customers import Customers

waiting: dict[int, asyncio.Future[int]] = {}


def parse(text: str) -> int:
    return int(text)  # finding: future-exception-unread


def on_reply(number: int, text: str) -> None:
    future = waiting.pop(number)
    try:
        future.set_result(parse(text))
    except ValueError as error:
        future.set_exception(error)


async def press(customers: Customers) -> None:
    waiting[1] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.05, on_reply, 1, "out of order")
    await asyncio.sleep(0.2)
