"""Everything here waits, and for long: for signals, conditions, items, places, each other, and for ever."""

# under: asyncio

import asyncio
import contextlib
import signal
import threading


async def consume(queue):
    while True:
        await queue.get()
        queue.task_done()


async def notified(condition):
    async with condition:
        await condition.wait()


async def worker(semaphore, gate):
    async with semaphore:
        await gate.wait()


async def nested(first, second, gate):
    async with first, second:
        await gate.wait()


async def runs_for_ever():
    async with contextlib.AsyncExitStack():
        await asyncio.Future()


async def replied_by_thread(end):
    loop = asyncio.get_running_loop()
    reply = loop.create_future()

    def answer():
        end.wait()
        loop.call_soon_threadsafe(reply.set_result, None)

    threading.Thread(target=answer).start()
    await reply


async def stopped():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, stop.set)
    await stop.wait()


async def reads():
    server = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            await reader.read(1)
        finally:
            writer.close()


async def main():
    queue, condition, gate = asyncio.Queue(), asyncio.Condition(), asyncio.Event()
    semaphore, first, second = asyncio.Semaphore(2), asyncio.Lock(), asyncio.Lock()
    end = threading.Event()
    coros = [
        *(consume(queue) for _ in range(3)),
        *(notified(condition) for _ in range(3)),
        *(worker(semaphore, gate) for _ in range(5)),
        *(nested(first, second, gate) for _ in range(3)),
        runs_for_ever(),
        replied_by_thread(end),
        stopped(),
        reads(),
        asyncio.to_thread(end.wait),
        asyncio.wait_for(asyncio.Event().wait(), 3600),
    ]
    everything = asyncio.gather(*coros)
    await asyncio.wait([everything], timeout=14)
    end.set()
    gate.set()
    await asyncio.sleep(0.5)
    everything.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await everything


if __name__ == "__main__":
    asyncio.run(main())
