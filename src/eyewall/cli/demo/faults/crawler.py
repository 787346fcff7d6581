"""Each link that is found asks for the next ones with callbacks: ever more wait for their turn."""

import asyncio

from eyewall.cli.demo.customers import Customers


class Crawler:
    open = True

    def follow(self) -> None:
        if self.open:
            asyncio.get_running_loop().call_soon(self.follow)  # finding: callbacks-pile-up


crawler = Crawler()


async def press(customers: Customers) -> None:
    crawler.open = True
    while True:
        for _ in range(20):
            crawler.follow()
        await asyncio.sleep(0.1)


def mend() -> None:
    crawler.open = False
