"""Which task waits for what, and who holds it. Run it: python examples/stacks.py"""

import asyncio

from eyewall import doctor

lock = asyncio.Lock()


async def report(done: asyncio.Event) -> None:
    async with lock:
        await done.wait()


async def main() -> None:
    done = asyncio.Event()
    tasks = [asyncio.create_task(report(done), name=name) for name in ("first", "second")]
    await asyncio.sleep(0)
    print(doctor.stacks().tree())
    done.set()
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main())
