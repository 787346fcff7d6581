"""A done-callback raises: the future has its result, and what was to happen then does not."""

# under: eyewall, tornado

import asyncio

from tornado.ioloop import IOLoop


async def total():
    await asyncio.sleep(0.01)
    return 3


def publish(future):
    print("the total is " + future.result())  # finding: callback-failed


async def main():
    task = asyncio.ensure_future(total())
    IOLoop.current().add_future(task, publish)
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
