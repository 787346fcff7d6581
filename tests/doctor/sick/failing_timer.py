"""A timer of the loop raises: what it was to do is not done, and the loop goes on."""

# under: eyewall, tornado

import asyncio

from tornado.ioloop import IOLoop

prices = {"tea": 3}


def reprice(name):
    prices[name] = prices[name] * 2  # finding: callback-failed


async def main():
    IOLoop.current().call_later(0.05, reprice, "coffee")
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
