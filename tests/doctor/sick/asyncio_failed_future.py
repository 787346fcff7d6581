"""A client that has lost its connection fails the replies that are awaited no more: the exception is never raised."""

# under: asyncio

import asyncio


class Client:
    def __init__(self):
        self.replies = {}

    def ask(self, number):
        reply = self.replies[number] = asyncio.get_running_loop().create_future()
        return reply

    def connection_lost(self):
        for reply in self.replies.values():
            reply.set_exception(ConnectionResetError("lost"))  # finding: future-exception-unread
        self.replies.clear()


async def main():
    client = Client()
    client.ask(1)
    client.ask(2)
    await asyncio.sleep(0.05)
    client.connection_lost()
    await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(main())
