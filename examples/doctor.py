"""A program with two faults, and what the doctor says of them. Run it: python examples/doctor.py"""

import asyncio
import logging

from eyewall import doctor

doctor.enable()

background: set[asyncio.Task[int]] = set()


async def store(text: str) -> None:
    print(f"stored: {text}")


async def count(text: str) -> int:
    return int(text)


async def main() -> None:
    store("this is lost")  # type: ignore[unused-coroutine]  # the fault: nobody awaits it
    background.add(asyncio.create_task(count("many")))
    while len(doctor.findings()) < 2:  # noqa: ASYNC110 - for a moment, in a program that then ends
        await asyncio.sleep(0.1)
    for finding in doctor.findings():
        print(f"{finding.place}: {finding.summary}")
    background.clear()


if __name__ == "__main__":
    # What Python and asyncio say of it themselves, when these things are collected.
    logging.disable()
    asyncio.run(main())
