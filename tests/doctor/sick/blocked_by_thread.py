"""A regular expression is matched in a thread, so that the loop goes on; but it keeps the interpreter."""

# under: asyncio

import asyncio
import re

WORDS = re.compile(r"^(a+)+$")


def scan(text):
    return WORDS.match(text) is not None  # finding: loop-blocked-thread


async def main():
    loop = asyncio.get_running_loop()
    # The thread is there by now.
    await loop.run_in_executor(None, scan, "aa")
    for _ in range(10):
        await loop.run_in_executor(None, scan, "a" * 24 + "b")
        await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(main())
