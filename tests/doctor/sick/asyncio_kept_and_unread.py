"""main() keeps its workers in a list that it never looks at again, and one of them fails in a group of its own."""

# under: asyncio

import asyncio


async def part(number):
    await asyncio.sleep(0.02)
    return 1 / number  # finding: task-exception-unread


async def whole():
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(part(number))


async def main():
    workers = [asyncio.create_task(whole()), asyncio.create_task(asyncio.sleep(60))]
    print(f"{len(workers)} at work")
    await asyncio.sleep(12)


if __name__ == "__main__":
    asyncio.run(main())
