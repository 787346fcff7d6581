"""A regular expression that takes for ever was sent to a thread, where it keeps the interpreter all the same."""

# under: asyncio

import asyncio
import re


def check(name):
    return re.fullmatch(r"(\w+\s?)*", name)  # finding: loop-blocked-thread


async def main():
    await asyncio.sleep(0.3)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, check, "a" * 24 + "!")
    await asyncio.sleep(2)


if __name__ == "__main__":
    asyncio.run(main())
