"""Two tasks move money between two accounts, each of which has a lock that is acquired and released by hand."""

# under: asyncio

import asyncio


class Account:
    def __init__(self, balance):
        self.balance = balance
        self.lock = asyncio.Lock()


async def transfer(source, target, amount):
    await source.lock.acquire()
    try:
        await asyncio.sleep(0.01)
        await target.lock.acquire()  # finding: lock-deadlock
        try:
            source.balance -= amount
            target.balance += amount
        finally:
            target.lock.release()
    finally:
        source.lock.release()


async def main():
    mine, yours = Account(100), Account(100)
    transfers = [
        asyncio.create_task(transfer(mine, yours, 10)),
        asyncio.create_task(transfer(yours, mine, 20)),
    ]
    await asyncio.wait(transfers, timeout=10)


if __name__ == "__main__":
    asyncio.run(main())
