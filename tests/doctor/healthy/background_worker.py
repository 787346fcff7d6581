"""A worker that waits for jobs, one that does something now and then, and what ends them in order."""

# under: eyewall, tornado

import asyncio

from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.queues import Queue

done = []


async def do(job):
    if job % 7 == 0:
        raise ValueError(job)
    await asyncio.sleep(0.001)
    done.append(job)


async def work(queue):
    async for job in queue:
        try:
            await do(job)
        except ValueError as error:
            print("skipped", error)
        finally:
            queue.task_done()


async def clean_up(interval):
    while True:
        await asyncio.sleep(interval)
        done.clear()


async def main():
    queue = Queue(maxsize=5)
    workers = [asyncio.create_task(work(queue)) for _ in range(3)]
    cleaner = asyncio.create_task(clean_up(1))
    periodic = PeriodicCallback(lambda: None, 100)
    periodic.start()
    for _ in range(3):
        for job in range(100):
            await queue.put(job)
        await queue.join()
        # Nothing to do for a while.
        await asyncio.sleep(0.8)
    IOLoop.current().add_callback(periodic.stop)
    for task in (*workers, cleaner):
        task.cancel()
    await asyncio.gather(*workers, cleaner, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main())
