"""A poller catches everything, so that its cancellation is one more error to try again after."""

# under: eyewall, tornado

import asyncio

import tornado.web


class Poller(tornado.web.RequestHandler):
    running = None

    @classmethod
    async def poll(cls):
        while True:
            try:
                await asyncio.sleep(3600)
            except:  # noqa: E722  # finding: cancellation-swallowed
                print("again")


async def main():
    Poller.running = asyncio.create_task(Poller.poll())
    await asyncio.sleep(0.01)
    Poller.running.cancel()
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
