"""Cancellation as it should be handled: cleaned up after and raised again, turned into a result for whoever cancelled,
into another error, taken back with `uncancel`, used as a timeout, and taken as the sign to finish what was begun."""

# under: asyncio

import asyncio
import contextlib


async def cleans_up():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0.6)
        raise
    finally:
        await asyncio.sleep(0.1)


async def has_a_result():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        return "stopped"


async def fails():
    try:
        await asyncio.sleep(60)
    except BaseException as error:
        await asyncio.sleep(0.05)
        raise RuntimeError("closed") from error


async def finishes(steps=3):
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        pass
    for _ in range(steps):
        await asyncio.sleep(0.7)


async def cancels_another():
    other = asyncio.create_task(asyncio.sleep(60))
    await asyncio.sleep(0)
    other.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await other
    await asyncio.sleep(0.8)


async def takes_it_back():
    task = asyncio.current_task()
    asyncio.get_running_loop().call_later(0.05, task.cancel)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        task.uncancel()
    await asyncio.sleep(1)


async def has_a_timeout():
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await asyncio.sleep(60)
    await asyncio.sleep(0.8)


async def main():
    finishing = asyncio.create_task(finishes())
    await asyncio.sleep(0)
    finishing.cancel()
    for _ in range(4):
        tasks = [asyncio.create_task(each()) for each in (cleans_up, has_a_result, fails)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(cancels_another(), takes_it_back(), has_a_timeout())
    await finishing


if __name__ == "__main__":
    asyncio.run(main())
