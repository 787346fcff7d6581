"""Children whose output is read line by line, and one that gets its input; signals come meanwhile."""

# under: asyncio

import asyncio
import os
import signal

signals = []


async def tail():
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 1; done", stdout=asyncio.subprocess.PIPE
    )
    lines = [line async for line in process.stdout]
    return len(lines), await process.wait()


async def ring():
    for _ in range(6):
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(1)


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, signals.append, "again")
    await asyncio.gather(*(tail() for _ in range(4)), ring())
    process = await asyncio.create_subprocess_exec(
        "cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    await process.communicate(b"x" * 1_000_000)


if __name__ == "__main__":
    asyncio.run(main())
