"""A periodic callback raises each time that it is called."""

# under: eyewall, tornado

import asyncio

from tornado.ioloop import PeriodicCallback

samples = []


def average():
    print(sum(samples) / len(samples))  # finding: callback-failed


async def main():
    periodic = PeriodicCallback(average, 50)
    periodic.start()
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
