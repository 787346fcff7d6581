"""A poller catches everything, so that its cancellation is one more error to try again after."""

import asyncio

from eyewall.cli.demo.customers import Customers


class Poller:
    open = True

    async def poll(self) -> None:
        while self.open:
            try:
                await asyncio.sleep(3600)
            except BaseException:  # finding: cancellation-swallowed
                print("Something went wrong, I try again.")


poller = Poller()


async def press(customers: Customers) -> None:
    poller.open = True
    task = asyncio.create_task(poller.poll())
    await asyncio.sleep(0.05)
    task.cancel()
    await task


def mend() -> None:
    poller.open = False
