"""Transfers between accounts that wait for each other, and transfers that do not.

eyewall run examples/howto/deadlock.py
"""

import asyncio

from eyewall.web import Application, RequestHandler

locks = {"ada": asyncio.Lock(), "bob": asyncio.Lock()}
balance = {"ada": 100, "bob": 100}


async def move(source: str, target: str) -> None:
    balance[source] -= 10
    # Stands for a database.
    await asyncio.sleep(0.1)
    balance[target] += 10


class Transfer(RequestHandler):
    async def get(self, source: str, target: str) -> None:
        async with locks[source]:
            await asyncio.sleep(1.0)
            async with locks[target]:
                await move(source, target)
        self.write(balance)


class OrderedTransfer(RequestHandler):
    async def get(self, source: str, target: str) -> None:
        first, second = sorted([source, target])
        async with locks[first], locks[second]:
            await move(source, target)
        self.write(balance)


NAMES = "(ada|bob)"
app = Application(
    [
        (f"/transfer/{NAMES}/{NAMES}", Transfer),
        (f"/ordered/{NAMES}/{NAMES}", OrderedTransfer),
    ]
)
